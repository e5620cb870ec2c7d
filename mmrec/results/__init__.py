"""Result files: reading, aggregation, paired tests and tables."""
