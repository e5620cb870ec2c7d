"""SASRec: self-attentive sequential recommendation (Kang and McAuley, ICDM 2018), and gSASRec, Text-, Image-SASRec."""

from __future__ import annotations

from mmrec.errors import require
from mmrec.losses.objective import LossName, NextItemLoss
from mmrec.models.next_item import NextItemModel
from mmrec.nn.item_encoder import ItemEncoder, ItemInputs
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer_block import BlockKind, TransformerOptions


class SASRec(NextItemModel):
    """A causal Transformer reads the item vectors of a window; its last state scores the items by a dot product.

    The vector of an item is a learned id vector. With `text: true` or `image: true` and `item_id: false` it is the
    projected text or image feature instead: the Text-SASRec and the Image-SASRec of the paper's tables. All three may
    be combined, see `ItemEncoder`.

    Departures from the original:
    - Its loss is a binary cross-entropy with one negative (`loss: bce`). Ours is by default the cross-entropy over all
      items, which ranks far better (Klenitskiy and Vasilev, RecSys 2023; width and depth are theirs). Dropout .2 and
      learning rate .002 were the best of .1, .2 and .001, .002 on the validation split of MovieLens-1M.
    - The blocks are as the paper writes them, x + Dropout(f(LayerNorm(x))); its code adds the normed x instead.
    - The network on each position is four times as wide and uses GELU.
    - Attention weights are not dropped, which takes time on a CPU and did not improve the ranking.

    Args:
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        max_length: L, the longest window (linked from the data).
        hidden_dim: D.
        item_id: whether to use learned id vectors.
        text: whether to use text.
        image: whether to use images.
        layers: number of Transformer blocks.
        heads: number of attention heads, a divisor of D.
        ffn_dim: width of the network on each position.
        dropout: dropout on the input and in the blocks.
        attention_dropout: dropout on the attention weights.
        block: "plain" or "ligr", see `Block`.
        time_bias: whether attention uses the time gaps, see `TimeBias`; such a model is time-aware.
        loss: "cross_entropy", "sampled_softmax", "gbce" (gSASRec) or "bce", see `NextItemLoss`.
        n_negatives: N of "sampled_softmax" and "gbce".
        gbce_t: calibration t of "gbce".
        sparse_ids: whether a step reads and updates only the id vectors that it uses, see `NextItemModel`.
        lr: learning rate.
        weight_decay: weight decay of AdamW.

    Raises:
        InvalidArgument: options that contradict each other.
    """

    def __init__(
        self,
        *,
        n_items: int,
        text_dim: int = 0,
        image_dim: int = 0,
        max_length: int = 50,
        hidden_dim: int = 64,
        item_id: bool = True,
        text: bool = False,
        image: bool = False,
        layers: int = 2,
        heads: int = 1,
        ffn_dim: int = 256,
        dropout: float = 0.2,
        attention_dropout: float = 0.0,
        block: BlockKind = "plain",
        time_bias: bool = False,
        loss: LossName = "cross_entropy",
        n_negatives: int = 256,
        gbce_t: float = 0.75,
        sparse_ids: bool = False,
        lr: float = 2e-3,
        weight_decay: float = 0.0,
    ) -> None:
        require(hidden_dim >= 1, "hidden_dim", hidden_dim, "at least 1")
        inputs = ItemInputs(text_dim=text_dim, image_dim=image_dim, text=text, image=image, item_id=item_id)
        transformer = TransformerOptions(
            layers=layers, heads=heads, ffn_dim=ffn_dim, dropout=dropout, attention_dropout=attention_dropout,
            block=block, time_bias=time_bias,
        )  # fmt: skip
        super().__init__(
            ItemEncoder(n_items, hidden_dim, inputs),
            SequenceEncoder(hidden_dim, max_length, transformer),
            NextItemLoss(loss, n_negatives=n_negatives, gbce_t=gbce_t),
            sparse_ids=sparse_ids,
            lr=lr,
            weight_decay=weight_decay,
        )
        self.save_hyperparameters()
