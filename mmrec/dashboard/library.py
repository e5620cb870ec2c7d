"""W&B's library of workspaces and reports, which the extra `dashboard` installs."""

from __future__ import annotations

from mmrec.errors import UserError

try:
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr
except ImportError:
    raise UserError("wandb-workspaces is not installed: pip install 'mmrec[dashboard]'") from None

__all__ = ["expr", "wr", "ws"]
