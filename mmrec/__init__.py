"""MM-RACL-KAL: multimodal, retrieval-augmented sequential recommendation with explanations checked against facts.

What a notebook needs, imported when it is first used:

| name | what it is |
|---|---|
| `prepare` | raw data to a prepared data module |
| `load`, `TrainedRecommender` | a trained run, ready to recommend to anybody |
| `NewItem` | an item that comes after training |
| `MMRaclKal`, `SASRec`, `GRU4Rec`, ... | the models, Lightning modules |
| `shipped_model` | one of them by name, with its shipped options |
| `RecDataModule`, `PrepareOptions` | the data module and its options |
| `Tabular`, `Sequences`, `Amazon`, `MovieLens`, ... | sources of raw data |
| `HandcraftedEncoder`, `OpenClipEncoder`, ... | encoders of text and images |
| `start_from` | lets a new model go on from a trained run, on data that have grown |
| `BestCheckpoint`, `LastCheckpoint`, `StopEarly`, ... | callbacks of a run |
| `RankingMetrics`, `rank_of_target` | full-ranking metrics |
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmrec.data.datamodule import RecDataModule as RecDataModule
    from mmrec.data.datamodule import prepare as prepare
    from mmrec.data.features.encoders import HandcraftedEncoder as HandcraftedEncoder
    from mmrec.data.features.encoders import JoinedEncoder as JoinedEncoder
    from mmrec.data.features.encoders import OpenClipEncoder as OpenClipEncoder
    from mmrec.data.features.encoders import PrecomputedEncoder as PrecomputedEncoder
    from mmrec.data.features.encoders import SentenceTransformerEncoder as SentenceTransformerEncoder
    from mmrec.data.features.encoders import TimmEncoder as TimmEncoder
    from mmrec.data.features.encoders import WithAttributesEncoder as WithAttributesEncoder
    from mmrec.data.features.new_items import NewItem as NewItem
    from mmrec.data.prepare.options import PrepareOptions as PrepareOptions
    from mmrec.data.sources import Amazon as Amazon
    from mmrec.data.sources import ItemRecords as ItemRecords
    from mmrec.data.sources import MovieLens as MovieLens
    from mmrec.data.sources import RecBole as RecBole
    from mmrec.data.sources import Sequences as Sequences
    from mmrec.data.sources import TableFormat as TableFormat
    from mmrec.data.sources import Tabular as Tabular
    from mmrec.data.sources import Toy as Toy
    from mmrec.inference import Recommendation as Recommendation
    from mmrec.inference import TrainedRecommender as TrainedRecommender
    from mmrec.inference import load as load
    from mmrec.metrics.ranking import RankingMetrics as RankingMetrics
    from mmrec.metrics.ranking import rank_of_target as rank_of_target
    from mmrec.models import EASE as EASE
    from mmrec.models import MMGCN as MMGCN
    from mmrec.models import VBPR as VBPR
    from mmrec.models import ContentKNN as ContentKNN
    from mmrec.models import GRU4Rec as GRU4Rec
    from mmrec.models import ItemKNN as ItemKNN
    from mmrec.models import LightGCN as LightGCN
    from mmrec.models import MMRaclKal as MMRaclKal
    from mmrec.models import MMRaclKalNeighbours as MMRaclKalNeighbours
    from mmrec.models import Popularity as Popularity
    from mmrec.models import RaclKal as RaclKal
    from mmrec.models import Recommender as Recommender
    from mmrec.models import SASRec as SASRec
    from mmrec.models.shipped import shipped_model as shipped_model
    from mmrec.training.callbacks import RefreshIndex as RefreshIndex
    from mmrec.training.callbacks import SaveResults as SaveResults
    from mmrec.training.checkpoints import BestCheckpoint as BestCheckpoint
    from mmrec.training.checkpoints import LastCheckpoint as LastCheckpoint
    from mmrec.training.checkpoints import StopEarly as StopEarly
    from mmrec.training.start_from import start_from as start_from

__version__ = "0.2.0"

_HOMES = {
    "mmrec.data.datamodule": ("RecDataModule", "prepare"),
    "mmrec.data.features.encoders": (
        "HandcraftedEncoder", "JoinedEncoder", "OpenClipEncoder", "PrecomputedEncoder", "SentenceTransformerEncoder",
        "TimmEncoder", "WithAttributesEncoder",
    ),
    "mmrec.data.features.new_items": ("NewItem",),
    "mmrec.data.prepare.options": ("PrepareOptions",),
    "mmrec.data.sources": (
        "Amazon", "ItemRecords", "MovieLens", "RecBole", "Sequences", "TableFormat", "Tabular", "Toy",
    ),
    "mmrec.inference": ("Recommendation", "TrainedRecommender", "load"),
    "mmrec.metrics.ranking": ("RankingMetrics", "rank_of_target"),
    "mmrec.models": (
        "EASE", "MMGCN", "VBPR", "ContentKNN", "GRU4Rec", "ItemKNN", "LightGCN", "MMRaclKal", "MMRaclKalNeighbours",
        "Popularity", "RaclKal", "Recommender", "SASRec",
    ),
    "mmrec.models.shipped": ("shipped_model",),
    "mmrec.training.callbacks": ("RefreshIndex", "SaveResults"),
    "mmrec.training.checkpoints": ("BestCheckpoint", "LastCheckpoint", "StopEarly"),
    "mmrec.training.start_from": ("start_from",),
}  # fmt: skip
"""Where each public name is defined."""
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import mmrec` costs nothing."""
    if name not in _MODULES:
        raise AttributeError(f"module 'mmrec' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
