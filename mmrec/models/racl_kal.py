"""RACL-KAL, the text-only predecessor that the paper extends: MM-RACL-KAL without its image, graph and gate."""

from __future__ import annotations

from typing import Any

from mmrec.models.mm_racl_kal import MMRaclKal


class RaclKal(MMRaclKal):
    """Text item vectors, retrieval-augmented sequences, a Transformer, two contrastive losses.

    The paper describes its predecessor by what it adds to it. It adds images, so here α = 1 in eq. 3, the library of
    eq. 4 holds texts and eq. 15 is absent. It adds the static side with its gate, so here u = u^d in eq. 12. What is
    left is eq. 1, 2, 4-8, 13, 14, 16 and 18, computed by the code of `MMRaclKal`. Explanations are not part of training
    in either model.

    Args:
        options: the options of `MMRaclKal`, except those that are fixed here.

    Raises:
        InvalidArgument: an option is outside its range, two options contradict each other, or the data has no text
            features.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            n_users=0,  # user nodes belong to the static side
            image_dim=0,
            text=True,
            image=False,
            item_id=False,
            features_first=False,
            id_lr=1.0,
            dynamic=True,
            static_user="none",
            graph_layers=0,
            pooling="mean",
            lambda_mm=0.0,
            **options,
        )
