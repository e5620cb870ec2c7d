"""Feature encoders: OpenCLIP, Sentence Transformers, timm, precomputed arrays, statistics without weights."""

from mmrec.data.features.encoders.attributes import WithAttributesEncoder
from mmrec.data.features.encoders.base import Block, FeatureEncoder, Part, RejectedItem
from mmrec.data.features.encoders.handcrafted import HandcraftedEncoder
from mmrec.data.features.encoders.joined import JoinedEncoder
from mmrec.data.features.encoders.open_clip import OpenClipEncoder
from mmrec.data.features.encoders.precomputed import PrecomputedEncoder
from mmrec.data.features.encoders.sentence_transformers import SentenceTransformerEncoder
from mmrec.data.features.encoders.timm import TimmEncoder

__all__ = [
    "Block",
    "FeatureEncoder",
    "HandcraftedEncoder",
    "JoinedEncoder",
    "OpenClipEncoder",
    "Part",
    "PrecomputedEncoder",
    "RejectedItem",
    "SentenceTransformerEncoder",
    "TimmEncoder",
    "WithAttributesEncoder",
]
