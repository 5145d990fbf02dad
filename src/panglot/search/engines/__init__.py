"""Engines: where passages and their vectors are kept and looked up, behind one interface."""

from panglot.search.engines.engine import Engine, Filter, Found, Kept
from panglot.search.engines.open import ENGINES, open_engine

__all__ = ["ENGINES", "Engine", "Filter", "Found", "Kept", "open_engine"]
