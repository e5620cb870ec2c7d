"""Options that keep the output of a command short."""

QUIET = ["--tracking.wandb", "false", "--trainer.enable_progress_bar", "false"]
