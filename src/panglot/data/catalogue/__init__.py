"""The catalogue: benchmarks and training sets by name, facts about them, and where their data is."""

from panglot.data.catalogue.entry import Entry, catalogue, entry_named, missing, where_is
from panglot.data.catalogue.load import load_benchmark, load_data

__all__ = ["Entry", "catalogue", "entry_named", "load_benchmark", "load_data", "missing", "where_is"]
