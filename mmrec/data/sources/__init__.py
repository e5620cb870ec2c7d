"""Readers of raw data, one release or layout a file."""

from mmrec.data.sources.amazon import Amazon
from mmrec.data.sources.movielens import MovieLens
from mmrec.data.sources.tabular import Tabular
from mmrec.data.sources.toy import Toy

__all__ = ["Amazon", "MovieLens", "Tabular", "Toy"]
