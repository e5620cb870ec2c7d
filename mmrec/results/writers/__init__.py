"""Writers of a table, one for each format."""
