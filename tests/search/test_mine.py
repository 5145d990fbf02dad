"""Hard negatives in one language and in several, worked by hand; rows that keep theirs; what is refused."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot import PanglotError
from panglot.data import ParallelPairs, load_pairs, pairs_from_rows
from panglot.search import mine
from panglot.search.mine import Mined, mine_negatives

Row = dict[str, Any]
Vectors = dict[str, Sequence[float]]
MakeEncoder = Callable[[Vectors], SentenceTransformer]
MineOneRow = Callable[..., Mined]
MakePairs = Callable[..., tuple[SentenceTransformer, ParallelPairs]]
DONE = {"negatives": ["Mined before."]}  # so that only the row of interest is mined for


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


@pytest.fixture(scope="session")
def one_row(table_encoder: MakeEncoder) -> MineOneRow:
    """Mine for item ``a`` alone, given the cosines of its query with each item's passage.

    The rest of each passage's vector lies in a direction of its own.
    """

    def run(scores: dict[str, float], fields: dict[str, Row] | None = None, **how: Any) -> Mined:
        rows: list[Row] = []
        vectors: Vectors = {}
        for k, (name, score) in enumerate(scores.items()):
            rows.append(row(name, fields={**({} if name == "a" else DONE), **(fields or {}).get(name, {})}))
            rest = np.eye(len(scores))[k] * (1 - score**2) ** 0.5
            vectors[f"ask {rows[-1]['query']}"] = [1.0, *np.zeros(len(scores))]
            vectors[f"tell {rows[-1]['passage']}"] = [score, *rest]
        how = {"centred": False, "duplicate": 0.95, **how}
        return mine_negatives(table_encoder(vectors), pairs_from_rows(rows, "handmade"), **how)

    return run


def found(mined: Mined) -> list[str]:
    """What was found for item ``a``, by the items' names."""
    return [text.split()[0] for text in negatives(mined)["a", "en"]]


SCORES = {"a": 0.8, "b": 0.5, "c": 0.7, "d": 0.78, "e": -0.2, "f": 0.6}


@pytest.mark.parametrize("across", [True, False])
def test_the_hardest_come_first_below_the_margin(one_row: MineOneRow, across: bool) -> None:
    mined = one_row(SCORES, count=3, across_languages=across)
    assert found(mined) == ["c", "f", "b"]  # d scores more than 0.95 * 0.8 = 0.76
    assert mined.excluded == {"same": 1, "duplicate": 0, "margin": 1}


def test_there_are_fewer_where_no_more_are_left(one_row: MineOneRow) -> None:
    assert found(one_row(SCORES, count=9)) == ["c", "f", "b", "e"]


def test_a_margin_of_one_lets_through_what_scores_as_much(one_row: MineOneRow) -> None:
    mined = one_row({**SCORES, "g": 0.81}, count=2, margin=1)
    assert found(mined) == ["d", "c"]
    assert mined.excluded["margin"] == 1


def test_a_small_margin_leaves_only_the_easy(one_row: MineOneRow) -> None:
    assert found(one_row(SCORES, margin=0.6)) == ["e"]  # below 0.48


def test_the_margin_of_a_passage_with_a_negative_score_lies_below_it(one_row: MineOneRow) -> None:
    # below -0.4 - 0.05 * 0.4 = -0.42
    assert found(one_row({"a": -0.4, "b": -0.41, "c": -0.43, "d": -0.39})) == ["c"]


def test_an_absolute_margin_is_a_difference(one_row: MineOneRow) -> None:
    assert found(one_row({"a": 0.8, "b": 0.61, "c": 0.59, "d": 0.3}, absolute_margin=0.2)) == ["c", "d"]


def test_both_margins_hold(one_row: MineOneRow) -> None:
    assert found(one_row(SCORES, margin=0.7, absolute_margin=0.05)) == ["b", "e"]  # below 0.56
    assert found(one_row(SCORES, margin=1, absolute_margin=0.15)) == ["f", "b", "e"]  # below 0.65


