"""From raw interactions to a dataset on disk."""
