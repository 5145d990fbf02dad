"""A search index: documents in, updated and taken out by id; questions answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from typing_extensions import Unpack

from panglot import encoders
from panglot.data import FloatArray
from panglot.encoders.embedded import EMBEDDED
from panglot.errors import PanglotError
from panglot.languages import check_languages
from panglot.progress import Shown, shown
from panglot.search.documents import Document, Passage, detect_languages, passages_of, read_documents
from panglot.search.documents.document import is_text
from panglot.search.documents.split import length_limit, token_counter
from panglot.search.engines import Engine, Filter, Kept, open_engine
from panglot.search.engines.engine import NONE_THERE
from panglot.search.facts import IndexFacts, check_same, facts_from_json, facts_of, own_means
from panglot.search.look_up import RERANKED, Options, Result, check_count, depth_before, look_up, reranked

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PART = 1024  # documents looked at a time: what is lost, at most, when the process is stopped
MOST = 4096  # passages encoded and written at a time


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


class Index:
    """A search index on disk or on a Milvus server. Make one with ``create``, open one with ``open``.

    ::

        with panglot.Index.create("my-index") as index:
            index.add(["docs/"])
            for result in index.search("How do I get my money back?"):
                print(result.language, result.text)

    Leaving the ``with`` block lets other processes in; an index that is used again takes hold again.

    Attributes:
        place: folder or address.
        engine: keeps the passages.
        facts: of the model that made its vectors, and the languages; ``refresh`` reads them again.
        means: language means that are taken away from all vectors; None: none are.
    """

    def __init__(
        self,
        place: str,
        engine: Engine,
        facts: IndexFacts,
        model: SentenceTransformer | str | Path | None = None,
        means: encoders.LanguageMeans | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.place, self.engine, self.facts, self.means = place, engine, facts, means
        self._model, self._trust = model, trust_remote_code

    @classmethod
    def create(
        cls,
        place: str | Path,
        model: SentenceTransformer | str | Path = EMBEDDED,
        *,
        name: str | None = None,
        engine: str | None = None,
        length: int | None = None,
        means: encoders.LanguageMeans | None = None,
        trust_remote_code: bool = False,
    ) -> Index:
        """Make an index, or open the one that is there for more of the same model's vectors.

        Args:
            place: a folder, or the address of a Milvus server; see ``open_engine``.
            model: that encodes: an encoder, or what ``load_encoder`` takes.
            name: by which the encoder can be loaded; None: the name or path that it was loaded from, or after
                ``train`` the folder that it is in.
            engine: of a new index: ``exact`` (the default) or ``milvus``; see ``open_engine``.
            length: tokens in a passage, at most; None: what the index has, else 256 or what the model reads.
            means: the model's language means, to be taken away from all vectors.
            trust_remote_code: let a model that is named run code of its own.

        Raises:
            PanglotError: the index holds vectors of another model, or made in another way.
        """
        model = encoders.as_encoder(model, trust_remote_code=trust_remote_code)
        name = name or encoders.name_of(model)
        if means is not None:
            encoders.check_means(means, model)
        opened = open_engine(place, engine)
        found = opened.facts()
        if found is None:
            facts = facts_of(model, name, length_limit(model, length), means)
            opened.write_facts(facts.as_json())
            return cls(str(place), opened, facts, model, means)
        there = facts_from_json(found, str(place))
        check_same(there, facts_of(model, name, there.length, means), str(place))
        if length not in (None, there.length):
            raise PanglotError(
                f"{place}: its passages have up to {there.length} tokens, not {length}; leave out --length."
            )
        return cls(str(place), opened, there, model, means)

    @classmethod
    def open(
        cls,
        place: str | Path,
        model: SentenceTransformer | str | Path | None = None,
        *,
        means: encoders.LanguageMeans | None = None,
        trust_remote_code: bool = False,
    ) -> Index:
        """Open an index.

        Args:
            place: its folder or address.
            model: the index's own, or one exported from it; a name is loaded when it is needed. None: where
                it was when the index was made.
            means: those that the index was made with; None: those in the model's folder.
            trust_remote_code: let a model that is named run code of its own.

        Raises:
            PanglotError: there is no index, it is of another version, or the model is not its own.
        """
        found = _opened(place)
        if found is None:
            raise PanglotError(f"{place}: {NONE_THERE}")
        index = cls(str(place), *found, model, means, trust_remote_code)
        if model is not None and not isinstance(model, str | Path):
            index._check(encoders.as_encoder(model))
        return index

    @property
    def model(self) -> SentenceTransformer:
        """The model that encodes passages and questions; loaded on first use.

        Raises:
            PanglotError: it cannot be loaded, or is not the one that the index was made with.
        """
        if self._model is None or isinstance(self._model, str | Path):
            name = str(self._model or self.facts.name)
            model = encoders.load_encoder(
                name,
                max_length=self.facts.max_length,
                truncate_dim=self.facts.truncate_dim,
                trust_remote_code=self._trust,
            )
            if self.facts.centring is not None and self.means is None:
                try:
                    self.means = own_means(name)
                except PanglotError:
                    self.means = own_means(self.facts.name)  # an exported model has none of its own
            self._check(model)
            self._model = model
        return self._model

    def add(
        self,
        sources: str | Path | Sequence[str | Path],
        *,
        language: str | None = None,
        among: Sequence[str] | None = None,
        columns: Mapping[str, str] | None = None,
        bf16: bool = False,
        progress: Shown = None,
    ) -> Changes:
        """Read documents from files and folders, and put them into the index; see ``add_documents``.

        Args:
            sources: files and folders; see ``read_documents``.
            language: of texts that do not name one; None: detect it.
            among: the languages that can be detected.
            columns: of ``text``, ``id``, ``language`` and ``title`` in files of rows, where they have other
                names.
            bf16: encode in bfloat16.
            progress: called with the number of documents just finished. By default, standard error shows
                how far it is; False shows nothing.
        """
        named = [sources] if isinstance(sources, str | Path) else sources
        with shown(progress, "indexing", 0) as advance:
            documents = read_documents(named, language=language, columns=columns)
            return self.add_documents(documents, among=among, bf16=bf16, progress=advance)

    def add_documents(
        self,
        documents: Iterable[Document],
        *,
        among: Sequence[str] | None = None,
        bf16: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Changes:
        """Put documents into the index, in the place of those with the same ids.

        Passages whose text, title and language are in the index already keep their vectors. Everything is
        written part by part: run it again after it was stopped, and it goes on where it was.

        Args:
            documents: with ids that differ.
            among: the languages that documents without one can be in.
            bf16: encode in bfloat16.
            progress: called with the number of documents just finished; while those of a part are being
                encoded, with their share of it.
        """
        changes, model, engine = Changes(), self.model, self.engine
        count = token_counter(model)
        among = check_languages(among) if among else None
        source = _checked(documents)
        while part := list(islice(source, PART)):
            cut = [passages_of(document, count, self.facts.length, among=among) for document in part]
            passages = [passage for of_document in cut for passage in of_document]
            changes.without_text += [document.id for document, own in zip(part, cut, strict=True) if not own]
            facts = self.facts.with_languages([passage.language for passage in passages])
            if facts != self.facts:  # before the passages: whoever searches must know of their languages
                self.facts = facts
                engine.write_facts(facts.as_json())
            kept = engine.kept([document.id for document in part])
            engine.give_way()
            wanted = [p for p in passages if p.id not in kept or kept[p.id].about != p.about()]
            changes.unchanged += len(passages) - len(wanted)
            advance = _as_documents(progress, len(part), len(wanted) + 1)
            for start in range(0, len(wanted), MOST):
                some = wanted[start : start + MOST]
                vectors = self._vectors(some, kept, bf16, changes, advance)
                engine.write(some, vectors)
                engine.give_way()
            names = {passage.id for passage in passages}
            stale = [name for name in kept if name not in names]
            if stale:
                engine.delete(stale)
                engine.give_way()
            changes.deleted += len(stale)
            changes.documents += len(part)
            advance(1)
        engine.settle()
        engine.release()
        return changes

    def delete(self, ids: Sequence[str]) -> int:
        """Take documents out, with all their passages; return how many passages that were.

        Raises:
            PanglotError: an id that the index does not have.
        """
        kept = self.engine.kept([name for name in ids if is_text(name)])
        known = {found.document for found in kept.values()}
        if missing := [name for name in ids if name not in known]:
            raise PanglotError(f"{self.place}: has no document '{missing[0]}'; nothing was deleted.")
        self.engine.delete(list(kept))
        self.engine.settle()
        self.engine.release()
        return len(kept)

    @overload
    def search(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
        self, question: str, k: int = ..., *, reranker: encoders.Reranker | str | Path | None = ...,
        rerank_depth: int = ..., **options: Unpack[Options],
    ) -> list[Result]: ...  # fmt: skip
    @overload
    def search(
        self, question: Sequence[str], k: int = ..., *, reranker: encoders.Reranker | str | Path | None = ...,
        rerank_depth: int = ..., **options: Unpack[Options],
    ) -> list[list[Result]]: ...  # fmt: skip
    def search(
        self,
        question: str | Sequence[str],
        k: int = 10,
        *,
        reranker: encoders.Reranker | str | Path | None = None,
        rerank_depth: int = RERANKED,
        **options: Unpack[Options],
    ) -> list[Result] | list[list[Result]]:
        """Find the passages that answer a question.

        Args:
            question: in any language; or several.
            k: results, at most.
            reranker: orders the first ``rerank_depth`` results anew; what ``load_reranker`` returns or takes.
            rerank_depth: results that it reads, at least k.
            options: ``languages``, ``where``, ``balanced`` and ``hybrid``; see ``Options``.

        Returns:
            the results, best first; for several questions a list for each.

        Raises:
            PanglotError: an option is out of range, or the index lacks a language.
        """
        questions = [question] if isinstance(question, str) else list(question)
        reranker = None if reranker is None else encoders.as_reranker(reranker)
        check_count(k)
        depth = depth_before(reranker, k, rerank_depth)
        vectors = self.embed(questions) if questions else np.empty((0, self.facts.dimension), np.float32)
        try:
            lists = self.look_up(questions, vectors, depth, **options)
        finally:
            self.engine.release()
        lists = reranked(reranker, questions, lists, k)
        return lists[0] if isinstance(question, str) else lists

    def embed(self, questions: Sequence[str], languages: Sequence[str] | None = None) -> FloatArray:
        """Encode questions as the index wants them, ``(n, d)``.

        Args:
            questions: n texts in any language.
            languages: of the questions; detected where they are needed and not given.
        """
        if not all(is_text(question) for question in questions):
            raise PanglotError("a question holds half a character (a lone surrogate); write it otherwise.")
        vectors = encoders.encode(self.model, questions, self.facts.prompts["query"])
        return self.centre(vectors, questions, languages)

    def centre(
        self, vectors: FloatArray, questions: Sequence[str], languages: Sequence[str] | None = None
    ) -> FloatArray:
        """Take language means away from the vectors of questions, where the index is centred."""
        if self.facts.centring is None:
            return vectors
        if self.means is None:
            raise PanglotError(f"{self.place}: is centred; give the language means that it was made with.")
        return _centred(vectors, languages or detect_languages(questions), self.means.query)

    def look_up(
        self, questions: Sequence[str], vectors: FloatArray, k: int = 10, **options: Unpack[Options]
    ) -> list[list[Result]]:
        """Find passages for questions with vectors ``(n, d)`` from ``embed``; see ``search``."""
        return look_up(self.engine, self.facts.languages, self.place, questions, vectors, k, **options)

    def count(self, language: str | None = None) -> int:
        """Return the number of passages, in one language or in all."""
        return self.engine.count(Filter() if language is None else Filter((language,)))

    def languages(self) -> dict[str, int]:
        """Return the number of passages of each language, most first."""
        counts = {code: self.count(code) for code in self.facts.languages}
        return {code: n for code, n in sorted(counts.items(), key=lambda pair: -pair[1]) if n}

    def scan(self) -> Iterator[tuple[list[Passage], FloatArray]]:
        """Return all passages with their vectors, in parts."""
        try:
            yield from self.engine.scan()
        finally:
            self.engine.release()

    def refresh(self) -> None:
        """Read the facts again: another process may have added languages, or put another index here.

        Raises:
            PanglotError: there is no index any more, or one of another model's vectors.
        """
        found = self.engine.facts()
        if found is None:
            raise PanglotError(f"{self.place}: {NONE_THERE}")
        facts = facts_from_json(found, self.place)
        check_same(facts, self.facts, self.place)
        self.facts = facts

    def close(self) -> None:
        """Let other processes in."""
        self.engine.release()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        languages = ", ".join(self.facts.languages) or "no passages yet"
        return f"Index({self.place!r}, {self.engine.kind}, {self.facts.name}, {languages})"

    def _check(self, model: SentenceTransformer) -> None:
        """Raise a ``PanglotError`` where a model's questions cannot be looked up.

        A model exported from the one that made the index gives nearly the same vectors, and may ask.
        """
        from panglot.encoders.onnx import exported_from

        facts = facts_of(model, "the given one", self.facts.length, self.means)
        source = exported_from(model)
        check_same(self.facts, facts if source is None else replace(facts, sha256=source), self.place)

    def _vectors(
        self,
        passages: Sequence[Passage],
        kept: dict[str, Kept],
        bf16: bool,
        changes: Changes,
        advance: Callable[[int], None],
    ) -> FloatArray:
        """Return the vectors of passages: those that are in the index where nothing else changed."""
        moved = {p.id for p in passages if p.id in kept and kept[p.id].digest == p.digest()}
        known = self.engine.vectors(sorted(moved)) if moved else {}
        fresh = [row for row, passage in enumerate(passages) if passage.id not in known]
        vectors = np.empty((len(passages), self.facts.dimension), np.float32)

        def encoding(count: int) -> None:  # it is what takes long
            self.engine.give_way()
            advance(count)

        texts, prompt = [passages[k].encoded for k in fresh], self.facts.prompts["passage"]
        encoded = encoders.encode(self.model, texts, prompt, bf16=bf16, progress=encoding)
        advance(len(known))
        if self.means is not None and fresh:
            encoded = _centred(encoded, [passages[k].language for k in fresh], self.means.passage)
        if not np.isfinite(encoded).all():
            raise PanglotError("the model's vectors are not finite; check that its training went well.")
        vectors[fresh] = encoded
        for row in set(range(len(passages))) - set(fresh):
            vectors[row] = known[passages[row].id]
        changes.encoded += len(fresh)
        changes.moved += len(known)
        changes.changed += sum(passages[k].id in kept for k in fresh)
        changes.added += sum(passages[k].id not in kept for k in fresh)
        return vectors


def _as_documents(
    progress: Callable[[int], None] | None, documents: int, passages: int
) -> Callable[[int], None]:
    """Return what takes numbers of passages and reports the documents that are as large a share."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = documents * done // passages, done + count
        if progress is not None and (more := documents * done // passages - before):
            progress(more)

    return advance


def _centred(vectors: FloatArray, languages: Sequence[str], means: encoders.RoleMeans) -> FloatArray:
    codes = sorted(set(languages))
    return encoders.centre(vectors, np.array([codes.index(one) for one in languages], np.int64), codes, means)


def existing_facts(place: str | Path) -> IndexFacts | None:
    """Return what the index at a place remembers; None where there is none."""
    found = _opened(place)
    return None if found is None else found[1]


def _opened(place: str | Path) -> tuple[Engine, IndexFacts] | None:
    """Return the engine of the index at a place, which others may use, and its facts."""
    if "://" not in str(place) and not Path(place).exists():
        return None
    engine = open_engine(place)
    found = engine.facts()
    engine.release()
    return None if found is None else (engine, facts_from_json(found, str(place)))


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
