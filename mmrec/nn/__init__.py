"""The parts of the model, one block of equations a file."""