def test_some_of_the_hardest_may_be_left_out(one_row: MineOneRow) -> None:
    assert found(one_row(SCORES, count=2, skip_top=1)) == ["f", "b"]
    assert found(one_row(SCORES, count=2, skip_top=3)) == ["e"]
    assert found(one_row(SCORES, count=2, skip_top=4)) == []


@pytest.mark.parametrize("across", [True, False])
def test_near_duplicates_of_the_own_passage_are_excluded(table_encoder: MakeEncoder, across: bool) -> None:
    # "near" has a cosine of 0.8 * 0.6 + 0.6 * 0.8 = 0.96 with the own passage, and of 0.6 with the query
    vectors: Vectors = {"ask a en?": [1, 0, 0], "tell a en": [0.8, 0.6, 0], "ask near en?": [0, 0, 1]}
    vectors |= {"tell near en": [0.6, 0.8, 0], "ask far en?": [0, 0, 1], "tell far en": [0.5, 0, 0.75**0.5]}
    pairs = pairs_from_rows([row("a"), row("near", fields=DONE), row("far", fields=DONE)], "handmade")

    def texts(limit: float) -> tuple[list[str], int]:
        mined = mine_negatives(
            table_encoder(vectors), pairs, across_languages=across, centred=False, duplicate=limit, margin=1
        )
        return found(mined), mined.excluded["duplicate"]

    assert texts(0.95) == (["far"], 1)
    assert texts(0.97) == (["near", "far"], 0)
    assert texts(0.3) == ([], 2)  # far: 0.8 * 0.5 = 0.4
    assert texts(1) == (["near", "far"], 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"a": {"passage_id": "p"}, "c": {"passage_id": "p"}},
        {"a": {"query": "What?"}, "c": {"query": "What?"}},
        # joined by b, which is far from both
        {"a": {"query": "What?"}, "b": {"query": "What?", "passage_id": "p"}, "c": {"passage_id": "p"}},
    ],
    ids=["a passage group", "a query", "a chain"],
)
@pytest.mark.parametrize("across", [True, False])
def test_items_that_share_something_are_excluded(
    one_row: MineOneRow, fields: dict[str, Row], across: bool
) -> None:
    scores = {"a": 0.8, "b": -0.5, "c": 0.7, "f": 0.6}
    mined = one_row(scores, fields, count=2, across_languages=across)
    assert found(mined) == [name for name in ("f", "b") if name not in fields]
    assert mined.excluded == {"same": len(fields), "duplicate": 0, "margin": 0}


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("column", ["query", "passage"])
def test_items_that_share_a_text_in_any_language_are_excluded(
    table_encoder: MakeEncoder, across: bool, column: str
) -> None:
    rows = [
        row(name, language, fields=None if (name, language) == ("a", "en") else DONE)
        for name in "abc"
        for language in ("de", "en")
    ]
    for k in (0, 2):  # a and b in German
        rows[k][column] = "Gleich."
    # what the query scores: b 0.9 and c 0.2 in English
    score = {"a en": 1.0, "b en": 0.9, "c en": 0.2}
    vectors: Vectors = {}
    for one in rows:
        cosine = score.get(one["passage"], 0.0)
        vectors[f"ask {one['query']}"] = [1, 0]
        vectors[f"tell {one['passage']}"] = [cosine, (1 - cosine**2) ** 0.5]
    pairs = pairs_from_rows(rows, "handmade")
    mined = mine_negatives(table_encoder(vectors), pairs, across_languages=across, centred=False, duplicate=1)
    assert negatives(mined)["a", "en"] == ["c en"]


@pytest.mark.parametrize("across", [True, False])
def test_a_text_is_taken_once(one_row: MineOneRow, across: bool) -> None:
    shared = {"b": {"passage": "Shared."}, "c": {"passage": "Shared."}}
    mined = one_row({"a": 0.8, "b": 0.6, "c": 0.6, "d": 0.1}, shared, across_languages=across, count=2)
    assert found(mined) == ["Shared.", "d"]


