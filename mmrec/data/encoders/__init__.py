"""Feature encoders: hand-made statistics, precomputed arrays, OpenCLIP."""

from mmrec.data.encoders.base import Block, FeatureEncoder, RejectedItem
from mmrec.data.encoders.handcrafted import HandcraftedEncoder
from mmrec.data.encoders.open_clip import OpenClipEncoder
from mmrec.data.encoders.precomputed import PrecomputedEncoder

__all__ = ["Block", "FeatureEncoder", "HandcraftedEncoder", "OpenClipEncoder", "PrecomputedEncoder", "RejectedItem"]
