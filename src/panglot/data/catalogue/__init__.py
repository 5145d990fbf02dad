"""The catalogue: benchmarks and training sets by name, facts about them, and where their data is."""

from panglot.data.catalogue.entry import Entry, File, catalogue, entry_named
from panglot.data.catalogue.find import data_folders, find_data, in_cache, missing, where_is
from panglot.data.catalogue.load import READERS, load_benchmark, load_data

__all__ = [
    "READERS",
    "Entry",
    "File",
    "catalogue",
    "data_folders",
    "entry_named",
    "find_data",
    "in_cache",
    "load_benchmark",
    "load_data",
    "missing",
    "where_is",
]
