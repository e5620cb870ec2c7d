"""The linker's own rates on a sample: injected falsehoods must be caught, true statements must pass.

Each pair gives short statements made from its packet: true ones with the item's own values, and the same with another
value of the catalogue, for every kind of fact that the packet has. A year is moved by one to nine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mmrec.explain.linking.vocabulary import forms_of, kind_of
from mmrec.explain.packet import Packet
from mmrec.explain.verify import Verifier

FRAMES: tuple[Callable[[str, str, str], str], ...] = (
    lambda title, name, value: f"You may like it, since {value} is what you often choose.",
    lambda title, name, value: f"“{title}” is recommended because of its {name} {value}.",
    lambda title, name, value: f"It suits you: {value}, as the others were.",
)


@dataclass(frozen=True)
class Rates:
    """Of one kind of fact: statements and how many the linker judged rightly."""

    kind: str
    true: int
    passed: int
    false: int
    caught: int


def linker_rates(packets: Sequence[Packet], verifier: Verifier, seed: int = 0) -> list[Rates]:
    """Return the rates by kind of fact, and over all of them under "all"."""
    generator = np.random.default_rng(seed)
    pools: dict[str, list[str]] = {}
    for packet in packets:
        for name, values in packet.facts.items():
            pools.setdefault(kind_of(name), []).extend(values)
    counts: dict[str, list[int]] = {}
    for place, packet in enumerate(packets):
        for kind, name, value in _facts(packet):
            wrong = _another(kind, packet, pools[kind], generator)
            frame = partial(FRAMES[place % len(FRAMES)], packet.title, name)
            count = counts.setdefault(kind, [0, 0, 0, 0])
            count[0] += 1
            count[1] += verifier(frame(value), packet).ok
            if wrong is not None:
                count[2] += 1
                count[3] += not verifier(frame(wrong), packet).ok
    total = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0, 0]
    return [Rates(kind, *counts[kind]) for kind in sorted(counts)] + [Rates("all", *total)]


def _facts(packet: Packet) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and first value of each fact."""
    for name, values in packet.facts.items():
        yield kind_of(name), name, values[0]


def _another(kind: str, packet: Packet, pool: Sequence[str], generator: np.random.Generator) -> str | None:
    """Return a value of the catalogue that is false of this item in every way to write it."""
    own = [value for name, values in packet.facts.items() if kind_of(name) == kind for value in values]
    if kind == "year" and own[0].isdecimal():
        return str(int(own[0]) + int(generator.integers(1, 10)))
    true = {form for value in (*own, packet.title, *packet.keywords, *packet.visual) for form in forms_of(value)}
    words = {word for form in true for word in form}
    others = [v for v in pool if not forms_of(v) & true and not any(words.issuperset(f) for f in forms_of(v))]
    return str(generator.choice(others)) if others else None
