r"""Multimodal item representation (paper, section 3.1, eq. 1-3).

    v̂_t = W_t v_t,  v̂_m = W_m v_m                                  (2)
    e = α v̂_t + (1 - α) v̂_m                                        (3)

The encoders of eq. 1 run before training (`mmrec.data.features.store`). Their outputs v_t and v_m are fixed matrices,
which `ItemFeatures` centres and scales to length 1; the paper does not give their scale.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.errors import InvalidArgument
from mmrec.nn.item_features import ItemFeatures

INIT_STD = 0.02  # of ids and projections alike: a feature row has length 1, so both start on the same scale


class ItemVectors(NamedTuple):
    """All items at once; a modality that is switched off is None.

    Args:
        fused: (I, D), e of eq. 3, zero at PAD.
        text: (I, D), v̂_t of eq. 2.
        image: (I, D), v̂_m of eq. 2.
    """

    fused: Tensor
    text: Tensor | None
    image: Tensor | None


class ItemEncoder(nn.Module):
    r"""Fuse text and image features, and ids if asked, into one vector per item.

    Where the image is missing α is 1 (the paper's rule), where the text is missing it is 0, and an item with neither
    has a zero feature part. α is kept in (0, 1) by a sigmoid.

    With `item_id` a learned id vector is added and the two features enter through gates that start at zero,
    e = E_id + γ_t v̂_t + γ_m v̂_m, so that training begins at the plain id model. The paper has no id vector; this is
    a row of its own in every table. With `features_first` the gates start at one, the projections at the scale of
    learned vectors and the ids near zero: training begins at the features alone, and an id learns what they miss.

    Args:
        n_items: I, padding included.
        dim: D.
        text_dim: width of v_t; ignored unless `text`.
        image_dim: width of v_m; ignored unless `image`.
        text: use the text.
        image: use the image.
        item_id: add learned id vectors.
        features_first: begin at the features instead of the ids.

    Raises:
        InvalidArgument: text, image and item_id are all false, `features_first` lacks ids or features, or the data has
            no features for a modality that is in use.
    """

    def __init__(
        self,
        n_items: int,
        dim: int,
        text_dim: int = 0,
        image_dim: int = 0,
        text: bool = True,
        image: bool = True,
        item_id: bool = False,
        features_first: bool = False,
    ) -> None:
        super().__init__()
        if not (text or image or item_id):
            raise InvalidArgument("item_id", "item_id, text and image are all false: set at least one of them to true")
        if features_first and not (item_id and (text or image)):
            raise InvalidArgument(
                "features_first",
                "features_first needs item_id and one of text and image: set these to true, or features_first to false",
            )
        self.features = ItemFeatures(n_items, text_dim, image_dim, text, image)
        self.id = nn.Embedding(n_items, dim) if item_id else None
        self.text_projection = nn.Linear(text_dim, dim, bias=False) if text else None
        self.image_projection = nn.Linear(image_dim, dim, bias=False) if image else None
        self.alpha_logit = nn.Parameter(torch.zeros(())) if text and image and not item_id else None
        self.text_gate = nn.Parameter(torch.zeros(())) if text and item_id else None
        self.image_gate = nn.Parameter(torch.zeros(())) if image and item_id else None
        for module in (self.text_projection, self.image_projection):
            if module is not None:
                nn.init.normal_(module.weight, std=3 * INIT_STD if features_first else INIT_STD)
        if self.id is not None:
            nn.init.normal_(self.id.weight, std=INIT_STD / 10 if features_first else INIT_STD)
        for gate in (self.text_gate, self.image_gate) if features_first else ():
            if gate is not None:
                nn.init.ones_(gate)

    @property
    def alpha(self) -> Tensor | None:
        """α of eq. 3 for items with both modalities, a scalar; None where the form has no α."""
        return None if self.alpha_logit is None else self.alpha_logit.sigmoid()

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
            # PAD is no item: its vector is zero whatever the id table holds.
            terms.append(F.pad(self.id.weight[1:], (0, 0, 1, 0)))
        return ItemVectors(reduce(torch.add, terms), text, image)

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return v̂_t of eq. 2, (n, D), for text features (n, T) that need not be an item's; None without text."""
        if self.text_projection is None:
            return None
        vectors: Tensor = self.text_projection(self.features.scaled("text", features))
        return vectors

    def weights(self) -> tuple[Tensor, Tensor]:
        """Weights (I,) of v̂_t and of v̂_m: α and 1 - α with the rules for missing modalities, or the two gates."""
        has_text, has_image = self.features.present("text"), self.features.present("image")
        if self.id is not None:
            return _times(self.text_gate, has_text), _times(self.image_gate, has_image)
        alpha = self.alpha
        if alpha is None:
            return has_text.float(), has_image.float()
        both = has_text & has_image
        return torch.where(both, alpha, has_text), torch.where(both, 1 - alpha, has_image)


def _times(gate: Tensor | None, present: Tensor) -> Tensor:
    """Return a gate where something is present, and 0 elsewhere or where there is no gate."""
    return present.float() if gate is None else gate * present
