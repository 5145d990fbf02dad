"""An index as the server uses it."""

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from sentence_transformers import SentenceTransformer
from typing_extensions import Unpack

from panglot.data import FloatArray, Texts, sample_benchmark
from panglot.encoders import EMBEDDED, Reranker, load_encoder
from panglot.errors import PanglotError
from panglot.search.documents.document import Document, Section
from panglot.search.engines import Filter
from panglot.search.index import Index
from panglot.search.look_up import RERANKED, Options, Result, depth_before, reranked

SAMPLE = "sample"
HOLD = 5.0  # seconds that an embedded Milvus, which lets one process in at a time, is held in one go
PAUSE = 0.2  # seconds in which others, who look every .05 seconds, can get in
FRESH = 5.0  # seconds for which counted passages stay counted


class IndexSearcher:
    """An index on disk or on a Milvus server, asked by several threads, and written by other processes."""

    def __init__(
        self, index: Index, reranker: Reranker | None = None, depth: int = RERANKED, *, folder: object = None
    ) -> None:
        self._index, self._reranker, self._depth = index, reranker, depth
        self._reading = threading.Lock()
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
        self, questions: Sequence[str], vectors: FloatArray, k: int, **options: Unpack[Options]
    ) -> list[list[Result]]:
        """Find passages for n questions whose unit vectors are ``(n, d)``, and rerank them if so told.

        See ``Index.search`` for the options.
        """
        self.languages()  # another process may have brought new ones
        vectors = self._index.centre(vectors, questions)
        depth = depth_before(self._reranker, k, self._depth)
        with self._lock if self._alone else nullcontext():
            try:
                found = self._index.look_up(questions, vectors, depth, **options)
            except Exception:
                self._index.refresh()  # another index may have come between, which says more
                raise
            finally:
                self._release_later()
            if self._index.engine.kind == "exact":  # a file, read at once
                self._index.refresh()
        with self._reading if self._reranker is not None else nullcontext():  # it uses all cores
            return reranked(self._reranker, questions, found, k)

    def _count(self) -> None:
        """Count passages, and check that the index is still the one that was opened."""
        try:
            self._index.refresh()
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
    place: str,
    model: str | None = None,
    *,
    trust_remote_code: bool = False,
    reranker: Reranker | None = None,
    rerank_depth: int = RERANKED,
) -> tuple[SentenceTransformer, str, IndexSearcher]:
    """Open an index and load its model; return the model, its name, and the index.

    Args:
        place: the index's folder or address; ``sample`` makes one of the bundled passages.
        model: where the model lies, or one exported from it; None: where it was when the index was made.
        trust_remote_code: let the model run code of its own.
        reranker: orders the first ``rerank_depth`` results of every search anew.

    Raises:
        PanglotError: there is no such index or model, or the model is not the index's.
    """
    if place == SAMPLE:
        encoder = load_encoder(model or EMBEDDED, trust_remote_code=trust_remote_code)
        sample = sample_benchmark()
        made = index_texts(encoder, sample.passages, sample.languages, reranker, rerank_depth)
        return encoder, model or EMBEDDED, made
    index = Index.open(place, model, trust_remote_code=trust_remote_code)
    encoder = index.model
    searcher = IndexSearcher(index, reranker, rerank_depth)
    searcher.languages()
    return encoder, model or index.facts.name, searcher


def index_texts(
    model: SentenceTransformer,
    passages: Texts,
    codes: Sequence[str],
    reranker: Reranker | None = None,
    depth: int = RERANKED,
) -> IndexSearcher:
    """Index a few passages, in languages that are positions in ``codes``, in a temporary folder."""
    folder = tempfile.TemporaryDirectory(prefix="panglot-index-")
    index = Index.create(folder.name, model, name=SAMPLE, engine="exact")
    rows = zip(passages.ids, passages.texts, passages.languages.tolist(), strict=True)
    index.add_documents(Document(id_, (Section("", text),), language=codes[at]) for id_, text, at in rows)
    return IndexSearcher(index, reranker, depth, folder=folder)
