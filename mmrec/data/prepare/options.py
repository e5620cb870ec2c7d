"""The options of the preparation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mmrec.data.prepare.split import SplitRule
from mmrec.errors import InvalidArgument, require, require_choice

Repeats = Literal["first", "all"]


@dataclass(frozen=True)
class PrepareOptions:
    """Filters, in the order in which they are applied, and the split; the defaults are the paper's.

    Args:
        min_rating: drop interactions rated lower, or not rated.
        min_weight: drop interactions of lower weight (pieces, plays, minutes), or of unknown weight.
        since: drop interactions before this time: an ISO date or time (UTC unless it names a zone), or epoch seconds.
        until: drop interactions at this time and after.
        sample_users: keep this many users, drawn uniformly.
        sample_seed: seed of that draw.
        require_text: drop items without text.
        repeats: whether of repeated user-item pairs the first event is kept, or all are.
        require_image: drop items without a readable image.
        user_core: number of interactions a user must have.
        item_core: number of interactions an item must have.
        iterate_core: repeat both filters until nothing changes (a k-core); false applies them once.
        newest: keep this many of each user's newest interactions, after the core: a sparse protocol on any data.
        split: rule by which interactions are held out, see `split_interactions`.
        hold_out_items: share of the items that lose all their training interactions, at least one item where it is not
            0, see `mmrec.data.prepare.held_out`; a user without any other interaction is dropped.
        max_bad_share: share of bad rows, and of bad images, above which preparation stops.

    Raises:
        InvalidArgument: a value is outside its range, is not one of the choices, or is not a time.
    """

    min_rating: float | None = None
    min_weight: float | None = None
    since: str | int | None = None
    until: str | int | None = None
    sample_users: int | None = None
    sample_seed: int = 0
    require_text: bool = True
    repeats: Repeats = "first"
    require_image: bool = True
    user_core: int = 5
    item_core: int = 20
    iterate_core: bool = True
    newest: int | None = None
    split: SplitRule = "ratio"
    hold_out_items: float = 0.0
    max_bad_share: float = 0.01

    def __post_init__(self) -> None:
        require_choice("repeats", self.repeats, Repeats)
        require_choice("split", self.split, SplitRule)
        for name in ("user_core", "item_core"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("sample_users", "newest"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "at least 1")
        require(self.sample_seed >= 0, "sample_seed", self.sample_seed, "at least 0")
        require(0 <= self.hold_out_items < 1, "hold_out_items", self.hold_out_items, "at least 0 and below 1")
        require(0 <= self.max_bad_share <= 1, "max_bad_share", self.max_bad_share, "a share of 0 to 1")
        since, until = self.period()
        if since is not None and until is not None and since >= until:
            raise InvalidArgument("since", f"since ({self.since}) must be before until ({self.until})")

    def period(self) -> tuple[int | None, int | None]:
        """Return `since` and `until` in seconds."""
        return _seconds("since", self.since), _seconds("until", self.until)


def _seconds(name: str, value: str | int | None) -> int | None:
    if value is None:
        return None
    text = str(value).strip()  # YAML reads 20180401 as a number, and it is the same date without its quotes
    if text.isdecimal() and len(text) > 8:  # eight digits are an ISO date; fewer may be a year, and seconds of 1970
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        words = "must be a date (2018-04-01) or seconds of 9 digits and more"
        raise InvalidArgument(name, f"{name} {words}, but is {value!r}") from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
