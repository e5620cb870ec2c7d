"""GRU4Rec: session-based recommendation with recurrent networks (Hidasi et al., ICLR 2016)."""

from __future__ import annotations

from mmrec.errors import require
from mmrec.losses.objective import LossName, NextItemLoss
from mmrec.models.next_item import NextItemModel
from mmrec.nn.item_encoder import ItemEncoder, ItemInputs
from mmrec.nn.recurrent_encoder import RecurrentEncoder


class GRU4Rec(NextItemModel):
    """Gated recurrent units read the item vectors of a window; the last state scores the items by a dot product.

    A session is a user's sequence. Departures from the original:
    - Items are embedded and the embedding is tied to the output. The original reads one-hot vectors; its authors' later
      code has both.
    - The loss is the cross-entropy over all items, not TOP1 or BPR over the items of the batch.
    - A window is one sample. The original cuts sequences into steps and carries the state over.
    - The input is scaled and the output passes a layer norm, see `RecurrentEncoder`.

    One layer of width 64 is the choice of Klenitskiy and Vasilev (RecSys 2023), whose GRU4Rec with this loss reaches
    NDCG@10 .1648 on MovieLens-1M. Dropout and learning rate were chosen on the validation split of that data.

    Args:
        n_items: I, padding included (linked from the data).
        embedding_dim: D.
        hidden_dim: width of the GRU layers; a projection back to D follows where it is not D.
        layers: number of GRU layers.
        dropout: dropout on the input and on the output of each layer.
        loss: "cross_entropy", "sampled_softmax", "gbce" or "bce", see `NextItemLoss`.
        n_negatives: N of "sampled_softmax" and "gbce".
        gbce_t: calibration t of "gbce".
        sparse_ids: whether a step reads and updates only the id vectors that it uses, see `NextItemModel`.
        lr: learning rate.
        weight_decay: weight decay of AdamW.

    Raises:
        InvalidArgument: an option is outside its range.
    """

    def __init__(
        self,
        *,
        n_items: int,
        embedding_dim: int = 64,
        hidden_dim: int = 64,
        layers: int = 1,
        dropout: float = 0.2,
        loss: LossName = "cross_entropy",
        n_negatives: int = 256,
        gbce_t: float = 0.75,
        sparse_ids: bool = False,
        lr: float = 2e-3,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value in {"embedding_dim": embedding_dim, "hidden_dim": hidden_dim, "layers": layers}.items():
            require(value >= 1, name, value, "at least 1")
        require(0 <= dropout < 1, "dropout", dropout, "at least 0 and below 1")
        super().__init__(
            ItemEncoder(n_items, embedding_dim, ItemInputs(item_id=True)),
            RecurrentEncoder(embedding_dim, hidden_dim=hidden_dim, layers=layers, dropout=dropout),
            NextItemLoss(loss, n_negatives=n_negatives, gbce_t=gbce_t),
            sparse_ids=sparse_ids,
            lr=lr,
            weight_decay=weight_decay,
        )
        self.save_hyperparameters()
