"""The evaluation's table: measures of each arm with intervals, and every arm against the free language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmrec.explain.evaluation.arms import ARMS, BASE
from mmrec.explain.evaluation.measures import Measures, distinct, same_text_share
from mmrec.explain.outcome import Explanation
from mmrec.metrics.significance import bootstrap_interval, holm, mcnemar

Interval = tuple[float, float]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class ArmResult:
    """The figures of one arm; rates are shares in [0, 1], intervals are of 95 % by bootstrap over the pairs.

    Args:
        arm: key of the arm in `ARMS`.
        sources: number of texts by source.
        precision: supported units over units, by the rule judge; a failure counts as one unsupported unit.
        recall: facts shared with the history and history items that are named, over all of them.
        entailed: sentences that the verifier accepts, over sentences.
        clean: share of texts in which the judge finds nothing wrong.
        coverage: mean share of the shown history that a text rests on.
        faithfulness: mean of `faithfulness.falls` over the texts that cite; None if none does.
        cites: share of texts that cite an item of the history.
        distinct1: different words over words.
        distinct2: different pairs of words over pairs.
        same: share of texts that another user gets too.
        words: mean length.
        ease: mean Flesch reading ease.
        seconds: mean time of the model for a text, failures and corrections included.
        similarity: mean cosine of the texts and the users' interests; None where it was not computed.
        valid: share of pairs in which the model's first answer could be used.
        fixed: share of the rejected texts that a correction put right; None without corrections.
    """

    arm: str
    sources: Mapping[str, int]
    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    entailed: float
    clean: float
    coverage: float
    faithfulness: float | None
    faithfulness_interval: Interval | None
    cites: float
    distinct1: float
    distinct2: float
    same: float
    words: float
    ease: float
    seconds: float
    similarity: float | None
    valid: float
    fixed: float | None = None


@dataclass(frozen=True)
class Comparison:
    """An arm against `BASE`: difference of precision and recall (paired bootstrap), of clean texts (McNemar, Holm)."""

    arm: str
    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    clean: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class Report:
    """Everything that was measured."""

    arms: Sequence[ArmResult]
    comparisons: Sequence[Comparison]
    about: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return JSON values."""
        return asdict(self)

    def markdown(self) -> str:
        """Return the tables."""
        head = (
            "| arm | precision | recall | entailed sentences | clean texts | history covered | faithfulness | cites "
            "| words | reading ease | distinct-1 / -2 | same text | s per text | similarity | usable | sources |"
        )
        rows = [
            f"| {ARMS[r.arm].title} | {_with(r.precision, r.precision_interval)} | "
            f"{_with(r.recall, r.recall_interval)} | {r.entailed:.3f} | {r.clean:.3f} | {r.coverage:.2f} | "
            f"{_with(r.faithfulness, r.faithfulness_interval)} | {r.cites:.2f} | {r.words:.0f} | {r.ease:.0f} | "
            f"{r.distinct1:.2f} / {r.distinct2:.2f} | {r.same:.2f} | {r.seconds:.1f} | {_number(r.similarity)} | "
            f"{r.valid:.2f} | {', '.join(f'{n} {name}' for name, n in sorted(r.sources.items()))} |"
            for r in self.arms
        ]
        lines = [head, "|" + "---|" * (head.count("|") - 1), *rows]
        if not self.comparisons:
            return "\n".join(lines) + "\n"
        lines += [
            "",
            f"Against {ARMS[BASE].title} (differences; 95 % intervals by paired bootstrap; McNemar's test on clean "
            "texts, Holm over the rows):",
            "",
            "| arm | precision | recall | clean texts | p | p (Holm) |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {ARMS[c.arm].title} | {_with(c.precision, c.precision_interval)} | "
            f"{_with(c.recall, c.recall_interval)} | {c.clean:+.3f} | {c.p:.2g} | {c.p_holm:.2g} |"
            for c in self.comparisons
        ]
        return "\n".join(lines) + "\n"


