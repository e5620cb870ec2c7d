"""The arms: what the language model is shown, and what is done with its reply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmrec.explain.asker import Asker
from mmrec.explain.likeness import Likeness
from mmrec.explain.outcome import Explanation
from mmrec.explain.packet import Packet
from mmrec.explain.prompt import Prompt
from mmrec.explain.together import in_order
from mmrec.explain.verify import Verifier
from mmrec.explain.writer import Writer
from mmrec.utils.files import write_whole


@dataclass(frozen=True)
class Arm:
    """One way to explain.

    Args:
        title: in the table.
        asks: whether the language model is asked at all.
        facts: what it is shown: "own", "none" or, as a negative control, another pair's ("shuffled").
        verified: reject replies that do not hold; the template takes their place.
        corrected: ask for a rejected reply again before.
    """

    title: str
    asks: bool = True
    facts: str = "own"
    verified: bool = False
    corrected: bool = False


ARMS = {
    "template": Arm("template, no LLM", asks=False, verified=True),
    "no_facts": Arm("LLM without facts", facts="none"),
    "facts": Arm("LLM with facts"),
    "verified": Arm("LLM with facts, verified", verified=True),
    "corrected": Arm("LLM with facts, verified, corrected", verified=True, corrected=True),
    "shuffled": Arm("LLM with another item's facts", facts="shuffled"),
}
BASE = "facts"
"""What the other arms are compared with."""


def shown_packets(packets: Sequence[Packet], facts: str) -> list[Packet]:
    """Return what the model is shown of each packet."""
    if facts == "own":
        return list(packets)
    if facts == "none":
        return [
            replace(p, facts={}, keywords=[], visual=[], history=[replace(h, shared={}) for h in p.history])
            for p in packets
        ]
    others = [*packets[1:], *packets[:1]]
    return [
        replace(
            p, facts=other.facts, keywords=other.keywords, visual=other.visual,
            history=[replace(h, shared={}) for h in p.history],
        )
        for p, other in zip(packets, others, strict=True)
    ]  # fmt: skip


def write_arm(
    name: str,
    packets: Sequence[Packet],
    interests: Sequence[NDArray[np.float32] | None],
    prompt: Prompt,
    asker: Asker,
    verifier: Verifier,
    corrections: int = 1,
    likeness: Likeness | None = None,
    least: float | None = None,
) -> list[Explanation]:
    """Let an arm explain every packet; texts that the model does not give stay empty unless the arm is verified.

    Args:
        name: the arm's key in `ARMS`.
        packets: what is true.
        interests: u of each user.
        prompt: the template.
        asker: asks the model.
        verifier: judges the replies of verified arms.
        corrections: how often corrected arms ask again.
        likeness: compares each text with the user's interest.
        least: the threshold of verified arms.
    """
    arm = ARMS[name]
    writer = Writer(
        asker if arm.asks else Asker(None, None),
        verifier if arm.verified else None,
        corrections if arm.corrected else 0,
        arm.verified,
        likeness,
        least,
    )

    def write(packet: Packet, shown: Packet, interest: NDArray[np.float32] | None) -> Explanation:
        return writer.write(packet, prompt.render(prompt.fit(shown)), interest)

    return list(in_order(write, asker.concurrency, name, packets, shown_packets(packets, arm.facts), interests))


def save_texts(file: Path, written: Sequence[Explanation]) -> None:
    """Keep the texts of an arm, one JSON line each."""
    lines = (json.dumps(asdict(outcome), ensure_ascii=False) for outcome in written)
    write_whole(file, "".join(f"{line}\n" for line in lines))
