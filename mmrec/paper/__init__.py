"""The paper's tables and figures: what makes them, the runner that trains what is missing, and their files."""
