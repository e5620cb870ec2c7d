"""The evaluation's table: measures of each arm with intervals, and every arm against the plain language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmrec.explain.evaluation.arms import ARMS, BASE
from mmrec.explain.evaluation.measures import Measures, distinct, unique_sentences
from mmrec.explain.outcome import Explanation
from mmrec.metrics.significance import bootstrap_interval, holm, mcnemar

Interval = tuple[float, float]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class ArmResult:
    """The figures of one arm; rates are shares in [0, 1], intervals are of 95 % by bootstrap over the pairs.

    Args:
        arm: its key in `ARMS`.
        sources: texts by source.
        precision: entity precision, supported mentions over mentions; a failure counts as one unsupported mention.
        recall: anchors named over anchors.
        contradictions: contradicting mentions over mentions.
        off_packet: mentions off the packet over mentions.
        clean: texts that are there and pass verification.
        faithfulness: mean of `faithfulness.falls` over the texts that cite; None if none does.
        cites: texts that cite an item of the history.
        distinct1: different words over words.
        distinct2: different pairs of words over pairs.
        unique: different texts over texts.
        words: mean length.
        seconds: mean time of the model for a text, failures and corrections included.
        likeness: mean cosine of the texts and the users' interests; None where it was not looked at.
        fixed: of the rejected first replies, those that the model's correction made right; None without corrections.
        harmed: of the corrections, those that say more wrong things than the reply they replace.
    """

    arm: str
    sources: Mapping[str, int]
    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    contradictions: float
    off_packet: float
    off_packet_interval: Interval
    clean: float
    faithfulness: float | None
    faithfulness_interval: Interval | None
    cites: float
    distinct1: float
    distinct2: float
    unique: float
    words: float
    seconds: float
    likeness: float | None
    fixed: float | None = None
    harmed: float | None = None


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
            "| arm | precision | recall | contradicting | off packet | clean texts | faithfulness | cites | words "
            "| distinct-1 / -2 | unique | s a text | likeness | fixed / harmed | sources |"
        )
        rows = [
            f"| {ARMS[r.arm].title} | {_with(r.precision, r.precision_interval)} | "
            f"{_with(r.recall, r.recall_interval)} | {r.contradictions:.3f} | "
            f"{_with(r.off_packet, r.off_packet_interval)} | {r.clean:.3f} | "
            f"{_with(r.faithfulness, r.faithfulness_interval)} | {r.cites:.2f} | {r.words:.0f} | "
            f"{r.distinct1:.2f} / {r.distinct2:.2f} | {r.unique:.2f} | {r.seconds:.1f} | {_number(r.likeness, 2)} | "
            f"{_number(r.fixed, 2)} / {_number(r.harmed, 2)} | "
            f"{', '.join(f'{n} {name}' for name, n in sorted(r.sources.items()))} |"
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
    arm: str, written: Sequence[Explanation], measures: Sequence[Measures], falls: Sequence[float],
    drafts: Sequence[Sequence[Measures]],
) -> ArmResult:  # fmt: skip
    """Put the figures of one arm together.

    Args:
        arm: its key.
        written: its texts.
        measures: of each text.
        falls: faithfulness of each text, NaN where it cites nothing.
        drafts: measures of each text's rejected drafts.
    """
    count = len(written)
    texts = [w.text for w in written]
    total = sum(m.mentions for m in measures)
    fall = np.array(falls)
    cites = ~np.isnan(fall)
    near = [w.likeness for w in written if w.likeness is not None]
    sources: dict[str, int] = {}
    for w in written:
        sources[w.source] = sources.get(w.source, 0) + 1
    fixed, harmed = _corrections(arm, written, measures, drafts)

    def mean_fall(index: Index) -> float:
        some = fall[index][cites[index]]
        return float(some.mean()) if len(some) else float("nan")

    everything = np.arange(count)
    return ArmResult(
        arm=arm,
        sources=sources,
        precision=_ratio(measures, "supported", "mentions", everything),
        precision_interval=bootstrap_interval(lambda i: _ratio(measures, "supported", "mentions", i), count),
        recall=_ratio(measures, "named", "anchors", everything),
        recall_interval=bootstrap_interval(lambda i: _ratio(measures, "named", "anchors", i), count),
        contradictions=sum(m.contradictions for m in measures) / total if total else 0.0,
        off_packet=_ratio(measures, "off_packet", "mentions", everything),
        off_packet_interval=bootstrap_interval(lambda i: _ratio(measures, "off_packet", "mentions", i), count),
        clean=sum(m.clean for m in measures) / count,
        faithfulness=mean_fall(everything) if cites.any() else None,
        faithfulness_interval=bootstrap_interval(mean_fall, count) if cites.any() else None,
        cites=float(cites.mean()),
        distinct1=distinct(texts, 1),
        distinct2=distinct(texts, 2),
        unique=unique_sentences(texts),
        words=sum(m.words for m in measures) / count,
        seconds=sum(w.model_seconds for w in written) / count,
        likeness=sum(near) / len(near) if near else None,
        fixed=fixed,
        harmed=harmed,
    )


def compare(measures: Mapping[str, Sequence[Measures]]) -> list[Comparison]:
    """Compare every arm with `BASE`; nothing where it was not run."""
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
        for top, bottom in (("supported", "mentions"), ("named", "anchors")):

            def difference(i: Index, arm: str = arm, top: str = top, bottom: str = bottom) -> float:
                return _ratio(measures[arm], top, bottom, i) - _ratio(base, top, bottom, i)

            figures.append((difference(everything), bootstrap_interval(difference, count)))
        clean = sum(m.clean for m in measures[arm]) / count - sum(m.clean for m in base) / count
        found.append(Comparison(arm, *figures[0], *figures[1], clean, p, adjusted))
    return found


def _corrections(
    arm: str, written: Sequence[Explanation], measures: Sequence[Measures], drafts: Sequence[Sequence[Measures]]
) -> tuple[float | None, float | None]:
    """Return fix rate and harm rate: of rejected first replies, and of the replies that came instead."""
    if not ARMS[arm].corrected:
        return None, None
    rejected = [place for place, of_text in enumerate(drafts) if of_text]
    if not rejected:
        return None, None
    fixed = [written[place].source == "corrected" for place in rejected]
    pairs = []
    for place in rejected:
        later = [*drafts[place][1:], *([measures[place]] if written[place].source == "corrected" else [])]
        pairs += [(_wrong(drafts[place][0]), _wrong(after)) for after in later]
    return sum(fixed) / len(rejected), sum(b > a for a, b in pairs) / len(pairs) if pairs else None


def _wrong(measures: Measures) -> int:
    return measures.mentions - measures.supported


def _ratio(measures: Sequence[Measures], top: str, bottom: str, index: Index) -> float:
    """Return a ratio of sums over some texts; NaN where there is nothing to divide by."""
    below = sum(getattr(measures[i], bottom) for i in index)
    return sum(getattr(measures[i], top) for i in index) / below if below else float("nan")


def _with(value: float | None, interval: Interval | None) -> str:
    return "-" if value is None or interval is None else f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
