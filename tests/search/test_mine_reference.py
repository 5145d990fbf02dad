"""Hard negatives against a slow search, and against sentence-transformers."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from panglot import PanglotError, sample_pairs
from panglot.data import pairs_from_rows
from panglot.search import mine
from panglot.search.mine import mine_negatives

Row = dict[str, Any]
Vectors = dict[str, Sequence[float]]
Case = tuple[list[Row], Vectors]
# Components of 1/2 and -1/2: means over one, two or four languages are exact, and ties are many.
SIGNS = [[(-1) ** (k >> bit & 1) / 2 for bit in range(4)] for k in range(16)]
LANGUAGES = ("de", "en", "sw", "th")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to nine items in one, two or four languages, some of which share texts, and vectors."""
    rows: list[Row] = []
    for item in range(draw(st.integers(2, 9))):
        group = draw(st.sampled_from([f"i{item}"] * 4 + ["g1", "g2"]))
        for language in draw(st.permutations(LANGUAGES))[: draw(st.sampled_from([1, 2, 4]))]:
            row: Row = {"item_id": f"i{item}", "language": language, "passage_id": group}
            for column in ("query", "passage"):
                number = draw(st.sampled_from([f"{item} {language}"] * 8 + ["0", "1"]))
                row[column] = f"{column} {number}"
            row["negatives"] = draw(st.sampled_from([None, None, None, [], ["Mined before."]]))
            rows.append(row)
    texts = dict.fromkeys(f"ask {row['query']}" for row in rows)
    texts |= dict.fromkeys(f"tell {row['passage']}" for row in rows)
    return draw(st.permutations(rows)), {text: draw(st.sampled_from(SIGNS)) for text in texts}


def dot(x: list[float], y: list[float]) -> float:
    return sum(a * b for a, b in zip(x, y, strict=True))


def cosine(x: list[float], y: list[float]) -> float:
    lengths = (dot(x, x) * dot(y, y)) ** 0.5
    return dot(x, y) / lengths if lengths else 0.0


def mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    return [sum(axis) / len(vectors) for axis in zip(*vectors, strict=True)]


class SlowSearch:
    """One row, one candidate at a time."""

    def __init__(
        self,
        case: Case,
        *,
        across_languages: bool,
        centred: bool,
        margin: float,
        absolute_margin: float,
        duplicate: float,
    ) -> None:
        self.rows, self.vectors = case
        self.across, self.centred = across_languages, centred
        self.margin, self.absolute_margin, self.duplicate = margin, absolute_margin, duplicate
        self.versions: dict[str, list[Row]] = {}
        for row in self.rows:
            self.versions.setdefault(row["item_id"], []).append(row)
        self.excluded = dict.fromkeys(("same", "duplicate", "margin"), 0)
        self.closest = 1.0  # how close two figures came whose order matters

    def of_row(self, row: Row, column: str) -> list[float]:
        prompt = {"query": "ask", "passage": "tell"}[column]
        vector = list(self.vectors[f"{prompt} {row[column]}"])
        if column == "query" or not self.centred:
            return vector
        peers = [one for one in self.rows if one["language"] == row["language"]]
        middle = mean([self.vectors[f"tell {one['passage']}"] for one in peers])
        return [x - m for x, m in zip(vector, middle, strict=True)]

    def vector(self, row: Row, column: str) -> list[float]:
        chosen = self.versions[row["item_id"]] if self.across else [row]
        return mean([self.of_row(one, column) for one in chosen])

    def related(self, a: str, b: str) -> bool:
        shared = ("passage_id", "passage", "query")
        return any(x[name] == y[name] for x in self.versions[a] for y in self.versions[b] for name in shared)

    def kin(self, item: str) -> set[str]:
        known, new = {item}, {item}
        while new:
            new = {b for a in new for b in self.versions if b not in known and self.related(a, b)}
            known |= new
        return known

    def pool(self, language: str) -> list[Row]:
        """The rows of a language in the order of items, each text once."""
        pool: dict[str, Row] = {}
        for versions in self.versions.values():
            for row in versions:
                if row["language"] == language:
                    pool.setdefault(row["passage"], row)
        return list(pool.values())

    def above(self, figure: float, limit: float) -> bool:
        self.closest = min(self.closest, abs(figure - limit))
        return figure > limit

    def ranking(self, row: Row) -> list[str]:
        query, own, kin = self.vector(row, "query"), self.vector(row, "passage"), self.kin(row["item_id"])
        score = dot(query, own)
        limit = min(score - (1 - self.margin) * abs(score), score - self.absolute_margin)
        scores: dict[str, float] = {}
        for candidate in self.pool(row["language"]):
            passage = self.vector(candidate, "passage")
            if candidate["item_id"] in kin:
                self.excluded["same"] += 1
            elif self.duplicate < 1 and self.above(cosine(own, passage), self.duplicate):
                self.excluded["duplicate"] += 1
            elif self.above(dot(query, passage), limit):
                self.excluded["margin"] += 1
            else:
                scores[candidate["passage"]] = dot(query, passage)
        ranking = sorted(scores, key=lambda text: -scores[text])  # stable: ties stay in the order of items
        gaps = [scores[a] - scores[b] for a, b in pairwise(ranking)]
        self.closest = min([self.closest, *gaps])
        return ranking


