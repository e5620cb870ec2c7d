"""One process a library: each trains the same model on the same data and prints what it took."""
