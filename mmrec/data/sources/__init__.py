"""Readers of raw data, one release or layout per module."""

from mmrec.data.sources.amazon import Amazon
from mmrec.data.sources.movielens import MovieLens
from mmrec.data.sources.recbole import RecBole
from mmrec.data.sources.sequences import Sequences
from mmrec.data.sources.tabular import ItemRecords, TableFormat, Tabular
from mmrec.data.sources.toy import Toy

__all__ = ["Amazon", "ItemRecords", "MovieLens", "RecBole", "Sequences", "TableFormat", "Tabular", "Toy"]
