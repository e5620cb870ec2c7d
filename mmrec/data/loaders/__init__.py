"""Loaders: batches from a prepared dataset."""
