"""Parameters with a row per user or item: they grow with the data, and are carried to a model of other data by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mmrec.errors import UserError

Axis = Literal["users", "items"]


@dataclass(frozen=True)
class Rows:
    """What the rows of a parameter belong to.

    Args:
        axes: one kind of rows after the other; those of the items come last.
        new_item: (D,), the row of an item that the model was not trained on; None where no row belongs to an item.
    """

    axes: tuple[Axis, ...]
    new_item: Tensor | None = None


@dataclass(frozen=True)
class Places:
    """Where the users or the items of one dataset are in another.

    Args:
        row: (n,) int64, the other's row of each, -1 where it has none.
        total: number of rows of the other.
    """

    row: Tensor
    total: int

    @classmethod
    def of(cls, ids: Sequence[str], others: Sequence[str]) -> Places:
        """Find raw ids among those of the other dataset."""
        index = {raw: row for row, raw in enumerate(others)}
        return cls(torch.tensor([index.get(raw, -1) for raw in ids], dtype=torch.int64), len(others))


def append_rows(model: nn.Module, name: str, rows: Rows, count: int) -> None:
    """Append rows of new items to a parameter of a model.

    Args:
        model: the model.
        name: name of the parameter in it.
        rows: what the parameter's rows belong to; nothing is appended where none belongs to an item.
        count: number of new items.
    """
    if rows.new_item is None:
        return
    path, _, leaf = name.rpartition(".")
    owner, before = model.get_submodule(path), model.get_parameter(name)
    more = rows.new_item.detach().to(before).expand(count, -1)
    setattr(owner, leaf, nn.Parameter(torch.cat([before.detach(), more]), requires_grad=before.requires_grad))
    if isinstance(owner, nn.Embedding):
        owner.num_embeddings += count


def carry_over(
    source: nn.Module,
    target: nn.Module,
    rows: Mapping[str, Rows],
    places: Mapping[Axis, Places],
) -> None:
    """Load the parameters of a trained model into one of the same class for other users and items.

    Args:
        source: the trained model.
        target: the model to load into; the rows of users that the source lacks stay as they are.
        rows: the source's parameters with a row per user or item.
        places: where the rows of the target are in the source.

    Raises:
        UserError: a parameter is missing, or of another shape.
    """
    state, own = source.state_dict(), target.state_dict()
    for name in sorted(own.keys() ^ state.keys()):
        where = "the trained model" if name in own else "this one"
        raise UserError(f"{name} is missing in {where}: the two were made with different options")
    for name, value in own.items():
        old, per_row = state[name].to(value), name in rows
        if old.shape[per_row:] != value.shape[per_row:]:
            what = f"{name} has rows of width" if per_row else f"{name} is"
            raise UserError(
                f"{what} {_shape(old.shape[per_row:])} in the trained model and {_shape(value.shape[per_row:])} here"
            )
        if not per_row:
            value.copy_(old)
            continue
        first = start = 0
        for axis in rows[name].axes:
            place, new = places[axis].row, rows[name].new_item
            part = value[start : start + len(place)]
            part[place >= 0] = old[first:][place[place >= 0]]
            if axis == "items" and new is not None:
                part[place < 0] = new.to(value)
            first, start = first + places[axis].total, start + len(place)


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "a number"
