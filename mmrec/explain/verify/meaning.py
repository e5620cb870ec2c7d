"""What phrases mean, and whether the statements entail it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mmrec.explain.verify.lexicon import Lexicon, Value

Mark = tuple[int, int, str]
"""First token, token after the last, id of the statement that these words rest on."""


@dataclass(frozen=True)
class Sort:
    """The noun of a kind of fact.

    Args:
        kinds: the kinds it can mean.
        every: whether all facts of these kinds are meant ("its genres"), not one of them.
        apart: whether each item may have another one ("each shares a genre with it").
    """

    kinds: frozenset[str]
    every: bool = False
    apart: bool = False


@dataclass(frozen=True)
class Amount:
    """How many history items are meant.

    Args:
        least: smallest number.
        most: largest number; None for any.
    """

    least: int
    most: int | None = None


@dataclass(frozen=True)
class Ref:
    """What a noun phrase refers to.

    Args:
        own: whether the recommended item is among it.
        titles: titles of the history items among it.
        values: facts that the phrase itself says of all of them ("this crime film").
        marks: words with their statements.
        more: number of further history items that are not named ("and 3 more").
    """

    own: bool = False
    titles: frozenset[str] = frozenset()
    values: tuple[Value, ...] = ()
    marks: tuple[Mark, ...] = ()
    more: int = 0

    def __or__(self, other: Ref) -> Ref:
        return Ref(
            self.own or other.own, self.titles | other.titles, self.values + other.values, self.marks + other.marks,
            self.more + other.more,
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of items."""
        return self.own + len(self.titles) + self.more


@dataclass(frozen=True)
class Said:
    """What a phrase says of what it belongs to.

    Args:
        values: facts that it has.
        same: (noun, reference): it has a fact of this kind in common with the reference.
        like: references that it is said to be similar to.
        marks: words with their statements, those of all parts.
        besides: further parts, which hold on their own.
    """

    values: tuple[Value, ...] = ()
    same: tuple[tuple[Sort, Ref], ...] = ()
    like: tuple[Ref, ...] = ()
    marks: tuple[Mark, ...] = ()
    besides: tuple[Said, ...] = ()

    def __or__(self, other: Said) -> Said:
        return Said(
            self.values + other.values, self.same + other.same, self.like + other.like, self.marks + other.marks,
            self.besides + other.besides,
        )  # fmt: skip

    def with_object(self, ref: Ref) -> Said:
        """Return it with a reference for what is shared with nothing: "which shares its genre" (with this film)."""
        return replace(self, same=tuple((sort, other if other.size else ref) for sort, other in self.same))

    def and_then(self, other: Said) -> Said:
        """Return both; a comparison at the end of one part does not apply to the other part."""
        if not (self.like or self.same or other.like or other.same):
            return self | other
        return replace(self, marks=self.marks + other.marks, besides=(*self.besides, other))

    @property
    def all_values(self) -> tuple[Value, ...]:
        """All facts that are said, of all parts."""
        return self.values + tuple(value for part in self.besides for value in part.all_values)

    @property
    def refs(self) -> Ref:
        """Everything it refers to."""
        found = Ref()
        for ref in (*(ref for _, ref in self.same), *self.like):
            found |= ref
        return found


@dataclass(frozen=True)
class Clause:
    """A clause whose claims hold.

    Args:
        marks: words with their statements.
        said: what it says of its subject, for "and so is ...".
        about: its subject.
        offers: whether it only offers the item ("you may like it"), so that a reason may be given.
        parts: (place, clause) of the independent clauses it is made of.
    """

    marks: tuple[Mark, ...] = ()
    said: Said = field(default_factory=Said)
    about: Ref = field(default_factory=Ref)
    offers: bool = False
    parts: tuple[tuple[int, Clause], ...] = ()

    def __or__(self, other: Clause) -> Clause:
        said = other.said if other.said.values else self.said
        offers, parts = self.offers or other.offers, self.parts + other.parts
        return Clause(self.marks + other.marks, said, other.about, offers, parts)


def holds_of(ref: Ref, said: Said, lexicon: Lexicon) -> bool:
    """Return whether the statements entail what is said of the items of a reference."""
    if ref.size == 0 or (ref.own and any(other.own for other in said.like)):  # nothing is like itself
        return False
    values = {*said.values, *ref.values}
    if not all(has(lexicon, value, ref) for value in values):
        return False
    if len(values) > 1 and any(other.more for other in (ref, *said.like)):
        return False  # items that are only counted have one of the facts, perhaps not the others
    if not all(shares(lexicon, sort, ref | other) for sort, other in said.same):
        return False
    for other in said.like:
        target = ref | other
        if said.values:
            if not all(has(lexicon, value, other) for value in said.values):
                return False
        elif said.same:
            if not all(shares(lexicon, sort, target | third) for sort, third in said.same):
                return False
        elif not similar(lexicon, target):
            return False
    return all(holds_of(ref, part, lexicon) for part in said.besides)


def has(lexicon: Lexicon, value: Value, ref: Ref) -> bool:
    """Return whether all items of a reference have a fact. The recommended item has all facts of the lexicon."""
    if not ref.titles <= lexicon.owners[value]:
        return False
    return not ref.more or lexicon.counts[value] == len(ref.titles) + ref.more


def shares(lexicon: Lexicon, sort: Sort, ref: Ref) -> bool:
    """Return whether the recommended item has a fact of a kind in common with the history items of a reference."""
    if not ref.own or not ref.titles or ref.more:
        return False
    if sort.apart:
        return all(shares(lexicon, replace(sort, apart=False), replace(ref, titles=frozenset({t}))) for t in ref.titles)
    owners = [owners for value, owners in lexicon.owners.items() if value.kind in sort.kinds]
    return bool(owners) and (all if sort.every else any)(ref.titles <= titles for titles in owners)


def similar(lexicon: Lexicon, ref: Ref) -> bool:
    """Return whether each history item of a reference is close to the recommended item or shares a rare fact."""
    if not ref.own or not ref.titles or ref.more:
        return False
    return all(title in lexicon.close or title in lexicon.akin for title in ref.titles)


def common_owners(lexicon: Lexicon, values: Iterable[Value]) -> frozenset[str]:
    """Return the history items that have all of some facts; all history items for no facts."""
    found = frozenset(lexicon.history)
    for value in values:
        found &= lexicon.owners[value]
    return found


def with_like(said: Said, ref: Ref) -> Said:
    """Return what is said, with a further item that it is said to hold of ("like Night Train")."""
    return replace(said, like=(*said.like, ref), marks=said.marks + ref.marks)
