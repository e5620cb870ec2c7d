"""What a packet states, in the form in which a text can be compared with it."""

from __future__ import annotations

from functools import cached_property

from mmrec.explain.linking.vocabulary import forms_of, is_colour, kind_of
from mmrec.explain.linking.words import Key, aliases, normal_form
from mmrec.explain.packet import Packet


class Known:
    """The strings of a packet by what they are.

    Args:
        packet: the evidence.
        generic: words so common in this catalogue's titles that a title may be written without them.
    """

    def __init__(self, packet: Packet, generic: frozenset[str] = frozenset()) -> None:
        self.packet = packet
        self._generic = generic
        self.values: dict[str, list[str]] = {}
        stated = (packet.facts, *(item.shared for item in packet.history))  # what is shared is true of the candidate
        for name, value in ((name, value) for facts in stated for name, values in facts.items() for value in values):
            of_kind = self.values.setdefault(kind_of(name), [])
            if value not in of_kind:
                of_kind.append(value)
        if colours := [word for word in packet.visual if is_colour(word)]:
            self.values.setdefault("colour", []).extend(colours)

    @cached_property
    def candidate(self) -> dict[str, set[Key]]:
        """Every way to write what is true of the candidate, by kind; its words without a kind under ""."""
        ways = {kind: {form for value in values for form in forms_of(value)} for kind, values in self.values.items()}
        names = [*self.packet.facts, *(name for item in self.packet.history for name in item.shared)]
        free = [*self.packet.keywords, *self.packet.visual, *names, *self.packet.signals]
        numbers = [str(value) for value in self.packet.signals.values()]
        free_forms = {form for string in (*free, *numbers) for form in forms_of(string)}
        ways[""] = ways.get("", set()) | free_forms | self.own_titles  # a fact's name may be of signs alone
        return ways

    @cached_property
    def own_titles(self) -> set[Key]:
        """Ways to write the candidate's title."""
        return title_forms(self.packet.title, self._generic)

    @cached_property
    def history_titles(self) -> set[Key]:
        """Ways to write the titles of the history and of the neighbours."""
        titles = [item.title for item in self.packet.history] + self.packet.neighbours
        return {form for title in titles for form in title_forms(title, self._generic)}

    @cached_property
    def themes(self) -> set[Key]:
        """Ways to write the theme words of the picture."""
        return {form for word in self.packet.visual for form in forms_of(word)}

    @cached_property
    def titles(self) -> set[Key]:
        """Ways to write any title of the packet."""
        return self.own_titles | self.history_titles

    @cached_property
    def strings(self) -> set[Key]:
        """Ways to write any string of the packet; shared facts are facts of the candidate."""
        return self.titles | {form for forms in self.candidate.values() for form in forms}

    @cached_property
    def words(self) -> set[str]:
        """Every word of the packet."""
        return {word for string in self.strings for word in string}

    @cached_property
    def own_words(self) -> set[str]:
        """Every word of what is true of the candidate."""
        return {word for forms in self.candidate.values() for form in forms for word in form}

    @cached_property
    def history_words(self) -> set[str]:
        """Every word of a title of the history, and the other ways to write it."""
        return {word for title in self.history_titles for word in title}


def title_forms(title: str, generic: frozenset[str] = frozenset()) -> set[Key]:
    """Return the ways to write a title, also without the words that most titles of the catalogue have."""
    forms = aliases(title)
    shorter = {tuple(word for word in form if word not in generic) for form in forms}
    return forms | {form for form in shorter if len(form) > 1}


def cited_known(cited: str, packet: Packet) -> bool:
    """Whether a cited title is one of the history or of the neighbours."""
    titles = [item.title for item in packet.history] + packet.neighbours
    return cited in titles or normal_form(cited) in {alias for title in titles for alias in aliases(title)}
