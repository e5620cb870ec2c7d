"""Ranking metrics from ranks alone."""