def arm_result(
    arm: str, written: Sequence[Explanation], measures: Sequence[Measures], falls: Sequence[float]
) -> ArmResult:
    """Return the figures of one arm.

    Args:
        arm: key of the arm.
        written: the texts of the arm.
        measures: measures of each text.
        falls: faithfulness of each text, NaN where it cites nothing.
    """
    count = len(written)
    texts = [w.text for w in written]
    fall = np.array(falls)
    cites = ~np.isnan(fall)
    near = [w.similarity for w in written if w.similarity is not None]
    sources: dict[str, int] = {}
    for w in written:
        sources[w.source] = sources.get(w.source, 0) + 1
    rejected = [w for w in written if w.drafts]
    there = [m for m in measures if not m.failed]

    def mean_fall(index: Index) -> float:
        some = fall[index][cites[index]]
        return float(some.mean()) if len(some) else float("nan")

    everything = np.arange(count)
    return ArmResult(
        arm=arm,
        sources=sources,
        precision=_ratio(measures, "supported", "units", everything),
        precision_interval=bootstrap_interval(lambda i: _ratio(measures, "supported", "units", i), count),
        recall=_ratio(measures, "named", "anchors", everything),
        recall_interval=bootstrap_interval(lambda i: _ratio(measures, "named", "anchors", i), count),
        entailed=_ratio(measures, "entailed", "sentences", everything),
        clean=sum(m.clean for m in measures) / count,
        coverage=_ratio(measures, "cited", "history", everything),
        faithfulness=mean_fall(everything) if cites.any() else None,
        faithfulness_interval=bootstrap_interval(mean_fall, count) if cites.any() else None,
        cites=float(cites.mean()),
        distinct1=distinct(texts, 1),
        distinct2=distinct(texts, 2),
        same=same_text_share(texts),
        words=sum(m.words for m in measures) / count,
        ease=sum(m.ease for m in there) / len(there) if there else float("nan"),
        seconds=sum(w.model_seconds for w in written) / count,
        similarity=sum(near) / len(near) if near else None,
        valid=sum(w.source == "llm" for w in written) / count,
        fixed=_fixed(rejected) if ARMS[arm].corrected else None,
    )


def compare(measures: Mapping[str, Sequence[Measures]]) -> list[Comparison]:
    """Compare every arm with `BASE`; nothing where `BASE` was not run."""
    if BASE not in measures:
        return []
    base = measures[BASE]
    count = len(base)
    everything = np.arange(count)
    others = [arm for arm in measures if arm != BASE]
    p_values = [mcnemar([m.clean for m in base], [m.clean for m in measures[arm]]) for arm in others]
    found = []
    for arm, p, adjusted in zip(others, p_values, holm(p_values), strict=True):
        figures: list[tuple[float, Interval]] = []
        for top, bottom in (("supported", "units"), ("named", "anchors")):

            def difference(i: Index, arm: str = arm, top: str = top, bottom: str = bottom) -> float:
                return _ratio(measures[arm], top, bottom, i) - _ratio(base, top, bottom, i)

            figures.append((difference(everything), bootstrap_interval(difference, count)))
        clean = sum(m.clean for m in measures[arm]) / count - sum(m.clean for m in base) / count
        found.append(Comparison(arm, *figures[0], *figures[1], clean, p, adjusted))
    return found


def _fixed(rejected: Sequence[Explanation]) -> float | None:
    """Return the share of rejected first texts in whose place the model's own words came."""
    return sum(w.source == "corrected" for w in rejected) / len(rejected) if rejected else None


def _ratio(measures: Sequence[Measures], top: str, bottom: str, index: Index) -> float:
    """Return a ratio of sums over some texts; NaN if the lower sum is 0."""
    below = sum(getattr(measures[i], bottom) for i in index)
    return sum(getattr(measures[i], top) for i in index) / below if below else float("nan")


def _with(value: float | None, interval: Interval | None) -> str:
    return "-" if value is None or interval is None else f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
