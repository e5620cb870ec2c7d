"""Recommendations over HTTP: a service that answers for a bundle, and the page to try it."""
