"""Explanations for sampled users after `test` (paper, section 3.5): post hoc, and no part of training or scoring."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities import rank_zero_info

from mmrec.batch import EvalBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.loader import EvalLoader
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import OllamaLLM
from mmrec.explain.packet import Recommendation
from mmrec.explain.pipeline import ExplanationPipeline, Summary
from mmrec.models.recommender import Recommender


class ExplainRecommendations(lightning.Callback):
    """Write `explanations.jsonl` into the run's folder: evidence packet, prompt, text and its source for each.

    An Ollama server writes the texts if one answers; else a template does, from the facts, and each row says so.
    Users are drawn by a fixed seed from those of the test split; the evidence is their history before the test event.

    Args:
        users: how many users; 0 switches the callback off.
        top_k: explained recommendations of each.
        llm: model of the Ollama server, as `ollama list` names it; null for the template alone.
        host: address of the server; null for OLLAMA_HOST or the local one.
        timeout: seconds for one explanation.
        prompt_file: a prompt template of your own instead of `mmrec/explain/prompt.txt`.

    Raises:
        UserError: an option is out of range.
    """

    def __init__(
        self,
        users: int = 10,
        top_k: int = 1,
        llm: str | None = "gemma3:4b",
        host: str | None = None,
        timeout: float = 30.0,
        prompt_file: str | None = None,
    ) -> None:
        if users < 0 or top_k < 1:
            raise UserError(
                f"ExplainRecommendations: users ({users}) must be at least 0 and top_k ({top_k}) at least 1"
            )
        self.users = users
        self.top_k = top_k
        self.llm = None if llm is None else OllamaLLM(llm, host, timeout)
        self.prompt_file = None if prompt_file is None else Path(prompt_file)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Explain after the metrics are written."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not self.users or not trainer.is_global_zero:
            return
        assert isinstance(data, RecDataModule)
        assert isinstance(pl_module, Recommender)
        pipeline = ExplanationPipeline(Knowledge.load(data.catalog.folder), self.llm, prompt_file=self.prompt_file)
        path = Path(trainer.default_root_dir) / "explanations.jsonl"
        recommendations = self.recommendations(pl_module, data)
        rank_zero_info(describe(pipeline.run(recommendations, path)))
        with path.open(encoding="utf-8") as file:
            rank_zero_info(f"the first of them: {json.loads(file.readline())['text']}")

    def recommendations(self, model: Recommender, data: RecDataModule) -> list[Recommendation]:
        """Return the top recommendations of the sampled users with the model's evidence."""
        rows = data.catalog.instances(Split.TEST)
        users = data.catalog.user_of(rows)
        rows = rows[users.diff(prepend=users[:1] - 1) > 0]  # each user once, at the first test event
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        made: list[Recommendation] = []
        model.eval()
        with torch.no_grad():
            model.begin_evaluation()
            for batch in EvalLoader(data.catalog, rows[order[: self.users]], data.max_length, data.eval_batch_size):
                on_device = model.transfer_batch_to_device(batch, model.device, 0)
                made += self._of_batch(model, data, batch, on_device)
            model.end_evaluation()
        return made

    def _of_batch(
        self, model: Recommender, data: RecDataModule, batch: EvalBatch, on_device: EvalBatch
    ) -> list[Recommendation]:
        scores, items = (x.tolist() for x in model.recommend(on_device, self.top_k))
        signals = model.signals(on_device)
        neighbours = model.neighbours()
        made = []
        for row, user in enumerate(batch.user.tolist()):
            end = int(batch.instance[row])
            history = data.catalog.items[data.catalog.offsets[user] : end].tolist()
            known_by = model.item_signals(items[row])
            for place, (item, score) in enumerate(zip(items[row], scores[row], strict=True), start=1):
                if math.isinf(score):
                    break  # the user knows everything else
                near = [] if neighbours is None else [i for i in history if item in neighbours[i].tolist()]
                numbers = {**known_by[place - 1], **signals[row]}
                made.append(Recommendation(data.catalog.user_ids[user], item, place, score, history, near, numbers))
        return made


def describe(summary: Summary) -> str:
    """Say in a line who wrote the explanations and why."""
    sources = ", ".join(f"{count} by {source}" for source, count in sorted(summary.sources.items()))
    causes = "; ".join(f"{cause} ({count})" for cause, count in sorted(summary.causes.items()))
    return f"{summary.total} explanations in {summary.path}: {sources}{f' - {causes}' if causes else ''}"
