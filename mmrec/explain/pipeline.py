"""From recommendations to checked explanations in a JSONL file (paper, section 3.5).

For each recommendation: evidence packet, prompt (eq. 17), reply of the language model, verification (3.5.2); a text
that does not hold is asked for again with its violations named, and the last resort is the template from facts. Every
row says where its text came from and why it is not the model's.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mmrec.batch import PAD
from mmrec.errors import UserError
from mmrec.explain.asker import Asker
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.likeness import Likeness
from mmrec.explain.llm import LLM
from mmrec.explain.outcome import Explanation, Summary
from mmrec.explain.packet import Recommendation, build_packet
from mmrec.explain.prompt import Prompt
from mmrec.explain.together import in_order
from mmrec.explain.verify import Verifier
from mmrec.explain.writer import Writer


class ExplanationPipeline:
    """Explains recommendations.

    Args:
        knowledge: the dataset's facts.
        llm: who writes; None to write from facts only.
        prompt_file: a prompt template of the user's own, see `mmrec.explain.prompt`.
        history_length: most recent history items in a packet, at least 1.
        corrections: how often a reply that fails verification is asked for again.
        verifier: judges a reply; that of the catalogue's vocabulary if None.
        likeness: compares a text with the user's interest, see `mmrec.explain.likeness`; None for not.
        least_likeness: replies with less do not hold; None to record likeness without judging by it.
        cache: keep replies in `llm_cache/` beside the output file and use those found there. A run that was broken off
            goes on from them.

    Raises:
        UserError: if an option is out of range or the prompt file is wrong.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        llm: LLM | None = None,
        *,
        prompt_file: Path | None = None,
        history_length: int = 8,
        corrections: int = 1,
        verifier: Verifier | None = None,
        likeness: Likeness | None = None,
        least_likeness: float | None = None,
        cache: bool = True,
    ) -> None:
        if history_length < 1 or corrections < 0:
            raise UserError(
                f"history_length={history_length}, corrections={corrections}: need at least 1 and at least 0"
            )
        self._knowledge = knowledge
        self._llm = llm
        self._prompt = Prompt(prompt_file)
        self._history_length = history_length
        self._corrections = corrections
        # Without a model there is nothing to judge, and the vocabulary of a large catalogue takes its time.
        self._verifier = verifier or Verifier(knowledge.vocabulary if llm else None)
        self._likeness = likeness
        self._least_likeness = least_likeness
        self._cache = cache

    def run(self, recommendations: Sequence[Recommendation], path: Path) -> Summary:
        """Explain each recommendation, as many at once as the model takes, and write one JSON line for it.

        The file appears under its name when it is complete. The time is bounded by the model's own limit times
        (1 + corrections) for each recommendation.

        Raises:
            UserError: if an item is not in the dataset.
        """
        start = time.monotonic()
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        asker = Asker(self._llm, path.parent / "llm_cache" if self._cache else None)
        sources: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        explained = in_order(partial(self._explain, asker=asker), asker.concurrency, "explaining", recommendations)
        try:
            with closing(explained), temporary.open("w", encoding="utf-8") as file:
                for row, outcome in explained:
                    file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                    sources[outcome.source] += 1
                    if outcome.cause:
                        causes[outcome.cause] += 1
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return Summary(
            path=path,
            total=len(recommendations),
            sources=dict(sources),
            causes=dict(causes),
            model=asker.name,
            digest=asker.digest,
            unreadable_images=len(self._knowledge.unreadable),
            seconds=time.monotonic() - start,
        )

    def _explain(self, recommendation: Recommendation, asker: Asker) -> tuple[dict[str, object], Explanation]:
        """Return the JSON row of one recommendation and the outcome in it."""
        start = time.monotonic()
        packet = self._prompt.fit(build_packet(recommendation, self._knowledge, self._history_length))
        prompt = self._prompt.render(packet)
        picture = self._knowledge.picture(recommendation.item)
        writer = Writer(asker, self._verifier, self._corrections, likeness=self._likeness, least=self._least_likeness)
        outcome = writer.write(packet, prompt, recommendation.interest, [picture] if picture else [])
        row: dict[str, object] = {
            "user": recommendation.user,
            "item": self._knowledge.raw_id(recommendation.item),
            "rank": recommendation.rank,
            "score": recommendation.score,
            **asdict(outcome),
            "model": asker.name,
            "digest": asker.digest,
            "seconds": round(time.monotonic() - start, 3),
            "history": self._raw_ids(recommendation, len(packet.history)),
            "packet": asdict(packet),
            "prompt": prompt,
        }
        return row, outcome

    def _raw_ids(self, recommendation: Recommendation, count: int) -> list[str]:
        """Return the ids of the newest history items, those that a packet of so many shows, oldest first."""
        items = [item for item in recommendation.history if item != PAD]
        return [self._knowledge.raw_id(item) for item in items[len(items) - count :]]
