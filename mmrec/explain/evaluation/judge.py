"""A rule judge that reads a text against its evidence packet, independent of the verifier.

It shares no code with `mmrec.explain.verify` and uses neither statements nor grammar: it takes the packet and the
values of the catalogue, finds what a text names by patterns, and looks each up. A unit of the text is a quoted string,
a number with its unit, a value of the catalogue, a name with a capital, or a suspicious word (negation, superlative,
quantity, reported speech, instruction). It errs on the strict side: what it does not know is unsupported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mmrec.explain.packet import Packet

_QUOTED = re.compile('[“"«„]([^“”"»«]+)[”"»]')
_INFLUENCE = re.compile(
    r"Of (?:all|the last (?P<last>\d+) [a-z]+) that you [a-z]+, (?:“[^”]+”|[^“”.])* counts? most for this"
    "|(?:“[^”]+”|[^“”.])*(?:, which you [a-z]+,)? played (?:the largest|a large) part"
)
_NUMBER = re.compile(r"([$€£¥]\s?)?\d[\d.,]*\d|([$€£¥]\s?)?\d")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w’'-]*(?:\s+(?:of|the|and|de|van|von)?\s?[A-Z][\w’'-]*)*")
_SUSPICIOUS = re.compile(
    r"\b(not|never|no|none|nothing|without|neither|nor|cannot|\w+n[’']t|hardly|best|better|most(?! recently)|least"
    r"|worst|cheaper|newest|than|all|every|everyone|everybody|always|only|many|say|says|said|told|critics|experts|reviews?"
    r"|people|friends?|buy|click|visit|call|order|perfect|popular|prize|award|free|sale|guarantee[ds]?|cures?|https?|www)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Judgement:
    """What a judge found in one text.

    Args:
        units: things that the text says.
        supported: units that the packet has.
        wrong: the other units.
        shared: facts that the item shares with the history, and the items of the history.
        named: number of these that the text names.
    """

    units: int
    supported: int
    wrong: tuple[str, ...]
    shared: int
    named: int


class RuleJudge:
    """Judges texts of one catalogue.

    Args:
        values: values of facts in the catalogue, whatever their kind; those that a text names and the packet lacks are
            wrong.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        spelled = {" ".join(_words(value)) for value in values}
        self._values = {value for value in spelled if len(value) > 3 and not value.isdecimal()}
        self._longest = max((len(value.split()) for value in self._values), default=0)

    def __call__(self, text: str, packet: Packet) -> Judgement:
        """Return what a text says and how much of it the packet has."""
        known = _Known(packet)
        units = [(match[1], known.has(match[1])) for match in _QUOTED.finditer(text)]
        for match in _INFLUENCE.finditer(text):
            titles = _QUOTED.findall(match[0])
            holds = int(match["last"] or 0) == packet.measured
            units.append((match[0], holds and known.count_most(titles, "a large part" in match[0])))
        rest = _QUOTED.sub(" “” ", _INFLUENCE.sub("", text))
        units += [(match[0], known.has_number(match[0])) for match in _NUMBER.finditer(rest)]
        units += [(match[0], False) for match in _SUSPICIOUS.finditer(rest) if not known.has(match[0])]
        names = [part for match in _NAME.finditer(rest) for part in re.split(r"\s+and\s+", match[0])]
        units += [(name, known.has(name)) for name in names]
        units += [(value, known.has(value)) for value in self._named_values(rest)]
        wrong = tuple(unit for unit, holds in units if not holds)
        anchors = known.anchors
        spoken = f" {' '.join(_words(text))} "
        named = sum(any(f" {form} " in spoken for form in forms) for forms in anchors)
        return Judgement(len(units), len(units) - len(wrong), wrong, len(anchors), named)

    def _named_values(self, text: str) -> list[str]:
        words = _words(text)
        found: list[str] = []
        place = 0
        while place < len(words):
            for length in range(min(self._longest, len(words) - place), 0, -1):
                value = " ".join(words[place : place + length])
                if value in self._values:
                    found.append(value)
                    place += length - 1
                    break
            place += 1
        return found


class _Known:
    """The strings of a packet."""

    def __init__(self, packet: Packet) -> None:
        shared = [(n, v) for item in packet.history for n, values in item.shared.items() for v in values]
        own = [value for values in packet.facts.values() for value in values]
        titles = [packet.title, *(item.title for item in packet.history), *packet.neighbours]
        types = [item.type for item in packet.history if item.type]
        strings = [*titles, *types, *own, *packet.keywords, *packet.visual, *packet.facts]
        self._texts = [f" {' '.join(_words(string))} " for string in strings]
        self._words = {word for text in self._texts for word in text.split()}
        self._numbers = {_plain(match[0]) for string in strings for match in _NUMBER.finditer(string)}
        self._numbers |= {_plain(value) for value in own}
        self._influence = [_short(title) for title in packet.influence]
        self._counts = {str(count) for count in range(1, max(packet.history_size, len(packet.history)) + 1)}
        values = [{" ".join(_words(value))} for _, value in dict.fromkeys(shared)]
        self.anchors = [*values, *({_short(item.title)} for item in packet.history)]

    def has(self, string: str) -> bool:
        """Return whether the packet has a string, or all of its words next to each other in one of its strings."""
        words = _words(string)
        return not words or any(f" {' '.join(words)} " in text for text in self._texts) or self._words.issuperset(words)

    def count_most(self, titles: list[str], some: bool) -> bool:
        """Return whether titles are those of the most influential history items, the first one, or `some` of them."""
        named = [" ".join(_words(title)) for title in titles]
        if some:
            return bool(named) and set(named) <= set(self._influence)
        return bool(named) and (named == self._influence[:1] or sorted(named) == sorted(self._influence))

    def has_number(self, number: str) -> bool:
        """Return whether the packet has a number with the same currency, or it counts history items."""
        return _plain(number) in self._numbers or number in self._counts


def _short(title: str) -> str:
    """Return the words of a title without brackets and with its article in front."""
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]", "", title)
    turned = re.sub(r"^(.*), (The|A|An)$", r"\2 \1", bare)
    return " ".join(_words(turned))


def _plain(number: str) -> str:
    return re.sub(r"[\s,]", "", number).rstrip(".").removesuffix(".00")


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
