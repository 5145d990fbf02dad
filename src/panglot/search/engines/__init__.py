"""Engines: where passages and their vectors are kept and looked up, behind one interface."""

from pathlib import Path

from panglot.errors import PanglotError
from panglot.search.documents.document import is_text
from panglot.search.engines.engine import Engine, Filter, Found, Kept
from panglot.search.engines.exact import EXACT, ExactEngine
from panglot.search.engines.milvus import EMBEDDED, MilvusEngine

__all__ = ["ENGINES", "Engine", "Filter", "Found", "Kept", "kind_of", "open_engine"]
ENGINES = ("milvus", "exact")


def open_engine(place: str | Path, engine: str | None = None) -> Engine:
    """Return the engine of an index, there already or new; see ``kind_of``."""
    kind = kind_of(place, engine)
    if "://" in str(place):
        return MilvusEngine(str(place))
    return MilvusEngine(Path(place)) if kind == "milvus" else ExactEngine(Path(place))


def kind_of(place: str | Path, engine: str | None = None) -> str:
    """Return the kind of engine that an index has, or that a new one gets: ``exact`` or ``milvus``.

    Args:
        place: a folder, or the address of a Milvus server: ``http://host:19530`` or, with the name of a
            collection, ``http://host:19530#name``.
        engine: for a new folder: ``exact`` (the default: NumPy, 15 ms a question at 200,000 passages) or
            ``milvus`` (Milvus Lite, in the folder).

    Raises:
        PanglotError: the folder holds something else, or an index of another engine.
    """
    if not is_text(str(place)):
        raise PanglotError(f"{place}: the name of an index must be UTF-8; choose another.")
    if engine is not None and engine not in ENGINES:
        raise PanglotError(f"'{engine}' is not an engine; use {' or '.join(ENGINES)}.")
    if "://" in str(place):
        if engine == "exact":
            raise PanglotError(f"{place}: the exact engine keeps an index in a folder; name one.")
        return "milvus"
    folder = Path(place)
    if folder.exists() and not folder.is_dir():
        raise PanglotError(f"{folder}: is a file; an index is a folder.")
    there = {"milvus": (folder / EMBEDDED).exists(), "exact": (folder / EXACT).exists()}
    found = next((name for name, holds in there.items() if holds), None)
    if found is None and folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise PanglotError(f"{folder}: holds files that are not an index; choose another folder.")
    if found is not None and engine not in (None, found):
        raise PanglotError(f"{folder}: is an index of the engine '{found}'; leave out --engine.")
    return found or engine or "exact"
