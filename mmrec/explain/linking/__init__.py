"""Entity linking: what a text names, and whether the evidence packet states it (paper, section 3.5.2)."""
