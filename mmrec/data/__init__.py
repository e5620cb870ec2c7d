"""Raw files to a prepared dataset, and a prepared dataset to batches."""
