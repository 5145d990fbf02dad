"""An index: documents in, updated and taken out by id; nothing that is in it is encoded again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from panglot import encoders
from panglot.data import FloatArray
from panglot.errors import PanglotError
from panglot.search.documents import Document, Passage, passages_of
from panglot.search.documents.document import is_text
from panglot.search.documents.split import length_limit, token_counter
from panglot.search.engines import Engine, Kept, open_engine
from panglot.search.engines.engine import NONE_THERE
from panglot.search.facts import IndexFacts, check_same, facts_from_json, facts_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from panglot.encoders import LanguageMeans

PART = 1024  # documents looked at a time: what is lost, at most, when the process is stopped
MOST = 4096  # passages encoded and written at a time


@dataclass
class Index:
    """An index that is open.

    Attributes:
        place: folder or address.
        engine: keeps the passages.
        facts: of the model that made its vectors, and the languages; ``refresh`` reads them again.
    """

    place: str
    engine: Engine
    facts: IndexFacts


@dataclass
class Changes:
    """What indexing did, in passages.

    ``moved`` ones kept their vector: only what is beside their text (source, metadata) is new.
    ``without_text`` has the ids of documents that gave no passage.
    """

    documents: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    deleted: int = 0
    encoded: int = 0
    without_text: list[str] = field(default_factory=list)


def open_index(place: str | Path) -> Index:
    """Open an index.

    Raises:
        PanglotError: there is none, or it is of another version.
    """
    is_new_folder = "://" not in str(place) and not Path(place).exists()
    engine = None if is_new_folder else open_engine(place)
    found = None if engine is None else engine.facts()
    if engine is None or found is None:
        raise PanglotError(f"{place}: {NONE_THERE}")
    engine.release()
    return Index(str(place), engine, facts_from_json(found, str(place)))


def existing_facts(place: str | Path) -> IndexFacts | None:
    """Return what the index at a place remembers; None where there is none."""
    if "://" not in str(place) and not Path(place).exists():
        return None
    engine = open_engine(place)
    found = engine.facts()
    engine.release()
    return None if found is None else facts_from_json(found, str(place))


def make_index(
    place: str | Path,
    model: SentenceTransformer,
    name: str,
    *,
    engine: str | None = None,
    length: int | None = None,
    means: LanguageMeans | None = None,
) -> Index:
    """Make an index, or open the one that is there for more of the same model's vectors.

    Args:
        place: a folder, or the address of a Milvus server; see ``open_engine``.
        model: that encodes.
        name: by which the model can be loaded.
        engine: of a new index: ``exact`` (the default) or ``milvus``; see ``open_engine``.
        length: tokens in a passage, at most; None: what the index has, else 256 or what the model reads.
        means: the model's language means, to be taken away from all vectors.

    Raises:
        PanglotError: the index holds vectors of another model, or made in another way.
    """
    if means is not None:
        encoders.check_means(means, model)
    opened = open_engine(place, engine)
    found = opened.facts()
    if found is None:
        facts = facts_of(model, name, length_limit(model, length), means)
        opened.write_facts(facts.as_json())
        return Index(str(place), opened, facts)
    there = facts_from_json(found, str(place))
    check_same(there, facts_of(model, name, there.length, means), str(place))
    if length not in (None, there.length):
        raise PanglotError(
            f"{place}: its passages have up to {there.length} tokens, not {length}; leave out --length."
        )
    return Index(str(place), opened, there)


def add_documents(
    index: Index,
    model: SentenceTransformer,
    documents: Iterable[Document],
    *,
    means: LanguageMeans | None = None,
    among: Sequence[str] | None = None,
    bf16: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Changes:
    """Put documents into an index, in the place of those with the same ids.

    Passages whose text, title and language are in the index already keep their vectors. Everything is
    written part by part: run it again after it was stopped, and it goes on where it was.

    Args:
        index: see ``make_index``.
        model: the index's own.
        documents: with ids that differ.
        means: those that the index was made with.
        among: the languages that documents without one can be in.
        bf16: encode in bfloat16.
        progress: called with the number of documents just finished.
    """
    changes = Changes()
    count = token_counter(model)
    source = _checked(documents)
    while part := list(islice(source, PART)):
        cut = [passages_of(document, count, index.facts.length, among=among) for document in part]
        passages = [passage for of_document in cut for passage in of_document]
        changes.without_text += [document.id for document, own in zip(part, cut, strict=True) if not own]
        facts = index.facts.with_languages([passage.language for passage in passages])
        if facts != index.facts:  # before the passages: whoever searches must know of their languages
            index.facts = facts
            index.engine.write_facts(facts.as_json())
        kept = index.engine.kept([document.id for document in part])
        index.engine.give_way()
        wanted = [p for p in passages if p.id not in kept or kept[p.id].about != p.about()]
        changes.unchanged += len(passages) - len(wanted)
        for start in range(0, len(wanted), MOST):
            some = wanted[start : start + MOST]
            vectors = _vectors(index, model, some, kept, means, bf16, changes)
            index.engine.write(some, vectors)
            index.engine.give_way()
        names = {passage.id for passage in passages}
        stale = [name for name in kept if name not in names]
        if stale:
            index.engine.delete(stale)
            index.engine.give_way()
        changes.deleted += len(stale)
        changes.documents += len(part)
        if progress is not None:
            progress(len(part))
    index.engine.settle()
    index.engine.release()
    return changes


def delete_documents(index: Index, ids: Sequence[str]) -> int:
    """Take documents out, with all their passages; return how many passages that were.

    Raises:
        PanglotError: an id that the index does not have.
    """
    kept = index.engine.kept([name for name in ids if is_text(name)])
    known = {found.document for found in kept.values()}
    if missing := [name for name in ids if name not in known]:
        raise PanglotError(f"{index.place}: has no document '{missing[0]}'; nothing was deleted.")
    index.engine.delete(list(kept))
    index.engine.settle()
    index.engine.release()
    return len(kept)


def refresh(index: Index) -> None:
    """Read the facts again: another process may have added languages, or put another index here.

    Raises:
        PanglotError: there is no index any more, or one of another model's vectors.
    """
    found = index.engine.facts()
    if found is None:
        raise PanglotError(f"{index.place}: {NONE_THERE}")
    facts = facts_from_json(found, index.place)
    check_same(facts, index.facts, index.place)
    index.facts = facts


def _checked(documents: Iterable[Document]) -> Iterator[Document]:
    """Refuse what an engine cannot keep: an id that came before, halves of characters, what JSON lacks."""
    seen: set[str] = set()
    for document in documents:
        where = document.where or f"document {document.id!r}"
        if document.id in seen:
            raise PanglotError(
                f"{where}: the id '{document.id}' occurs twice; give each document an id of its own."
            )
        seen.add(document.id)
        sections = [text for section in document.sections for text in (section.heading, section.text)]
        if not all(is_text(text) for text in (document.id, document.title, document.source, *sections)):
            raise PanglotError(f"{where}: holds half a character (a lone surrogate); write it otherwise.")
        try:
            json.dumps(document.metadata, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise PanglotError(
                f"{where}: its metadata are not JSON ({error}); write them as texts."
            ) from error
        yield document


def _vectors(
    index: Index,
    model: SentenceTransformer,
    passages: Sequence[Passage],
    kept: dict[str, Kept],
    means: LanguageMeans | None,
    bf16: bool,
    changes: Changes,
) -> FloatArray:
    """Return the vectors of passages: those that are in the index where nothing else changed."""
    moved = {p.id for p in passages if p.id in kept and kept[p.id].digest == p.digest()}
    known = index.engine.vectors(sorted(moved)) if moved else {}
    fresh = [row for row, passage in enumerate(passages) if passage.id not in known]
    vectors = np.empty((len(passages), index.facts.dimension), np.float32)
    encoded = encoders.encode(
        model,
        [passages[k].encoded for k in fresh],
        index.facts.prompts["passage"],
        bf16=bf16,
        progress=lambda _: index.engine.give_way(),  # encoding is what takes long
    )
    if means is not None and fresh:
        codes = sorted({passages[k].language for k in fresh})
        languages = np.array([codes.index(passages[k].language) for k in fresh], np.int64)
        encoded = encoders.centre(encoded, languages, codes, means.passage)
    if not np.isfinite(encoded).all():
        raise PanglotError("the model gives vectors that are not finite; check that its training went well.")
    vectors[fresh] = encoded
    for row, passage in enumerate(passages):
        if passage.id in known:
            vectors[row] = known[passage.id]
    changes.encoded += len(fresh)
    changes.moved += len(known)
    changes.changed += sum(passages[k].id in kept for k in fresh)
    changes.added += sum(passages[k].id not in kept for k in fresh)
    return vectors


def scan_index(index: Index) -> Iterator[tuple[list[Passage], FloatArray]]:
    """Return all passages of an index with their vectors, in parts."""
    try:
        yield from index.engine.scan()
    finally:
        index.engine.release()
