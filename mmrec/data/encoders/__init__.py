"""Feature encoders: networks (OpenCLIP, Sentence Transformers, timm), precomputed arrays, hand-made statistics."""

from mmrec.data.encoders.attributes import WithAttributesEncoder
from mmrec.data.encoders.base import Block, FeatureEncoder, Part, RejectedItem
from mmrec.data.encoders.handcrafted import HandcraftedEncoder
from mmrec.data.encoders.joined import JoinedEncoder
from mmrec.data.encoders.open_clip import OpenClipEncoder
from mmrec.data.encoders.precomputed import PrecomputedEncoder
from mmrec.data.encoders.sentence_transformers import SentenceTransformerEncoder
from mmrec.data.encoders.timm import TimmEncoder

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
