"""Text and image features of the items."""
