"""Batches from a prepared dataset."""
