"""RACL-KAL, the text-only predecessor that the paper extends: MM-RACL-KAL without its image, graph and gate."""

from __future__ import annotations

from typing import Literal

from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.retrieval.index import Backend


class RaclKal(MMRaclKal):
    """Text item vectors, retrieval-augmented sequences, a Transformer, two contrastive losses.

    The paper describes its predecessor by what it adds to it: images (so here α = 1 in eq. 3, the library of eq. 4
    holds texts, and eq. 15 falls away) and the static side with its gate (so u = u^d in eq. 12). What is left is eq. 1,
    2, 4-8, 13, 14, 16 and 18, and it is the code of `MMRaclKal`; explanations are outside of training for both.

    Args:
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        max_length: the longest window L (linked from the data).
        hidden_dim: D.
        replace_prob: p of eq. 6.
        neighbours: K of eq. 5.
        index_backend: "torch", "faiss" or "faiss_ivf", see `nearest_neighbours`.
        layers: Transformer blocks.
        heads: attention heads; must divide D.
        ffn_dim: width of the network on each position.
        dropout: in the Transformer.
        attention_dropout: on its attention weights.
        beta: β of eq. 18.
        lambda_ui: weight of L_ui, eq. 16.
        lambda_ii: weight of L_ii, eq. 16.
        temperature: τ of eq. 13-14.
        decoupled: leave the positive out of the denominators, as eq. 13-14 print them.
        negatives: of L_ii, "hard" or "random", see `MMRaclKal`.
        n_negatives: N, uniform negatives of L_ui (and of L_ii with "random").
        lr: learning rate.
        weight_decay: of AdamW.

    Raises:
        InvalidArgument: options that contradict each other, or data without text features.
    """

    def __init__(
        self,
        n_items: int,
        text_dim: int = 0,
        max_length: int = 50,
        hidden_dim: int = 64,
        replace_prob: float = 0.1,
        neighbours: int = 10,
        index_backend: Backend = "torch",
        layers: int = 2,
        heads: int = 1,
        ffn_dim: int = 256,
        dropout: float = 0.2,
        attention_dropout: float = 0.0,
        beta: float = 0.1,
        lambda_ui: float = 1.0,
        lambda_ii: float = 1.0,
        temperature: float = 0.1,
        decoupled: bool = False,
        negatives: Literal["hard", "random"] = "hard",
        n_negatives: int = 256,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            n_users=0,  # without a static side there are no user nodes
            n_items=n_items,
            text_dim=text_dim,
            max_length=max_length,
            hidden_dim=hidden_dim,
            text=True,
            image=False,
            item_id=False,
            replace_prob=replace_prob,
            neighbours=neighbours,
            index_backend=index_backend,
            layers=layers,
            heads=heads,
            ffn_dim=ffn_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            static_user="none",
            beta=beta,
            lambda_ui=lambda_ui,
            lambda_ii=lambda_ii,
            lambda_mm=0.0,
            temperature=temperature,
            decoupled=decoupled,
            negatives=negatives,
            n_negatives=n_negatives,
            lr=lr,
            weight_decay=weight_decay,
        )