def test_ties_go_to_the_item_that_stands_first(table_encoder: MakeEncoder) -> None:
    vectors: Vectors = {"ask a en?": [1, 0], "tell a en": [1, 0]}
    for name in "bcdef":
        vectors |= {f"ask {name} en?": [0, 1], f"tell {name} en": [0, 1] if name != "e" else [0, -1]}
    rows = [row("a"), *(row(name, fields=DONE) for name in "fdbec")]
    mined = mine_negatives(table_encoder(vectors), pairs_from_rows(rows, "handmade"), 5, centred=False)
    assert found(mined) == ["f", "d", "b", "e", "c"]  # all at right angles, whatever the sign of their zero


# cosines that crowd together: their mean is 0.8, so that centred scores are 0.04, 0.02, 0 and -0.06
CROWDED = {"a": 0.84, "b": 0.82, "c": 0.80, "d": 0.74}


@pytest.mark.parametrize("across", [True, False])
def test_centred_scores_are_measured_from_the_mean(one_row: MineOneRow, across: bool) -> None:
    how: dict[str, Any] = {"across_languages": across, "duplicate": 1}
    assert found(one_row(CROWDED, **how)) == ["d"]  # raw: below 0.95 * 0.84 = 0.798
    assert found(one_row(CROWDED, **how, centred=True)) == ["b", "c", "d"]  # below 0.95 * 0.04 = 0.038
    assert found(one_row(CROWDED, **how, centred=True, margin=0.4)) == ["c", "d"]  # below 0.016
    assert found(one_row(CROWDED, **how, centred=True, absolute_margin=0.05)) == ["d"]  # below -0.01


@pytest.mark.parametrize("across", [True, False])
def test_duplicates_are_told_by_what_differs_from_the_mean(table_encoder: MakeEncoder, across: bool) -> None:
    # the mean is 0.9**0.5 along the first axis; what is left of each has a length of 0.1**0.5
    rest = {"a": (1.0, 0.0), "b": (0.6, 0.8), "c": (-1.0, 0.0), "d": (-0.6, -0.8)}
    vectors: Vectors = {}
    for name, (x, y) in rest.items():
        vectors[f"tell {name} en"] = [0.9**0.5, x * 0.1**0.5, y * 0.1**0.5]
        vectors[f"ask {name} en?"] = [0, 1, 0]
    rows = [row(name, fields=None if name == "a" else DONE) for name in rest]

    def texts(centred: bool, duplicate: float) -> list[str]:
        how: dict[str, Any] = {"across_languages": across, "centred": centred, "duplicate": duplicate}
        return found(mine_negatives(table_encoder(vectors), pairs_from_rows(rows, "handmade"), **how))

    assert texts(False, 0.95) == ["d", "c"]  # a and b: 0.9 + 0.1 * 0.6 = 0.96
    assert texts(True, 0.95) == ["b", "d", "c"]  # 0.6
    assert texts(True, 0.55) == ["d", "c"]


def test_keys_are_in_the_order_of_scores_then_columns() -> None:
    scores = torch.tensor([[-1.0, -0.0, 0.0, 0.5, -0.5, 0.5, 1e-30, -1e-30, 1.0000001, 1.0]])
    order = mine._keys(scores, 7)[0].argsort(descending=True).tolist()
    assert order == [8, 9, 3, 5, 6, 1, 2, 7, 4, 0]


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


OUT_OF_RANGE = [("count", 0), ("margin", 0), ("margin", 1.1), ("margin", float("nan")), ("skip_top", -1)]
OUT_OF_RANGE += [("absolute_margin", -0.1), ("duplicate", 0), ("duplicate", 95)]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_setting_out_of_range_is_refused(two_languages: MakePairs, name: str, value: Any) -> None:
    with pytest.raises(PanglotError, match=str(value)):
        mine_negatives(*two_languages(), **{name: value})


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
