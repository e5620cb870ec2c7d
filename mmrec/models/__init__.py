"""One model a module."""
