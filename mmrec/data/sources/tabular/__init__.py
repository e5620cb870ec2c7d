"""Tables of a user's own, read by a mapping of columns."""

from mmrec.data.sources.tabular.files import find_tables
from mmrec.data.sources.tabular.new_items import read_new_items
from mmrec.data.sources.tabular.records import ItemRecords
from mmrec.data.sources.tabular.source import Tabular, add_items
from mmrec.data.sources.tabular.tables import TableFormat, open_table

__all__ = ["ItemRecords", "TableFormat", "Tabular", "add_items", "find_tables", "open_table", "read_new_items"]
