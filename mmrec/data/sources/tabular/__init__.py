"""Tables of a user's own, read by a mapping of columns."""

from mmrec.data.sources.tabular.records import ItemRecords
from mmrec.data.sources.tabular.source import Tabular, add_items
from mmrec.data.sources.tabular.tables import TableFormat

__all__ = ["ItemRecords", "TableFormat", "Tabular", "add_items"]
