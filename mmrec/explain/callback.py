"""Explanations for sampled users after `test` (paper, section 3.5): they take no part in training or scoring."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as lightning
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_info

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain.evidence import first_instances, recommendations
from mmrec.explain.llm import LLM
from mmrec.explain.of_run import pipeline_of
from mmrec.explain.rows import read_rows
from mmrec.explain.similarity import Least
from mmrec.explain.writing.writer import Way, WritingOptions
from mmrec.models.recommender import Recommender
from mmrec.training.limits import cut_short
from mmrec.training.tracking import logged_in

COLUMNS = ("user", "item", "rank", "text", "source", "reason", "similarity")
"""Columns of the W&B table."""


class ExplainRecommendations(lightning.Callback):
    """Write `explanations.jsonl` into the run's folder: statements, text, its evidence and its source for each.

    A language model takes part if it answers; otherwise the grammar writes from the statements, and each row says so.
    Users are drawn by a fixed seed from those of the test split; the evidence is their history before the test event.
    Where W&B is online, the texts are a table there as well. A test that `limit_test_batches` or `fast_dev_run` cuts
    short writes nothing.

    Args:
        users: number of users; 0 switches the callback off.
        top_k: number of explained recommendations for each user.
        llm: the language model, see `mmrec.explain.llm`; null for the grammar alone.
        writing: "grounded": the model chooses statements and the grammar writes them; "free": the model writes and
            what does not hold is removed.
        prompt_file: a prompt template of your own instead of that of the package.
        corrections: number of times a free text that does not hold is asked for again.
        similarity: free texts with less similarity to the user's interest are rejected: a cosine, "calibrated" on users
            of the validation split, or "off"; see `mmrec.explain.similarity`.

    Raises:
        UserError: an option is out of range.
    """

    def __init__(
        self,
        users: int = 10,
        top_k: int = 1,
        llm: LLM | None = None,
        writing: Way = "grounded",
        prompt_file: str | None = None,
        corrections: int = 1,
        similarity: Least = "calibrated",
    ) -> None:
        if users < 0 or top_k < 1 or corrections < 0:
            raise UserError(
                f"ExplainRecommendations: users ({users}) and corrections ({corrections}) must be at least 0 and top_k "
                f"({top_k}) at least 1"
            )
        self.users = users
        self.top_k = top_k
        self.llm = llm
        self.options = WritingOptions(way=writing, corrections=corrections)
        self.prompt_file = None if prompt_file is None else Path(prompt_file)
        self.similarity = similarity

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Explain after the metrics are written."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not self.users or not trainer.is_global_zero:
            return
        if cut_short(trainer.limit_test_batches):
            rank_zero_info("the test was cut short: no explanations are written")
            return
        assert isinstance(data, RecDataModule)
        assert isinstance(pl_module, Recommender)
        pipeline = pipeline_of(pl_module, data, self.llm, self.prompt_file, self.options, self.similarity)
        made = recommendations(pl_module, data, first_instances(data, Split.TEST, self.users), self.top_k)
        summary = pipeline.run(made, Path(trainer.default_root_dir) / "explanations.jsonl")
        rank_zero_info(str(summary))
        rows = read_rows(summary.path)
        if rows:
            rank_zero_info(f"for example: {rows[0]['text']}")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger) and logged_in():
                logger.log_table("explanations", list(COLUMNS), [[row[name] for name in COLUMNS] for row in rows])
