"""MM-SRA: the nearest neighbours of the item vectors, and sequences augmented with them."""
