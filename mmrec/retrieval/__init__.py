"""MM-SRA: the library of item vectors, its nearest neighbours, and sequences augmented with them."""
