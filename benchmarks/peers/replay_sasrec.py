"""SASRec of RePlay (`replay.nn`, the successor of its deprecated `replay.models.nn`), used as its documentation says.

`SasRec.from_params` with its full cross-entropy, batches by `ParquetModule` with the default SASRec transforms, the
test by `ComputeMetricsCallback` with `SeenItemsFilter`, all under Lightning's Trainer.
"""

from __future__ import annotations

import logging

import lightning as L
import torch
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.lightning.callback import ComputeMetricsCallback
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.lightning.postprocessor import SeenItemsFilter
from replay.nn.sequential import SasRec
from replay.nn.transform.template import make_default_sasrec_transforms

from peers.common import EpochClock, Settings, report, timed_tests


class Clock(EpochClock, L.Callback):
    """Times training epochs."""


def item_schema(settings: Settings) -> TensorSchema:
    """Describe the only input, item ids 0 .. n_items - 1; RePlay pads with n_items."""
    source = TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")
    item = TensorFeatureInfo(
        name="item_id",
        feature_type=FeatureType.CATEGORICAL,
        is_seq=True,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[source],
        cardinality=settings.n_items,
        padding_value=settings.n_items,
        embedding_dim=settings.hidden_dim,
    )
    return TensorSchema([item])


def data_module(settings: Settings, schema: TensorSchema) -> ParquetModule:
    """Batches of the two files; a training row is one event longer, its shifted copy being the targets."""
    item = {"padding": settings.n_items}
    train = {"item_id": {"shape": settings.length + 1, **item}}
    test = {
        "item_id": {"shape": settings.length, **item},
        "ground_truth": {"shape": 1, "padding": -1},
        "seen_ids": {"shape": settings.longest, "padding": -1},
    }
    transforms = make_default_sasrec_transforms(schema)
    return ParquetModule(
        batch_size={"train": settings.batch_size, "test": settings.eval_batch_size},
        metadata={"train": train, "test": test},
        transforms={stage: transforms[stage] for stage in ("train", "test")},
        train_path=f"{settings.folder}/train.parquet",
        test_path=f"{settings.folder}/test.parquet",
    )


def main() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    settings = Settings.from_command_line()
    torch.set_num_threads(settings.threads)
    L.seed_everything(settings.seed)
    schema = item_schema(settings)
    data = data_module(settings, schema)
    sasrec = SasRec.from_params(
        schema,
        embedding_dim=settings.hidden_dim,
        num_heads=settings.heads,
        num_blocks=settings.layers,
        max_sequence_length=settings.length,
        dropout=settings.dropout,
        hidden_dim=settings.ffn_dim,
    )
    # The betas of torch and of mmrec; RePlay's own default is (0.9, 0.98).
    model = LightningModule(sasrec, OptimizerFactory("adam", learning_rate=settings.lr, betas=(0.9, 0.999)))
    clock = Clock(settings.clock)
    metrics = ComputeMetricsCallback(
        metrics=["ndcg", "recall", "mrr"],
        ks=[10, 20],
        postprocessors=[SeenItemsFilter(settings.n_items)],
        verbose=False,
    )
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1 + settings.epochs,
        callbacks=[clock, metrics],
        limit_train_batches=settings.steps,
        limit_test_batches=settings.steps,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data)
    seconds, results = timed_tests(
        settings.tests, lambda: trainer.test(model, datamodule=data, verbose=False), settings.clock
    )
    parameters = sum(p.numel() for p in model.parameters())
    report(("replay-rec", "torch", "lightning"), parameters, clock, seconds, results["ndcg@10"])


if __name__ == "__main__":
    main()
