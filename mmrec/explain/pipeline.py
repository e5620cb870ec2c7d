"""From recommendations to checked explanations in a JSONL file (paper, section 3.5).

Each recommendation becomes an evidence packet and statements, a prompt (eq. 17), an answer of the language model and a
checked text (3.5.2). Every row says where its text came from and why it is not the model's first answer.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mmrec.errors import UserError
from mmrec.explain.asker import Asker
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import LLM
from mmrec.explain.outcome import Explanation, Summary
from mmrec.explain.packet import Recommendation, build_packet
from mmrec.explain.similarity import Similarity
from mmrec.explain.statements import evidence_of
from mmrec.explain.together import in_order
from mmrec.explain.writing.prompt import Prompt
from mmrec.explain.writing.writer import Question, Writer, WritingOptions
from mmrec.utils.files import replacing


class ExplanationPipeline:
    """Explains recommendations.

    Args:
        knowledge: facts of the dataset.
        llm: the language model; None to write from statements with the grammar alone.
        prompt_file: prompt template of the user's own, see `mmrec.explain.writing.prompt`.
        history_length: number of the most recent history items in a packet, at least 1.
        options: how explanations are written.
        similarity: compares a text with the user's interest; None to leave it out.
        cache: keep replies in `llm_cache/` next to the output file and use those found there, so that an interrupted
            run continues from them.

    Raises:
        UserError: an option is out of range or the prompt file is wrong.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        llm: LLM | None = None,
        *,
        prompt_file: Path | None = None,
        history_length: int = 8,
        options: WritingOptions | None = None,
        similarity: Similarity | None = None,
        cache: bool = True,
    ) -> None:
        self._options = options or WritingOptions()
        if history_length < 1 or self._options.corrections < 0:
            raise UserError(
                f"history_length={history_length}, corrections={self._options.corrections}: need at least 1 and 0"
            )
        self._knowledge = knowledge
        self._llm = llm
        self._prompt = Prompt(prompt_file, self._options.way)
        self._history_length = history_length
        self._similarity = similarity
        self._cache = cache

    def run(self, recommendations: Sequence[Recommendation], path: Path) -> Summary:
        """Explain each recommendation, as many at once as the model takes, and write one JSON line for each.

        The file appears under its name when it is complete. The time is bounded by the model's own limit times
        (1 + corrections) for each recommendation.

        Raises:
            UserError: an item is not in the dataset.
        """
        start = time.monotonic()
        path = Path(path)
        asker = Asker(self._llm, path.parent / "llm_cache" if self._cache else None)
        sources: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        explained = in_order(partial(self._explain, asker=asker), asker.concurrency, "explaining", recommendations)
        with (
            closing(explained),
            replacing(path) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            for row, outcome in explained:
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                sources[outcome.source] += 1
                if outcome.cause:
                    causes[outcome.cause] += 1
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
        packet = build_packet(recommendation, self._knowledge, self._history_length)
        evidence = evidence_of(recommendation, self._knowledge)
        image = self._knowledge.image(recommendation.item)
        question = Question(packet, evidence, recommendation.interest, [image] if image else [])
        writer = Writer(asker, self._prompt, self._options, self._similarity)
        outcome = writer.write(question)
        row: dict[str, object] = {
            "user": recommendation.user,
            "item": self._knowledge.raw_id(recommendation.item),
            "rank": recommendation.rank,
            "score": recommendation.score,
            "text": outcome.text,
            **asdict(outcome),
            "statements": [asdict(statement) for statement in evidence.statements],
            "writing": self._options.way if asker.name else "facts",
            "model": asker.name,
            "digest": asker.digest,
            "seconds": round(time.monotonic() - start, 3),
            "history": self._raw_ids(recommendation, len(packet.history)),
            "packet": asdict(packet),
            "prompt": writer.prompt_for(question) if asker.name else None,
        }
        return row, outcome

    def _raw_ids(self, recommendation: Recommendation, count: int) -> list[str]:
        """Return the ids of the newest `count` history items other than the recommended one, oldest first."""
        items = recommendation.others
        return [self._knowledge.raw_id(item) for item in items[len(items) - count :]]
