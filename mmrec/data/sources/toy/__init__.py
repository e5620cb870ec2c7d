"""The embedded dataset: a small shop with planted tastes."""

from mmrec.data.sources.toy.source import Toy

__all__ = ["Toy"]
