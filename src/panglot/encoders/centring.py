"""Language centring: take the mean embedding of its language away from each text, and normalise again.

A baseline against language bias that needs no training (Libovický, Rosa and Fraser 2020, "On the Language
Neutrality of Pre-trained Multilingual Representations", arXiv 2004.05160). Queries and passages have means
of their own. Removing more than the mean, a language's principal directions, is the LIR of Yang, Yang, Cer
and Darve 2021 (arXiv 2109.04727).
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import IntArray, ParallelPairs
from panglot.encoders.encode import FloatArray, encode
from panglot.encoders.load import model_sha256
from panglot.encoders.means_file import LanguageMeans, RoleMeans, prompts_of
from panglot.errors import PanglotError

FEWEST = 10  # texts: a mean over fewer is mostly about what those few say
TEXTS = 1000  # a language and role: the mean then moves by 3 % of the spread of its texts
BLOCK = 1 << 20  # items looked through at a time
GOLDEN = np.uint64(11400714819323198485)  # the golden ratio's fraction times 2 ** 64
VANISHED = 1e-6  # a vector that short is rounding error


def language_means(embeddings: FloatArray, languages: IntArray, codes: Sequence[str]) -> RoleMeans:
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
    which all others lost would stand apart from them more than before. In the mean of all languages each
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
        sources: parallel pairs.
        texts: at most so many queries and as many passages of each language, evenly spread over the sources.
        progress: called with the number of texts just encoded, ``count_texts`` in all.

    Raises:
        PanglotError: no texts are asked for.
    """
    if texts < 1:
        raise PanglotError(f"means over {texts} texts a language cannot be taken; use 1 or more.")
    codes = sorted({code for source in sources for code in source.languages})
    found: dict[str, list[str]] = {"query": [], "passage": []}
    language: list[int] = []
    for k, code in enumerate(codes):
        for source, rows in _spread(sources, code, texts):
            language += [k] * len(rows)
            for column, chosen in found.items():
                chosen += source.texts(column, rows)
    prompts = prompts_of(model)
    means = {
        role: language_means(
            encode(model, chosen, prompts[role], progress=progress), np.array(language, np.int64), codes
        )
        for role, chosen in found.items()
    }
    return LanguageMeans(
        query=means["query"],
        passage=means["passage"],
        model_sha256=model_sha256(model),
        prompts=prompts,
        sources=tuple({"name": source.name, "sha256": source.sha256} for source in sources),
    )


def count_texts(sources: Sequence[ParallelPairs], texts: int = TEXTS) -> int:
    """Return how many texts ``means_of_pairs`` encodes."""
    totals: dict[str, int] = {}
    for source in sources:
        for k, code in enumerate(source.languages):
            totals[code] = totals.get(code, 0) + len(source.index.items_in(k))
    return 2 * sum(min(texts, total) for total in totals.values())


def centring_notes(means: RoleMeans, codes: Sequence[str], role: str) -> list[str]:
    """Say which of some languages have too few texts behind their mean, or none.

    Args:
        means: of one role.
        codes: the languages of the texts that are centred.
        role: what the sentences call those texts, such as ``queries``.
    """
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
        notes.append(f"there is no mean of {role} in {none}; the mean of all languages stands in.")
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
