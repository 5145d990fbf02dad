"""What the server needs of an index, and an index that has it."""

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import FloatArray, Texts
from panglot.data.sample import sample_benchmark
from panglot.encoders import EMBEDDED, LanguageMeans, centre, load_encoder
from panglot.encoders.export import exported_from
from panglot.errors import PanglotError
from panglot.search.documents import detect_languages
from panglot.search.documents.document import Document, Section
from panglot.search.engines import Filter
from panglot.search.facts import check_same, facts_of, own_means
from panglot.search.index import Index, add_documents, make_index, open_index, refresh
from panglot.search.look_up import Result, search_index

SAMPLE = "sample"
HOLD = 5.0  # seconds that an embedded Milvus, which lets one process in at a time, is held in one go
PAUSE = 0.2  # seconds in which others, who look every .05 seconds, can get in
FRESH = 5.0  # seconds for which counted passages stay counted


class Searcher(Protocol):
    """An index as the server sees it. Functions are called from several threads at once."""

    def languages(self) -> Mapping[str, int]:
        """Return the number of passages of each language."""
        ...

    def search(
        self,
        questions: Sequence[str],
        vectors: FloatArray,
        k: int,
        *,
        languages: Sequence[str] = (),
        where: Mapping[str, str] | None = None,
        balanced: str | None = None,
        hybrid: bool = False,
    ) -> list[list[Result]]:
        """Look n questions up, whose unit vectors are ``(n, d)``; see ``look_up.search_index``."""
        ...


class IndexSearcher:
    """An index on disk or on a Milvus server, asked by several threads, and written by other processes."""

    def __init__(self, index: Index, means: LanguageMeans | None = None, *, folder: object = None) -> None:
        self._index, self._means = index, means
        self._folder = folder  # a temporary one goes when this goes
        self._alone = index.engine.kind == "milvus" and "://" not in index.place
        self._lock = threading.RLock()
        self._releasing: threading.Timer | None = None
        self._counts: dict[str, int] = {}
        self._problem: str | None = None
        self._counted = -FRESH

    def languages(self) -> Mapping[str, int]:
        """Return the number of passages of each language, as it was a few seconds ago.

        Raises:
            PanglotError: the index is gone, damaged, or another model's; until it is back.
        """
        with self._lock:
            if time.monotonic() - self._counted > FRESH:
                self._count()
            if self._problem is not None:
                raise PanglotError(self._problem)
            return self._counts

    def search(
        self,
        questions: Sequence[str],
        vectors: FloatArray,
        k: int,
        *,
        languages: Sequence[str] = (),
        where: Mapping[str, str] | None = None,
        balanced: str | None = None,
        hybrid: bool = False,
    ) -> list[list[Result]]:
        """Look questions up."""
        self.languages()  # another process may have brought new ones
        if self._means is not None:
            codes = detect_languages(questions)
            known = sorted(set(codes))
            rows = np.array([known.index(code) for code in codes], np.int64)
            vectors = centre(vectors, rows, known, self._means.query)
        with self._lock if self._alone else nullcontext():
            try:
                found = search_index(
                    self._index,
                    questions,
                    vectors,
                    k,
                    languages=languages or None,
                    where=where,
                    balanced=balanced,
                    hybrid=hybrid,
                )
            except Exception:
                refresh(self._index)  # another index may have come between, which says more
                raise
            finally:
                self._release_later()
            if self._index.engine.kind == "exact":  # a file, read at once
                refresh(self._index)
        return found

    def _count(self) -> None:
        """Count passages, and check that the index is still the one that was opened."""
        try:
            refresh(self._index)
            codes = self._index.facts.languages
            counts = {code: self._index.engine.count(Filter((code,))) for code in codes}
        except (PanglotError, OSError) as error:
            self._problem, self._counts = str(error), {}
            self._index.engine.release()  # it may hold what was here before
        else:
            self._problem, self._counts = None, {code: count for code, count in counts.items() if count}
        finally:
            self._counted = time.monotonic()
            self._release_later()

    def _release_later(self) -> None:
        """Let other processes in now and then; opening an embedded Milvus for each search is slow."""
        if self._alone and self._releasing is None:
            self._releasing = threading.Timer(HOLD, self._release)
            self._releasing.daemon = True
            self._releasing.start()

    def _release(self) -> None:
        with self._lock:
            self._releasing = None
            self._index.engine.release()
            time.sleep(PAUSE)


def open_searcher(
    place: str, model: str | None = None, *, trust_remote_code: bool = False
) -> tuple[SentenceTransformer, str, IndexSearcher]:
    """Open an index and load its model; return the model, its name, and the index.

    Args:
        place: the index's folder or address; ``sample`` makes one of the bundled passages.
        model: where the model lies, or one exported from it; None: where it was when the index was made.
        trust_remote_code: let the model run code of its own.

    Raises:
        PanglotError: there is no such index or model, or the model is not the index's.
    """
    if place == SAMPLE:
        encoder = load_encoder(model or EMBEDDED, trust_remote_code=trust_remote_code)
        sample = sample_benchmark()
        return encoder, model or EMBEDDED, index_texts(encoder, sample.passages, sample.languages)
    index = open_index(place)
    name = model or index.facts.name
    encoder = load_encoder(
        name,
        max_length=index.facts.max_length,
        truncate_dim=index.facts.truncate_dim,
        trust_remote_code=trust_remote_code,
    )
    means = own_means(index.facts.name) if index.facts.centring else None
    check_encoder(index, encoder, means)
    searcher = IndexSearcher(index, means)
    searcher.languages()
    return encoder, name, searcher


def check_encoder(index: Index, model: SentenceTransformer, means: LanguageMeans | None = None) -> None:
    """Raise a ``PanglotError`` where a model's questions cannot be looked up in an index.

    A model exported from the one that made the index gives nearly the same vectors, and may ask.
    """
    facts = facts_of(model, "the given one", index.facts.length, means)
    source = exported_from(model)
    check_same(index.facts, facts if source is None else replace(facts, sha256=source), index.place)


def index_texts(model: SentenceTransformer, passages: Texts, codes: Sequence[str]) -> IndexSearcher:
    """Index a few passages in a temporary folder, for exact search.

    Args:
        model: encodes them.
        passages: with languages as positions in ``codes``.
        codes: BCP-47.
    """
    folder = tempfile.TemporaryDirectory(prefix="panglot-index-")
    index = make_index(Path(folder.name), model, SAMPLE, engine="exact")
    rows = zip(passages.ids, passages.texts, passages.languages.tolist(), strict=True)
    documents = [Document(id_, (Section("", text),), language=codes[at]) for id_, text, at in rows]
    add_documents(index, model, documents)
    return IndexSearcher(index, folder=folder)
