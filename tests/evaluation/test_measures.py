import math

import numpy as np
import pytest

from panglot.errors import PanglotError
from panglot.evaluation.measures import Ranking, make_ranking, measure, parse_measure, rank_distance

# three lists: relevant passages at 1, 3 and 6; at 4 alone; and, graded, gain 1 at 1, 3 at 2, 2 at 5
LIST_OF = [0, 0, 0, 1, 2, 2, 2]
RANK = [1, 3, 6, 4, 1, 2, 5]
GAIN = [1, 1, 1, 1, 1, 3, 2]
LOG3, LOG5, LOG6, LOG7 = (math.log2(x) for x in (3, 5, 6, 7))


@pytest.fixture
def ranking() -> Ranking:
    shuffled = np.array([5, 2, 0, 3, 6, 1, 4])
    lists = (np.array(column)[shuffled] for column in (LIST_OF, RANK, GAIN))
    return make_ranking(*lists)[0]


def test_relevant_passages_are_grouped_by_list_best_rank_first() -> None:
    ranking, lists = make_ranking(np.array([9, 4, 9, 4]), np.array([7, 2, 3, 5]), np.array([1, 2, 3, 4]))
    assert lists.tolist() == [4, 9]
    assert ranking.start.tolist() == [0, 2]
    assert ranking.rank.tolist() == [2, 5, 3, 7]
    assert ranking.gain.tolist() == [2, 4, 3, 1]
    assert ranking.relevant.tolist() == [2, 2]
    assert ranking.place.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AP", [(1 + 2 / 3 + 3 / 6) / 3, 1 / 4, (1 + 1 + 3 / 5) / 3]),
        ("AP@2", [1 / 3, 0, 2 / 3]),
        ("AP@3", [(1 + 2 / 3) / 3, 0, 2 / 3]),
        ("R@1", [1 / 3, 0, 1 / 3]),
        ("R@5", [2 / 3, 1, 1]),
        ("R@100", [1, 1, 1]),
        ("RR", [1, 1 / 4, 1]),
        ("RR@4", [1, 1 / 4, 1]),
        ("RR@3", [1, 0, 1]),
        ("Success@1", [1, 0, 1]),
        ("Success@3", [1, 0, 1]),
        ("Success@4", [1, 1, 1]),
        ("Complete@1", [0, 0, 0]),
        ("Complete@4", [0, 1, 0]),
        ("Complete@5", [0, 1, 1]),
        ("Complete@6", [1, 1, 1]),
        ("nDCG@1", [1, 0, 1 / 3]),
        ("nDCG@3", [(1 + 1 / 2) / (1 + 1 / LOG3 + 1 / 2), 0, (1 + 3 / LOG3) / (3 + 2 / LOG3 + 1 / 2)]),
        (
            "nDCG",
            [
                (1 + 1 / 2 + 1 / LOG7) / (1 + 1 / LOG3 + 1 / 2),
                1 / LOG5,
                (1 + 3 / LOG3 + 2 / LOG6) / (3 + 2 / LOG3 + 1 / 2),
            ],
        ),
    ],
)
def test_measures_by_hand(ranking: Ranking, name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(measure(name, ranking), expected, rtol=1e-12)


def test_graded_ndcg_in_figures(ranking: Ranking) -> None:
    # (1 + 1.892789 + 0.773706) / (3 + 1.261860 + 0.5)
    assert measure("nDCG@10", ranking)[2] == pytest.approx(3.666495 / 4.761860, abs=1e-6)


def test_ndcg_is_one_for_the_best_order_and_less_for_any_other() -> None:
    best, _ = make_ranking(np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([3, 2, 1]))
    other, _ = make_ranking(np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([3, 1, 2]))
    assert measure("nDCG@10", best)[0] == pytest.approx(1)
    assert measure("nDCG@10", other)[0] < 1 - 1e-3


def test_rank_distance_is_worst_minus_best_rank(ranking: Ranking) -> None:
    assert rank_distance(ranking).tolist() == [5, 0, 4]


def test_no_cutoff_is_infinity() -> None:
    assert parse_measure("AP")[1] == math.inf
    assert parse_measure("nDCG@10")[1] == 10


UNKNOWN = "P@10 ap nDCG@0 nDCG@-1 nDCG@ten R Success Complete AP@ RR@1.5"


@pytest.mark.parametrize("name", [*UNKNOWN.split(), "", "nDCG@10 "])
def test_an_unknown_measure_is_named(name: str) -> None:
    with pytest.raises(PanglotError, match=f"^'{name}' is not a measure"):
        parse_measure(name)