@settings(max_examples=100, deadline=None)
@given(
    case=cases(),
    count=st.integers(1, 4),
    skip_top=st.integers(0, 2),
    across=st.booleans(),
    margin=st.sampled_from([0.5, 0.75, 1.0]),
    absolute_margin=st.sampled_from([0.0, 0.25]),
    duplicate=st.sampled_from([0.3, 0.77, 1.0]),
    seed=st.one_of(st.none(), st.integers(0, 9)),
    centred=st.booleans(),
    block=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    lookup=st.integers(1, 4),
)
def test_it_finds_what_a_slow_search_finds(
    table_encoder: Callable[[Vectors], SentenceTransformer],
    case: Case,
    count: int,
    skip_top: int,
    across: bool,
    margin: float,
    absolute_margin: float,
    duplicate: float,
    seed: int | None,
    centred: bool,
    block: tuple[int, int],
    lookup: int,
) -> None:
    rows, vectors = case
    if seed is not None:  # vectors without ties, which alone can be compared when centred
        drawn = np.random.default_rng(seed).normal(size=(len(vectors), 3))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        vectors = dict(zip(vectors, drawn.tolist(), strict=True))
    how: dict[str, Any] = {"margin": margin, "absolute_margin": absolute_margin, "duplicate": duplicate}
    how |= {"across_languages": across, "centred": centred and seed is not None}
    model, pairs = table_encoder(vectors), pairs_from_rows(rows, "handmade")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mine.BLOCKS, "cpu", block)
        patch.setattr(mine, "SLICE", lookup)
        if all(row["negatives"] for row in rows):
            with pytest.raises(PanglotError, match="every row has negatives"):
                mine_negatives(model, pairs, count, skip_top=skip_top, **how)
            return
        mined = mine_negatives(model, pairs, count, skip_top=skip_top, **how)
    slow = SlowSearch((rows, vectors), **how)
    expected = [[] if row["negatives"] else slow.ranking(row) for row in rows]
    assume(seed is None or slow.closest > 1e-5)
    for row, ranking, chosen in zip(rows, expected, mined.rows.tolist(), strict=True):
        texts = [rows[k]["passage"] for k in chosen if k >= 0]
        assert texts == ranking[skip_top : skip_top + count]
        assert all(rows[k]["language"] == row["language"] for k in chosen if k >= 0)
    assert mined.excluded == slow.excluded


@pytest.mark.slow
def test_it_finds_what_sentence_transformers_finds(encoder: SentenceTransformer) -> None:
    pairs = sample_pairs().select(languages=["en"])
    rows = pairs.rows(np.arange(len(pairs)), np.zeros(len(pairs), int))
    queries = pairs.texts("query", rows)
    theirs = mine_hard_negatives(
        Dataset.from_dict({"query": queries, "passage": pairs.texts("passage", rows)}),
        encoder,
        relative_margin=0.05,
        num_negatives=4,
        range_max=40,
        output_format="n-tuple",
        verbose=False,
    )
    mined = mine_negatives(encoder, pairs, across_languages=False, centred=False, duplicate=1)
    texts = [pairs.texts("passage", chosen[chosen >= 0]) for chosen in mined.rows[rows]]
    ours = dict(zip(queries, texts, strict=True))
    assert len(theirs) > 30
    for row in theirs:
        assert ours[row["query"]] == [row[f"negative_{k}"] for k in range(1, 5)]
