"""Callbacks, run folders and tracking."""
