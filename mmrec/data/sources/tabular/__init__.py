"""Tables of one's own, read by a mapping of columns."""

from mmrec.data.sources.tabular.source import Tabular

__all__ = ["Tabular"]
