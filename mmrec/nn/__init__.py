"""Parts of the models, one block of equations per file."""
