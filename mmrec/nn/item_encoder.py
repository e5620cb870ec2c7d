r"""Multimodal item representation (paper, section 3.1, eq. 1-3).

    v̂_t = W_t v_t,  v̂_m = W_m v_m                                  (2)
    e = α v̂_t + (1 - α) v̂_m                                        (3)

The encoders of eq. 1 run before training (`mmrec.data.features.store`). Their outputs v_t and v_m are fixed matrices,
which `ItemFeatures` centres and scales to length 1; the paper does not give their scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.data.features.store import Features
from mmrec.errors import InvalidArgument
from mmrec.nn.item_features import ItemFeatures

INIT_STD = 0.02  # standard deviation of ids and of projections that start at random


@dataclass(frozen=True, kw_only=True)
class ItemInputs:
    """What an item vector is made from.

    Args:
        text_dim: T, width of the text features; ignored unless `text` is true.
        image_dim: M, width of the image features; ignored unless `image` is true.
        text: whether to use text.
        image: whether to use images.
        item_id: whether to use learned id vectors.
        features_first: whether training starts at the features instead of the ids; needs both.

    Raises:
        InvalidArgument: text, image and item_id are all false, or `features_first` lacks ids or features.
    """

    text_dim: int = 0
    image_dim: int = 0
    text: bool = False
    image: bool = False
    item_id: bool = False
    features_first: bool = False

    def __post_init__(self) -> None:
        if not (self.text or self.image or self.item_id):
            raise InvalidArgument("item_id", "item_id, text and image are all false: set at least one of them to true")
        if self.features_first and not (self.item_id and (self.text or self.image)):
            raise InvalidArgument(
                "features_first",
                "features_first needs item_id and one of text and image: set these to true, or features_first to false",
            )


class ItemVectors(NamedTuple):
    """The vectors of all items; those of a modality that is not in use are None.

    Args:
        fused: (I, D), e of eq. 3, zero at PAD.
        text: (I, D), v̂_t of eq. 2.
        image: (I, D), v̂_m of eq. 2.
    """

    fused: Tensor
    text: Tensor | None
    image: Tensor | None


class ItemEncoder(nn.Module):
    r"""Fuses text features, image features and learned ids into one vector per item.

    α is 1 for an item without an image (the paper's rule) and 0 for an item without a text; an item with neither has a
    zero feature part. A sigmoid keeps α in (0, 1).

    With `item_id` a learned id vector is added, and each feature is multiplied by a gate that starts at zero,
    e = E_id + γ_t v̂_t + γ_m v̂_m, so that training starts at the plain id model. The paper has no id vector; tables list
    this form separately. With `features_first` the gates start at one, the ids near zero, and each projection takes the
    first D numbers of a feature, its leading principal components if it is whitened: training starts at the features
    alone, and an id learns what they miss.

    Args:
        n_items: I, padding included.
        dim: D.
        inputs: what an item vector is made from.

    Raises:
        InvalidArgument: the data has no features for a modality that is in use.
    """

    def __init__(self, n_items: int, dim: int, inputs: ItemInputs) -> None:
        super().__init__()
        text, image, item_id, features_first = inputs.text, inputs.image, inputs.item_id, inputs.features_first
        self.features = ItemFeatures(
            n_items, text_dim=inputs.text_dim, image_dim=inputs.image_dim, text=text, image=image
        )
        self.features_first = features_first
        self.id = nn.Embedding(n_items, dim) if item_id else None
        self.text_projection = nn.Linear(inputs.text_dim, dim, bias=False) if text else None
        self.image_projection = nn.Linear(inputs.image_dim, dim, bias=False) if image else None
        self.alpha_logit = nn.Parameter(torch.zeros(())) if text and image and not item_id else None
        self.text_gate = nn.Parameter(torch.zeros(())) if text and item_id else None
        self.image_gate = nn.Parameter(torch.zeros(())) if image and item_id else None
        for module in (self.text_projection, self.image_projection):
            if module is not None and features_first:
                nn.init.eye_(module.weight)
            elif module is not None:
                nn.init.normal_(module.weight, std=INIT_STD)
        if self.id is not None:
            nn.init.normal_(self.id.weight, std=INIT_STD / 10 if features_first else INIT_STD)
        for gate in (self.text_gate, self.image_gate) if features_first else ():
            if gate is not None:
                nn.init.ones_(gate)

    def attach(self, features: Features | None) -> None:
        """Take the features of the modalities in use."""
        self.features.attach(features)

    def forward(self) -> ItemVectors:
        """Encode all items."""
        text = None if self.text_projection is None else self.text_projection(self.features.rows("text"))
        image = None if self.image_projection is None else self.image_projection(self.features.rows("image"))
        terms = [
            weight[:, None] * vectors
            for weight, vectors in zip(self.weights(), (text, image), strict=True)
            if vectors is not None
        ]
        if self.id is not None:
            # The vector of PAD is zero, whatever the id table holds there.
            terms.append(F.pad(self.id.weight[1:], (0, 0, 1, 0)))
        return ItemVectors(reduce(torch.add, terms), text, image)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return the weights (I,) of v̂_t and v̂_m: α and 1 - α with the rules for missing modalities, or the gates."""
        has_text, has_image = self.features.present("text"), self.features.present("image")
        if self.id is not None:
            return _gate_where(has_text, self.text_gate), _gate_where(has_image, self.image_gate)
        alpha = self.alpha
        if alpha is None:
            return has_text.float(), has_image.float()
        both = has_text & has_image
        return torch.where(both, alpha, has_text), torch.where(both, 1 - alpha, has_image)

    def new_id(self) -> Tensor | None:
        """Return the id vector (D,) of an item that was not trained on; None without ids.

        Where training starts at the features, an id is a small correction to them, and zero stands for none. Otherwise
        ids carry what all items have in common, and the mean of the trained ones stands for it.
        """
        if self.id is None:
            return None
        known = self.id.weight[1:]
        return torch.zeros_like(known[0]) if self.features_first else known.mean(dim=0)

    def untrained(self, vectors: Tensor, items: Tensor) -> Tensor:
        """Return the vectors (n, D) of items (n,) as if their ids were not trained, given all vectors (I, D)."""
        new = self.new_id()
        if self.id is None or new is None:
            return vectors[items]
        return vectors[items] - self.id.weight[items] + new

    @property
    def alpha(self) -> Tensor | None:
        """α of eq. 3 for items with both modalities, a scalar; None in a form without α."""
        return None if self.alpha_logit is None else self.alpha_logit.sigmoid()

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return v̂_t of eq. 2, (n, D), for any text features (n, T), of an item or not; None if text is not in use."""
        if self.text_projection is None:
            return None
        vectors: Tensor = self.text_projection(self.features.scaled("text", features))
        return vectors


def _gate_where(present: Tensor, gate: Tensor | None) -> Tensor:
    """Return the gate for items that have the modality, and 0 for the others and without a gate."""
    return present.float() if gate is None else gate * present
