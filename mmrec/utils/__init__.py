"""Files, locks, the machine: small helpers without any knowledge of recommendation."""
