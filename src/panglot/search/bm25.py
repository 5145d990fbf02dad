"""BM25: words of any language, and the scores of a pool.

Robertson and Zaragoza 2009 in Lucene's variant, by the library ``bm25s`` (Lù 2024, arXiv 2407.03618).
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import regex

from panglot.data import FloatArray
from panglot.languages import matching

BM25 = "bm25"
K1, B = 0.9, 0.4  # Anserini's, which published figures on BEIR and MIRACL use
TOKENS = "words (letters, marks, digits; NFKC_Casefold), and character bigrams of scripts without spaces"
# Lucene's CJKAnalyzer makes bigrams of the first four. The others put no spaces between words either.
BIGRAM_SCRIPTS = ("Han", "Hiragana", "Katakana", "Hangul", "Thai", "Lao", "Khmer", "Myanmar")
_BIGRAM = "".join(rf"\p{{{name}}}" for name in BIGRAM_SCRIPTS)
WORD = regex.compile(
    rf"(?P<dense>[{_BIGRAM}&&[\p{{L}}\p{{M}}]][[{_BIGRAM}&&[\p{{L}}]]\p{{M}}ー々]*)"
    rf"|[[\p{{L}}\p{{M}}\p{{N}}]--[{_BIGRAM}&&\p{{L}}]]+",
    regex.V1,
)
CHARACTER = regex.compile(r"\X")
# What is not to be seen: soft hyphens, joiners. A zero-width space divides words where no other spaces do.
INVISIBLE = regex.compile(
    rf"[\p{{Default_Ignorable_Code_Point}}--\u200b]|(?<![{_BIGRAM}])\u200b(?![{_BIGRAM}])", regex.V1
)
# In SpecialCasing.txt (tr, az), and in the other alphabets with both letters, I is the capital of ı, İ of i.
DOTLESS = ("tr", "az", "azj", "crh", "gag", "kk-Latn", "tt-Latn")
CAPITALS = str.maketrans({"I": "ı", "İ": "i"})


def bm25_tokens(text: str, language: str = "") -> list[str]:
    """Cut a text into what BM25 counts, by the script of its characters.

    Words are runs of letters, marks and digits, folded as Unicode's NFKC_Casefold does: compatibility forms,
    case and what is invisible make no difference. Nothing is stemmed and no stop words are taken out, so that
    all languages are treated alike. A run of characters of a script without spaces between words gives its
    overlapping bigrams (a run of one: itself).

    Args:
        language: matters to one letter. In Turkish and Azerbaijani the small letter of I is ı; but texts have
            names such as Intel, so that a word with a capital I is counted in both forms.
    """
    text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    tokens = _folded_tokens(text)
    if "I" in text and matching(DOTLESS, [language]):
        tokens += (Counter(_folded_tokens(text.translate(CAPITALS))) - Counter(tokens)).elements()
    return tokens


def query_tokens(text: str) -> list[str]:
    """Cut a question whose language is not known: it may be Turkish."""
    return bm25_tokens(text, DOTLESS[0])


def _folded_tokens(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text.casefold()).replace("i\u0307", "i")
    tokens: list[str] = []
    for match in WORD.finditer(folded):
        if match["dense"] is None:
            tokens.append(match[0])
            continue
        characters = CHARACTER.findall(match[0])
        pairs = [a + b for a, b in pairwise(characters)]
        tokens += pairs or characters
    return tokens


class Bm25Pool:
    """The passages of one pool, indexed."""

    def __init__(self, passages: Sequence[list[str]], k1: float = K1, b: float = B) -> None:
        import bm25s

        self.size = len(passages)
        self._number: dict[str, int] = {}
        ids = [[self._number.setdefault(t, len(self._number)) for t in tokens] for tokens in passages]
        self._index: Any = None
        if self._number:
            self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
            self._index.index((ids, self._number), show_progress=False, create_empty_token=False)

    def scores(self, query: Sequence[str]) -> FloatArray:
        """Return the score of every passage for a query's tokens, ``(P,)``; a repeated one counts again."""
        known = [self._number[token] for token in query if token in self._number]
        if not known:
            return np.zeros(self.size, np.float32)
        return np.asarray(self._index.get_scores_from_ids(known), np.float32)
