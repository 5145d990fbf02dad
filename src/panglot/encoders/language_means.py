"""The mean embeddings of a model's languages, and the file that keeps them beside the model."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray, IntArray, ParallelPairs
from panglot.encoders.encoding import encode
from panglot.encoders.load import model_sha256, passage_prompt, prompts_of
from panglot.errors import PanglotError
from panglot.files import atomic_write
from panglot.parse import parse_json

MEANS_FILE = "language_means.safetensors"
REMAKE = "compute them again with panglot centre"
FORMAT = 1


@dataclass(frozen=True)
class RoleMeans:
    """Mean embeddings of queries or of passages, language by language.

    Attributes:
        languages: L codes, sorted.
        vectors: ``(L, d)`` float32, the plain means of unit vectors.
        texts: ``(L,)`` how many texts each is the mean of, at least 1.
    """

    languages: tuple[str, ...]
    vectors: FloatArray
    texts: IntArray

    def counts(self, codes: Sequence[str]) -> dict[str, int]:
        """Return the number of texts behind each of some languages; 0 where there is no mean."""
        known = dict(zip(self.languages, self.texts.tolist(), strict=True))
        return {code: known.get(code, 0) for code in codes}


@dataclass(frozen=True)
class LanguageMeans:
    """The means of one model's embeddings, and where they come from.

    Attributes:
        query: means of queries.
        passage: means of passages.
        model_sha256: weights of the model that they belong to; see ``model_sha256``.
        prompts: that were before the texts, ``query`` and ``passage``.
        sources: ``name`` and ``sha256`` of each set of texts.
    """

    query: RoleMeans
    passage: RoleMeans
    model_sha256: str
    prompts: dict[str, str]
    sources: tuple[dict[str, str], ...]


def save_language_means(path: str | Path, means: LanguageMeans) -> Path:
    """Write means into a folder (a model's own, or any) or a ``.safetensors`` file, and return that file."""
    path = _means_path(path)
    roles = {"query": means.query, "passage": means.passage}
    about = {
        "format": FORMAT,
        "model_sha256": means.model_sha256,
        "prompts": means.prompts,
        "sources": means.sources,
        **{role: {"languages": of.languages, "texts": of.texts.tolist()} for role, of in roles.items()},
    }
    with atomic_write(path) as part:
        tensors = {role: np.ascontiguousarray(of_role.vectors) for role, of_role in roles.items()}
        save_file(tensors, part, metadata={"panglot": json.dumps(about, ensure_ascii=False)})
    return path


def load_language_means(path: str | Path) -> LanguageMeans:
    """Read what ``save_language_means`` wrote.

    Raises:
        PanglotError: there are none, or the file is damaged or of another kind.
    """
    path = _means_path(path)
    if not path.is_file():
        raise PanglotError(f"{path}: there are no language means; compute them with panglot centre.")
    try:
        with safe_open(path, "numpy") as file:
            about = parse_json((file.metadata() or {}).get("panglot", "{}"), path, fix=REMAKE)
            if about.get("format") != FORMAT:
                raise ValueError(f"its format is {about.get('format')}, not {FORMAT}")
            return LanguageMeans(
                query=_role(about["query"], file.get_tensor("query")),
                passage=_role(about["passage"], file.get_tensor("passage")),
                model_sha256=str(about["model_sha256"]),
                prompts=dict(about["prompts"]),
                sources=tuple(about["sources"]),
            )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PanglotError(
            f"{path}: is not a file of language means that can be read ({error}); {REMAKE}."
        ) from error


def holds_language_means(path: str | Path) -> bool:
    """Say whether a path is a file of language means, or a folder with one in it."""
    path = Path(path)
    return path.suffix == ".safetensors" or (path.is_dir() and (path / MEANS_FILE).exists())


def check_means(means: LanguageMeans, model: SentenceTransformer) -> None:
    """Raise a ``PanglotError`` where means belong to other weights, prompts or dimensions than a model's."""
    fix = "compute them again for this model with panglot centre"
    own = model_sha256(model)
    if means.model_sha256 != own:
        raise PanglotError(
            f"the language means belong to a model with other weights (sha256 {means.model_sha256[:16]}, "
            f"this one has {own[:16]}); {fix}."
        )
    if means.prompts != prompts_of(model):
        raise PanglotError(
            f"the language means were taken with the prompts {means.prompts}, but the model has "
            f"{prompts_of(model)}; {fix}."
        )
    own_dimension, dimension = model.get_embedding_dimension(), means.query.vectors.shape[1]
    if own_dimension not in (None, dimension):
        raise PanglotError(
            f"the language means have {dimension} dimensions, and the model's embeddings are cut to "
            f"{own_dimension}; leave the centring or the cut out."
        )


def _means_path(path: str | Path) -> Path:
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / MEANS_FILE


def _role(about: dict[str, Any], vectors: FloatArray) -> RoleMeans:
    languages, texts = tuple(about["languages"]), np.array(about["texts"], np.int64)
    fitting = vectors.ndim == 2 and len(vectors) == len(languages) == len(texts) and bool((texts > 0).all())
    if not (fitting and np.isfinite(vectors).all()):
        raise ValueError("its vectors do not fit its languages, or are not finite")
    return RoleMeans(languages, vectors.astype(np.float32), texts)


FEWEST = 10  # texts: a mean over fewer is mostly about what those few say
TEXTS = 1000  # a language and role: the mean then moves by 3 % of the spread of its texts
BLOCK = 1 << 20  # items looked through at a time
GOLDEN = np.uint64(11400714819323198485)  # the golden ratio's fraction times 2 ** 64
VANISHED = 1e-6  # a vector that short is rounding error


def means_of_texts(embeddings: FloatArray, languages: IntArray, codes: Sequence[str]) -> RoleMeans:
    """Average the embeddings of each language.

    Args:
        embeddings: ``(n, d)`` unit vectors of queries or of passages.
        languages: ``(n,)`` position of each text's language in ``codes``.
        codes: languages; one without texts gets no mean.
    """
    present = [k for k in sorted(range(len(codes)), key=codes.__getitem__) if (languages == k).any()]
    vectors = np.zeros((len(present), embeddings.shape[1]), np.float32)
    for row, k in enumerate(present):
        vectors[row] = embeddings[languages == k].mean(axis=0, dtype=np.float64)
    texts = np.bincount(languages, minlength=len(codes))[present]
    return RoleMeans(tuple(codes[k] for k in present), vectors, texts)


def subtrahends(means: RoleMeans, codes: Sequence[str]) -> FloatArray:
    """Return what ``centre`` takes away from the texts of each language, ``(len(codes), d)``.

    With ten texts (``FEWEST``) or more that is the language's mean. A smaller language is filled up to ten
    with the mean of all languages, and one without texts gets that alone: a language that kept the direction
    which all others lost would be farther from them than before. In the mean of all languages each
    counts by its texts, up to ten; where all together have fewer, it is filled up to ten with zeros, so that
    a single text is not taken away from itself.
    """
    weights = np.minimum(means.texts, FEWEST).astype(float)
    overall = weights @ means.vectors.astype(float) / max(weights.sum(), FEWEST)
    shares = (weights / FEWEST)[:, None]
    filled = shares * means.vectors + (1 - shares) * overall
    of_language = dict(zip(means.languages, filled, strict=True))
    return np.array([of_language.get(code, overall) for code in codes], np.float32)


def centre(embeddings: FloatArray, languages: IntArray, codes: Sequence[str], means: RoleMeans) -> FloatArray:
    """Take each language's mean away and normalise again.

    Args:
        embeddings: ``(n, d)`` unit vectors; left as they are.
        languages: ``(n,)`` position of each text's language in ``codes``.
        codes: languages; see ``subtrahends`` for those with few texts or none behind their mean.
        means: of the same role and model.

    Returns:
        ``(n, d)`` unit vectors. One that equals what is taken away becomes 0: it is as near to all others.
    """
    centred = subtrahends(means, codes)[languages]
    np.subtract(embeddings, centred, out=centred)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    vanished = length[:, 0] < VANISHED
    centred /= np.where(vanished[:, None], 1, length)
    centred[vanished] = 0
    return centred


def means_of_pairs(
    model: SentenceTransformer,
    sources: Sequence[ParallelPairs],
    texts: int = TEXTS,
    *,
    progress: Callable[[int], None] | None = None,
) -> LanguageMeans:
    """Average a model's embeddings of training texts.

    A mean also holds what its texts are about. So the languages of parallel texts get the same items as far
    as they can, and what those are about is taken away from all alike.

    Args:
        model: any sentence-transformers encoder; its own prompts are used.
        texts: at most so many queries and as many passages of each language, evenly spread over the sources.

    Raises:
        PanglotError: no texts are asked for.
    """
    _check_texts(texts)
    codes = sorted({code for source in sources for code in source.languages})
    found: dict[str, list[str]] = {"query": [], "passage": []}
    language: list[int] = []
    for k, code in enumerate(codes):
        for source, rows in _spread(sources, code, texts):
            language += [k] * len(rows)
            for column, chosen in found.items():
                chosen += source.texts(column, rows)
    means = {}
    for role, prompt in prompts_of(model).items():
        vectors = encode(model, found[role], prompt, progress=progress)
        means[role] = means_of_texts(vectors, np.array(language, np.int64), codes)
    return _described(model, means["query"], means["passage"], sources)


def shift_of_pairs(
    model: SentenceTransformer,
    sources: Sequence[ParallelPairs],
    pivot: str = "en",
    texts: int = TEXTS,
    *,
    progress: Callable[[int], None] | None = None,
) -> LanguageMeans:
    """Return what moves the passages of every language to where their translations in a pivot language are.

    The mean difference of parallel passages is taken away from passages, and nothing from queries (Shift,
    arXiv 2606.18801). A language that shares no item with the pivot gets the mean of the others.

    Raises:
        PanglotError: no source has passages in the pivot language.
    """
    _check_texts(texts)
    codes = sorted({code for source in sources for code in source.languages})
    if pivot not in codes:
        raise PanglotError(f"no source has a passage in '{pivot}'; use one of {', '.join(codes)}.")
    own: list[str] = []
    other: list[str] = []
    language: list[int] = []
    for k, code in enumerate(codes):
        for source in sources:
            if code in source.languages and pivot in source.languages:
                here, there = (source.languages.index(name) for name in (code, pivot))
                items = np.intersect1d(source.index.items_in(here), source.index.items_in(there))
                left = texts - language.count(k)
                items = np.sort(items[np.argsort(items.astype(np.uint64) * GOLDEN)[:left]])
                own += source.texts("passage", source.rows(items, np.full(len(items), here)))
                other += source.texts("passage", source.rows(items, np.full(len(items), there)))
                language += [k] * len(items)
    vectors = encode(model, own + other, passage_prompt(model), progress=progress)  # equal texts once
    shift = means_of_texts(vectors[: len(own)] - vectors[len(own) :], np.array(language, np.int64), codes)
    none = replace(shift, vectors=np.zeros_like(shift.vectors))
    return _described(model, none, shift, sources)


def _check_texts(texts: int) -> None:
    if texts < 1:
        raise PanglotError(f"means over {texts} texts a language cannot be taken; use 1 or more.")


def _described(
    model: SentenceTransformer,
    query: RoleMeans,
    passage: RoleMeans,
    sources: Sequence[ParallelPairs | Benchmark],
) -> LanguageMeans:
    """Say where the means of a model's embeddings come from."""
    named = tuple({"name": source.name, "sha256": source.sha256} for source in sources)
    return LanguageMeans(query, passage, model_sha256(model), prompts_of(model), named)


def count_texts(sources: Sequence[ParallelPairs], texts: int = TEXTS) -> int:
    """Return how many texts ``means_of_pairs`` encodes."""
    totals: dict[str, int] = {}
    for source in sources:
        for k, code in enumerate(source.languages):
            totals[code] = totals.get(code, 0) + len(source.index.items_in(k))
    return 2 * sum(min(texts, total) for total in totals.values())


def centring_notes(means: RoleMeans, codes: Sequence[str], role: str) -> list[str]:
    """Say which of some languages have too few texts (``role``: queries or passages) behind their mean."""
    counts = means.counts(codes)
    few = ", ".join(f"{code} ({count})" for code, count in counts.items() if 0 < count < FEWEST)
    none = ", ".join(code for code, count in counts.items() if not count)
    notes = []
    if few:
        notes.append(
            f"the means of {role} rest on fewer than {FEWEST} texts in {few}; "
            "they are filled up with the mean of all languages."
        )
    if none:
        notes.append(f"there is no mean of {role} in {none}; the mean of all languages takes its place.")
    return notes


def _spread(
    sources: Sequence[ParallelPairs], code: str, most: int
) -> Iterator[tuple[ParallelPairs, IntArray]]:
    """Choose rows of a language: of its items in all sources, one after the other, those of the lowest order.

    Orders are multiples of the golden ratio modulo 1: the items below any bound are evenly spread (Weyl), and
    two languages that exist in nearly the same items get nearly the same ones.
    """
    starts = np.cumsum([0, *(len(source) for source in sources)])
    best = np.empty(0, np.int64)
    for source, start in zip(sources, starts[:-1], strict=True):
        if code in source.languages:
            items = source.index.items_in(source.languages.index(code))
            for at in range(0, len(items), BLOCK):
                block = np.concatenate([best, items[at : at + BLOCK].astype(np.int64) + start])
                best = block[np.argsort(block.astype(np.uint64) * GOLDEN)[:most]]
    for source, start, end in zip(sources, starts[:-1], starts[1:], strict=True):
        items = np.sort(best[(best >= start) & (best < end)]) - start
        if len(items):
            yield source, source.rows(items, np.full(len(items), source.languages.index(code)))


Centre = LanguageMeans | Literal["corpus"] | None


def check_centre(wanted: Centre, model: SentenceTransformer) -> None:
    """Refuse an unknown kind of centring, and means of another model."""
    if isinstance(wanted, LanguageMeans):
        check_means(wanted, model)
    elif wanted not in (None, "corpus"):
        raise PanglotError(f"'{wanted}' is not a kind of centring; use corpus, or language means.")


def chosen_means(
    wanted: LanguageMeans | Literal["corpus"],
    model: SentenceTransformer,
    benchmark: Benchmark,
    queries: FloatArray,
    passages: FloatArray,
    note: Callable[[str], None] | None,
) -> tuple[LanguageMeans, dict[str, Any]]:
    """Return what is to be taken away from a benchmark's embeddings, and what the results file says of it.

    A sentence for each language whose mean rests on little goes to ``note``.
    """
    means = corpus_means(model, benchmark, queries, passages) if wanted == "corpus" else wanted
    for role, texts, of_role in (
        ("queries", benchmark.queries, means.query),
        ("passages", benchmark.passages, means.passage),
    ):
        codes = [benchmark.languages[k] for k in np.unique(texts.languages)]
        for sentence in centring_notes(of_role, codes, role):
            if note is not None:
                note(sentence)
    texts_behind = {
        "query": means.query.counts(benchmark.languages),
        "passage": means.passage.counts(benchmark.languages),
    }
    kind = "corpus" if wanted == "corpus" else "pairs"
    return means, {"means": kind, "sources": list(means.sources), "texts": texts_behind}


def corpus_means(
    model: SentenceTransformer, benchmark: Benchmark, queries: FloatArray, passages: FloatArray
) -> LanguageMeans:
    """Average a benchmark's own embeddings, ``(Q, d)`` and ``(P, d)``, judged or not."""
    codes = benchmark.languages
    query = means_of_texts(queries, benchmark.queries.languages, codes)
    passage = means_of_texts(passages, benchmark.passages.languages, codes)
    return _described(model, query, passage, [benchmark])


def centre_benchmark(
    benchmark: Benchmark, queries: FloatArray, passages: FloatArray, means: LanguageMeans
) -> tuple[FloatArray, FloatArray]:
    """Return a benchmark's embeddings, ``(Q, d)`` and ``(P, d)``, without their languages' means."""
    return (
        centre(queries, benchmark.queries.languages, benchmark.languages, means.query),
        centre(passages, benchmark.passages.languages, benchmark.languages, means.passage),
    )
