"""W&B workspaces and reports, built without an account and saved with one: `mmrec dashboard`."""
