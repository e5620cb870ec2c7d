"""Fixed text and image features of the items, held as buffers of a model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.data.features.encoders.base import MODALITIES, Modality
from mmrec.data.features.store import Features
from mmrec.data.features.transforms import Centring, fit_centring
from mmrec.errors import InvalidArgument


class ItemFeatures(nn.Module):
    """The feature rows of each modality in use, centred and scaled to length 1; zero where an item has no feature.

    Pretrained encoders map everything into a narrow cone: text vectors of one catalogue often have a mean cosine above
    .8. What all items share does not distinguish any of them, so the mean over the items that have the modality is
    subtracted before the rows are scaled. A trained model keeps that mean with its transforms.

    Args:
        n_items: I, padding included.
        text_dim: T, width of the text features; ignored unless `text` is true.
        image_dim: M, width of the image features; ignored unless `image` is true.
        text: whether to use text.
        image: whether to use images.

    Attributes:
        modalities: names of the modalities in use, "text" before "image".

    Raises:
        InvalidArgument: the data has no features for a modality that is in use.
    """

    def __init__(self, n_items: int, *, text_dim: int, image_dim: int, text: bool, image: bool) -> None:
        super().__init__()
        widths: dict[Modality, int | None] = {
            "text": text_dim if text else None,
            "image": image_dim if image else None,
        }
        self.modalities = [name for name in MODALITIES if widths[name] is not None]
        for name, width in widths.items():
            if width == 0:
                raise InvalidArgument(
                    name,
                    f"{name} is true, but the data has no {name} features (the encoder makes none, or no item has "
                    f"any {name}): choose an encoder that makes them, another model, or {name}: false if the model has "
                    "another input",
                )
            self.register_buffer(name, torch.zeros(n_items, width or 0), persistent=False)
            self.register_buffer(f"{name}_present", torch.zeros(n_items, dtype=torch.bool), persistent=False)
            self.register_buffer(f"{name}_mean", torch.zeros(width or 0), persistent=False)

    def attach(self, features: Features | None) -> None:
        """Take the rows of the modalities in use, centred by the transforms of the features if they have any.

        Args:
            features: the features; None if no modality is in use.
        """
        if features is None:
            return
        kept = features.transforms
        for name in self.modalities:
            vectors, present = getattr(features, name), getattr(features, f"{name}_present")
            centring = fit_centring(vectors, present) if kept is None else kept.modalities[name].centring
            device = self.rows(name).device
            setattr(self, f"{name}_mean", centring.mean.to(device))
            setattr(self, f"{name}_present", torch.tensor(present).to(device))
            rows = self.scaled(name, torch.tensor(vectors).to(device))
            setattr(self, name, rows.masked_fill(~self.present(name)[:, None], 0.0))

    def forward(self, items: Tensor | None = None) -> Tensor:
        """Return the modalities of some items (n,), or of all items, concatenated, (n, F) float32."""
        rows = [self.rows(name) if items is None else F.embedding(items, self.rows(name)) for name in self.modalities]
        return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)

    def rows(self, name: str) -> Tensor:
        """Return the rows of one modality, (I, T) or (I, M) float32."""
        return self.get_buffer(name)

    def present(self, name: str) -> Tensor:
        """Return which items have one modality, (I,) bool; all False if it is not in use."""
        return self.get_buffer(f"{name}_present")

    def scaled(self, name: str, vectors: Tensor) -> Tensor:
        """Return an encoder's vectors (n, T) or (n, M), centred and scaled as the rows of the items are."""
        return Centring(self.get_buffer(f"{name}_mean")).apply(vectors)

    @property
    def n_items(self) -> int:
        """I, padding included."""
        return len(self.present("text"))

    @property
    def width(self) -> int:
        """F, the total width of the modalities in use."""
        return sum(self.rows(name).shape[1] for name in self.modalities)
