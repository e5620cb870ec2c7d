"""What works around other libraries, each with the reason and the end of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def complete_epoch(checkpoint: Mapping[str, Any]) -> None:
    """Mark the epoch at whose end a checkpoint was saved as completed.

    Lightning saves the checkpoint just before it counts the epoch as completed. With `max_steps`, it would end the
    epoch a second time after resuming, without the validation that early stopping needs. If validation is not once per
    epoch, the checkpoint is saved in the validation after the last batch, before the epoch counts as processed. Seen in
    Lightning 2.6.6; `test_resuming_gives_what_an_uninterrupted_run_gives` fails without this where it is still needed.
    """
    loop = checkpoint.get("loops", {}).get("fit_loop", {})
    batches, epochs = loop.get("epoch_loop.batch_progress"), loop.get("epoch_progress")
    if batches and epochs and batches["is_last_batch"]:
        batches["is_last_batch"] = False
        batches["current"] = dict.fromkeys(batches["current"], 0)
        for counts in (epochs["total"], epochs["current"]):
            counts["processed"] = counts["completed"] = counts["ready"]
