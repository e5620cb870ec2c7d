"""Raw ids of items and users, and the indices that a model knows them by."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from mmrec.batch import PAD
from mmrec.data.catalog import Catalog
from mmrec.data.sources.readers.ids import one_spelling
from mmrec.errors import InvalidArgument, UnknownItem


class Ids:
    """The raw ids of a catalogue, in the spelling that the sources give them.

    Args:
        catalog: the catalogue.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.raw: list[str] = catalog.item_table["raw_id"].to_list()
        self.index = {raw: index for index, raw in enumerate(self.raw) if index != PAD}

    def found(self, ids: Iterable[object], argument: str) -> list[int]:
        """Return the index of each raw id, PAD for those that are not in the catalogue.

        Raises:
            InvalidArgument: the ids are one text.
        """
        if isinstance(ids, str):
            raise InvalidArgument(argument, f"{argument} must be a list of item ids, but is the text {ids!r}")
        return [self.index.get(one_spelling(str(raw)), PAD) for raw in ids]

    def known(self, ids: Iterable[object], argument: str) -> tuple[int, ...]:
        """Return the indices of the raw ids that are in the catalogue; errors are those of `found`."""
        return tuple(index for index in self.found(ids, argument) if index != PAD)

    def item(self, raw: object, argument: str) -> int:
        """Return the index of a raw id.

        Raises:
            UnknownItem: it is not in the catalogue.
        """
        (index,) = self.found([raw], argument)
        if index == PAD:
            some = ", ".join(self.raw[1:4])
            raise UnknownItem(argument, f"{argument}: {raw!r} is not in the catalogue, whose ids look like {some}")
        return index

    def user(self, raw: object) -> int:
        """Return the index of a user of the dataset.

        Raises:
            InvalidArgument: the dataset has no such user.
        """
        index = self._users.get(one_spelling(str(raw)))
        if index is None:
            raise InvalidArgument("user", f"user {raw!r} is not among the {len(self._users)} users")
        return index

    @cached_property
    def _users(self) -> dict[str, int]:
        return {raw: index for index, raw in enumerate(self._catalog.user_ids)}
