"""Hard negatives in several languages; rows that keep theirs; what is refused."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import PanglotError
from panglot.data import ParallelPairs, load_pairs, pairs_from_rows
from panglot.search.mine import Mined, mine_negatives

Row = dict[str, Any]
Vectors = dict[str, Sequence[float]]
MakeEncoder = Callable[[Vectors], SentenceTransformer]
MakePairs = Callable[..., tuple[SentenceTransformer, ParallelPairs]]
DONE = {"negatives": ["Mined before."]}


def row(item: str, language: str = "en", fields: Row | None = None) -> Row:
    texts = {"query": f"{item} {language}?", "passage": f"{item} {language}"}
    return {"item_id": item, "language": language, **texts, **(fields or {})}


def negatives(mined: Mined) -> dict[tuple[str, str], list[str]]:
    """The texts of the mined negatives, by item and language."""
    passages = mined.pairs.table.column("passage").to_pylist()
    return {
        (row["item_id"], row["language"]): [passages[k] for k in chosen if k >= 0]
        for row, chosen in zip(mined.pairs.table.to_pylist(), mined.rows.tolist(), strict=True)
    }


# item a asks along the first axis in English and along the second in German; means over the four pairs:
# a 0.6, b (0.7 + 0.1 + 0.1 + 0.3) / 4 = 0.3, c (0.6 + 0.5 + 0.4 + 0.5) / 4 = 0.5
TWO_LANGUAGES = {
    "a": {"en": (0.9, 0.3), "de": (0.3, 0.9)},
    "b": {"en": (0.7, 0.1), "de": (0.1, 0.3)},
    "c": {"en": (0.6, 0.5), "de": (0.4, 0.5)},
}


@pytest.fixture(scope="session")
def two_languages(table_encoder: MakeEncoder) -> MakePairs:
    """Give the pairs of ``TWO_LANGUAGES``, perhaps without one row, and their encoder."""

    def make(without: tuple[str, str] | None = None) -> tuple[SentenceTransformer, ParallelPairs]:
        entries = [(item, code) for item in TWO_LANGUAGES for code in ("de", "en") if (item, code) != without]
        asked = {"en": [1, 0], "de": [0, 1]}
        vectors: Vectors = {}
        for (item, code), own in zip(entries, np.eye(len(entries)), strict=True):
            x, y = TWO_LANGUAGES[item][code]
            vectors[f"tell {item} {code}"] = [x, y, *((1 - x**2 - y**2) ** 0.5 * own), *(0 * own)]
            # the queries of b and c do not matter
            vectors[f"ask {item} {code}?"] = [*(asked[code] if item == "a" else [0, 0]), *(0 * own), *own]
            if item == "a":
                vectors[f"ask {item} {code}?"] = [*asked[code], *(0 * own), *(0 * own)]
        return table_encoder(vectors), pairs_from_rows([row(*entry) for entry in entries], "handmade")

    return make


def test_within_a_language_each_query_ranks_its_own_pool(two_languages: MakePairs) -> None:
    texts = negatives(mine_negatives(*two_languages(), across_languages=False, centred=False))
    assert texts["a", "en"] == ["b en", "c en"]
    assert texts["a", "de"] == ["c de", "b de"]


def test_across_languages_every_row_of_an_item_has_the_same_items(two_languages: MakePairs) -> None:
    texts = negatives(mine_negatives(*two_languages(), centred=False))
    assert texts["a", "en"] == ["c en", "b en"]
    assert texts["a", "de"] == ["c de", "b de"]


def test_across_languages_the_margin_is_that_of_the_mean(two_languages: MakePairs) -> None:
    # 0.8 * 0.6 = 0.48 lies between c and b; in English alone, 0.8 * 0.9 = 0.72 is above both
    texts = negatives(mine_negatives(*two_languages(), centred=False, margin=0.8))
    assert texts["a", "en"] == ["b en"]
    assert texts["a", "de"] == ["b de"]


def test_an_item_that_lacks_the_language_is_passed_over(two_languages: MakePairs) -> None:
    texts = negatives(mine_negatives(*two_languages(without=("c", "de")), count=1, centred=False))
    assert texts["a", "en"] == ["c en"]  # (0.6 + 0.5) / 2 = 0.55 is the mean of its only version
    assert texts["a", "de"] == ["b de"]


def test_a_language_whose_passages_all_score_high_is_not_favoured(table_encoder: MakeEncoder) -> None:
    # raw means: a 0.6, b 0.7, c 0.5; less the means of their languages, 0.8 and 0.25: 0.075, -0.1, -0.025
    scores = {("a", "en"): 0.9, ("b", "en"): 0.7, ("c", "en"): 0.8, ("a", "de"): 0.3, ("c", "de"): 0.2}
    vectors: Vectors = {}
    for own, ((name, code), score) in zip(np.eye(len(scores)), scores.items(), strict=True):
        vectors[f"ask {name} {code}?"] = [1, *(0 * own)]
        vectors[f"tell {name} {code}"] = [score, *((1 - score**2) ** 0.5 * own)]
    model, pairs = table_encoder(vectors), pairs_from_rows([row(*entry) for entry in scores], "handmade")
    assert negatives(mine_negatives(model, pairs, centred=False))["a", "en"] == ["c en"]
    # c stays below a margin of 0.1 * 0.075 = 0.0075
    assert negatives(mine_negatives(model, pairs, margin=0.1))["a", "en"] == ["c en", "b en"]


@pytest.mark.parametrize("across", [True, False])
def test_rows_that_have_negatives_keep_them_unless_told(two_languages: MakePairs, across: bool) -> None:
    model, pairs = two_languages()
    rows = pairs.table.to_pylist()
    rows[1] |= DONE  # a in English
    rows[0] |= {"negatives": []}
    pairs = pairs_from_rows(rows, "handmade")
    mined = mine_negatives(model, pairs, across_languages=across, centred=False)
    texts = negatives(mined)
    assert mined.kept.tolist() == [False, True, False, False, False, False]
    assert texts["a", "en"] == []
    assert texts["a", "de"] == ["c de", "b de"]
    anew = mine_negatives(model, pairs, across_languages=across, centred=False, overwrite=True)
    assert not anew.kept.any()
    assert len(negatives(anew)["a", "en"]) == 2


def test_selected_pairs_are_mined_among_themselves(two_languages: MakePairs) -> None:
    model, pairs = two_languages()
    mined = mine_negatives(model, pairs.select(languages=["en"], items=[0, 1]), centred=False, margin=1)
    assert negatives(mined) == {
        **{(item, code): [] for item in "abc" for code in ("de", "en")},
        ("a", "en"): ["b en"],
        ("b", "en"): ["a en"],
    }


@pytest.mark.parametrize("across", [True, False])
def test_progress_counts_three_for_each_row(two_languages: MakePairs, across: bool) -> None:
    told: list[int] = []
    mine_negatives(*two_languages(), across_languages=across, progress=told.append)
    assert sum(told) == 3 * 6
    assert len(told) > 2


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"count": 0}, "0 negatives a row are asked for"),
        ({"margin": 0}, "the margin is 0; use a share above 0"),
        ({"margin": 1.1}, "the margin is 1.1"),
        ({"absolute_margin": -0.1}, "the absolute margin is -0.1"),
        ({"duplicate": 0}, "the duplicate limit is 0"),
        ({"duplicate": 95}, "the duplicate limit is 95"),
        ({"skip_top": -1}, "-1 of the hardest"),
        ({"margin": float("nan")}, "the margin is nan"),
    ],
)
def test_a_setting_out_of_range_is_refused(
    two_languages: MakePairs, setting: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PanglotError, match=sentence):
        mine_negatives(*two_languages(), **setting)


def test_nothing_to_mine_is_said_before_anything_is_encoded(table_encoder: MakeEncoder) -> None:
    pairs = pairs_from_rows([row("a", fields=DONE), row("b", fields=DONE)], "handmade")
    with pytest.raises(PanglotError, match=r"handmade: every row has negatives already; .* --overwrite"):
        mine_negatives(table_encoder({"none": [1.0]}), pairs)


def test_texts_of_a_corpus_are_candidates_in_their_language(
    table_encoder: MakeEncoder, tmp_path: Path
) -> None:
    scores = {"a en": 0.9, "b en": 0.3, "far": 0.2, "near": 0.6, "over": 0.89, "like a": 0.8}
    vectors: Vectors = {f"ask {name}?": [1, *np.zeros(7)] for name in ("a en", "b en", "a de", "b de")}
    for k, (name, score) in enumerate(scores.items()):
        vectors[f"tell {name}"] = [score, *((1 - score**2) ** 0.5 * np.eye(7)[k])]
    vectors["tell like a"] = [0.8, 0.6, *np.zeros(6)]  # cosine with a's own passage: 0.72 + 0.6 * 0.436
    vectors["tell a de"] = [0.9, *(0.19**0.5 * np.eye(7)[6])]
    vectors["tell b de"] = [0.1, *(0.99**0.5 * np.eye(7)[5])]
    pairs = pairs_from_rows([row(name, code) for code in ("en", "de") for name in ("a", "b")], "handmade")
    corpus = {"en": ["far", "near", "b en", "near", "over", "like a"]}
    how: Any = {"across_languages": False, "centred": False, "duplicate": 0.95}
    mined = mine_negatives(table_encoder(vectors), pairs, corpus=corpus, **how)
    assert mined.further == ("far", "near", "over", "like a")  # b's passage is one already
    mined.save(tmp_path / "mined.jsonl")
    found = {
        (row["item_id"], row["language"]): row["negatives"]
        for row in load_pairs(tmp_path / "mined.jsonl").table.to_pylist()
    }
    # over scores more than 0.95 * 0.9, and like a is too near
    assert found["a", "en"] == ["near", "b en", "far"]
    assert found["a", "de"] == ["b de"]


def test_texts_of_a_corpus_have_no_translations_to_rank_by(two_languages: MakePairs) -> None:
    with pytest.raises(PanglotError, match="texts of a corpus have no translations"):
        mine_negatives(*two_languages(), corpus={"en": ["a text"]})
