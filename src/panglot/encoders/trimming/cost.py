"""What a trimmed model costs: the same texts read and encoded by the whole model and the trimmed one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import IntArray, ParallelPairs, sample_benchmark
from panglot.encoders.encoding import encode
from panglot.encoders.load import passage_prompt, query_prompt
from panglot.encoders.trimming.choice import Vocabulary, texts_of

TEXTS = 200  # read and encoded twice


@dataclass(frozen=True)
class Cost:
    """What changed for some texts.

    Attributes:
        figures: numbers of texts and tokens, ``tokens_changed`` (share of the whole model's tokens that the
            trimmed one does not read), ``unknown_before`` and ``unknown_after`` (shares of tokens), and the
            mean and lowest cosine between a text's embeddings before and after.
        same: the lowest cosine of the texts that both read as the same tokens; None where there is none.
    """

    figures: dict[str, Any]
    same: float | None


def given_texts(
    model: SentenceTransformer, pairs: Sequence[ParallelPairs], extra: Sequence[str]
) -> list[str]:
    """Return some of the texts that the pieces were chosen by, evenly spread."""
    texts = list(extra)
    for source in pairs:
        rows = source.index.rows
        texts += texts_of(model, source, rows[_spread(len(rows))])
    return [texts[place] for place in _spread(len(texts))]


def sample_texts(model: SentenceTransformer, languages: Sequence[str]) -> list[str]:
    """Return held-out texts of the bundled sample in some languages, evenly spread; none if it lacks them."""
    benchmark = sample_benchmark()
    sides = ((query_prompt(model), benchmark.queries), (passage_prompt(model), benchmark.passages))
    texts = [
        prompt + text
        for prompt, side in sides
        for text, language in zip(side.texts, side.languages, strict=True)
        if benchmark.languages[language] in languages
    ]
    return [texts[place] for place in _spread(len(texts))]


def cost(
    whole: tuple[SentenceTransformer, Vocabulary],
    trimmed: tuple[SentenceTransformer, Vocabulary],
    texts: Sequence[str],
    progress: Callable[[int], None] | None = None,
) -> Cost | None:
    """Compare two models on texts with prompts; None where there are no texts."""
    if not texts:
        return None
    (tokens, tokens_after) = (_tokens(vocabulary, texts) for _, vocabulary in (whole, trimmed))
    (before, after) = (encode(model, texts, progress=progress) for model, _ in (whole, trimmed))
    cosines = (before * after).sum(axis=1)
    total = sum(map(len, tokens))
    lost = sum((Counter(a) - Counter(b)).total() for a, b in zip(tokens, tokens_after, strict=True))
    equal = np.array([a == b for a, b in zip(tokens, tokens_after, strict=True)])
    figures = {
        "texts": len(texts),
        "tokens": total,
        "tokens_after": sum(map(len, tokens_after)),
        "tokens_changed": lost / total,
        "unknown_before": _unknown(whole[1], tokens),
        "unknown_after": _unknown(trimmed[1], tokens_after),
        "cosine_mean": float(cosines.mean()),
        "cosine_lowest": float(cosines.min()),
    }
    return Cost(figures, float(cosines[equal].min()) if equal.any() else None)


def _tokens(vocabulary: Vocabulary, texts: Sequence[str]) -> list[list[str]]:
    return [[vocabulary.pieces[number] for number in ids] for ids in vocabulary.read(list(texts))]


def _unknown(vocabulary: Vocabulary, texts: list[list[str]]) -> float:
    """Return the share of tokens that say no more than that something stood there."""
    if vocabulary.unknown is None:
        return 0.0
    unknown = vocabulary.pieces[vocabulary.unknown]
    return sum(tokens.count(unknown) for tokens in texts) / max(1, sum(map(len, texts)))


def _spread(length: int) -> IntArray:
    """Return the places of at most ``TEXTS`` values, evenly spread."""
    return np.unique(np.linspace(0, length - 1, min(TEXTS, length)).astype(np.int64))
