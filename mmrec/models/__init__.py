"""One model per module."""

from mmrec.models.content_knn import ContentKNN
from mmrec.models.ease import EASE
from mmrec.models.gru4rec import GRU4Rec
from mmrec.models.itemknn import ItemKNN
from mmrec.models.lightgcn import LightGCN
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.models.mm_racl_kal_neighbours import MMRaclKalNeighbours
from mmrec.models.mmgcn import MMGCN
from mmrec.models.popularity import Popularity
from mmrec.models.racl_kal import RaclKal
from mmrec.models.recommender import Recommender
from mmrec.models.sasrec import SASRec
from mmrec.models.vbpr import VBPR

__all__ = [
    "EASE",
    "MMGCN",
    "VBPR",
    "ContentKNN",
    "GRU4Rec",
    "ItemKNN",
    "LightGCN",
    "MMRaclKal",
    "MMRaclKalNeighbours",
    "Popularity",
    "RaclKal",
    "Recommender",
    "SASRec",
]
