"""Fixed text and image features of the items, as buffers of a model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.data.features import Features
from mmrec.errors import UserError


class ItemFeatures(nn.Module):
    """The rows of each modality, centred and scaled to length 1 as in `ItemEncoder`; zero where an item has none.

    Args:
        n_items: I, padding included.
        text_dim: width of the text features; ignored unless `text`.
        image_dim: width of the image features; ignored unless `image`.
        text: use the text.
        image: use the image.

    Attributes:
        modalities: those in use, "text" before "image".

    Raises:
        UserError: no modality is on, or the data has no features for one that is.
    """

    def __init__(self, n_items: int, text_dim: int, image_dim: int, text: bool, image: bool) -> None:
        super().__init__()
        widths = {"text": text_dim if text else None, "image": image_dim if image else None}
        self.modalities: Sequence[str] = [name for name, width in widths.items() if width is not None]
        if not self.modalities:
            raise UserError("the model is made for item features: set model.init_args.text or image to true")
        for name, other in (("text", "image"), ("image", "text")):
            if name not in self.modalities:
                continue
            if not widths[name]:
                instead = "" if other in self.modalities else f" and {other}: true if the items have one"
                raise UserError(
                    f"the model wants {name} features but the data has none (no data.encoder makes them, or no item "
                    f"has any {name}): set model.init_args.{name}: false{instead}"
                )
            self.register_buffer(name, torch.zeros(n_items, widths[name] or 0), persistent=False)

    def attach(self, features: Features) -> None:
        """Take the rows of the modalities in use.

        Raises:
            UserError: no item has a modality.
        """
        for name in self.modalities:
            present = torch.tensor(getattr(features, f"{name}_present"))
            if not present.any():
                raise UserError(f"no item of the data has a {name}: set model.init_args.{name}: false")
            rows = torch.tensor(getattr(features, name)).float()
            if present.sum() > 1:  # one item alone has no mean to differ from
                rows = rows - rows[present].mean(dim=0)
            rows = F.normalize(rows, dim=1).masked_fill(~present[:, None], 0.0)
            setattr(self, name, rows.to(self.get_buffer(name).device))

    def rows(self, name: str) -> Tensor:
        """Return one modality, (I, T) or (I, M) float32."""
        return self.get_buffer(name)

    @property
    def width(self) -> int:
        """F, the width of all modalities side by side."""
        return sum(self.rows(name).shape[1] for name in self.modalities)

    def forward(self, items: Tensor) -> Tensor:
        """Return the modalities of some items (n,) side by side, (n, F) float32."""
        return torch.cat([F.embedding(items, self.rows(name)) for name in self.modalities], dim=1)
