import numpy as np
import pytest

from panglot import PanglotError
from panglot.search.balanced import (
    Chance,
    calibrated,
    chance_scores,
    check_balance,
    in_turns,
)

LISTS = {"en": [("e1", 0.9), ("e2", 0.8), ("e3", 0.7)], "sw": [("s1", 0.5), ("s2", 0.45)]}


def test_calibrated_scores_by_hand() -> None:
    chance = Chance({"en": 0.6, "sw": 0.2}, {"en": 0.1, "sw": 0.1})
    found = calibrated(LISTS, chance)
    assert [name for name, _ in found[:2]] == ["e1", "s1"]
    # (0.9 - 0.6) / 0.1 and (0.5 - 0.2) / 0.1, then 2.5, 2 and 1
    assert [score for _, score in found] == pytest.approx([3, 3, 2.5, 2, 1])
    assert [name for name, _ in found[2:]] == ["s2", "e2", "e3"]


def test_languages_take_turns_and_the_score_decides_within_one() -> None:
    assert [name for name, _ in in_turns(LISTS)] == ["e1", "s1", "e2", "s2", "e3"]
    assert in_turns({"sw": LISTS["sw"], "en": LISTS["en"]}) == in_turns(LISTS)


def test_chance_is_mean_and_deviation_of_each_language() -> None:
    scores = np.array([0.1, 0.3] * 10 + [0.5, 0.7] * 10, np.float32)
    found = chance_scores(scores, np.repeat([0, 1], 20), ["en", "sw"])
    assert found.mean == pytest.approx({"en": 0.2, "sw": 0.6}, abs=1e-6)
    # 20 values at a distance of 0.1 from their mean: sqrt(20 * 0.01 / 19)
    assert found.spread == pytest.approx({"en": 0.102598, "sw": 0.102598}, abs=1e-5)


def test_a_language_with_few_passages_borrows_from_all() -> None:
    scores = np.array([0.0] * 10 + [1.0] * 5, np.float32)
    found = chance_scores(scores, np.repeat([0, 1], [10, 5]), ["en", "sw"])
    # en weighs 1, sw one half: together a mean of 1/3; sw is then half its own mean, half that
    assert found.mean == pytest.approx({"en": 0.0, "sw": 0.5 + 1 / 6})
    assert found.spread == {"en": 1.0, "sw": 1.0}  # nothing varies: nothing is divided by 0


def test_an_unknown_kind_is_refused() -> None:
    check_balance(None)
    check_balance("turns")
    with pytest.raises(PanglotError, match="'fair' is not a kind of balancing"):
        check_balance("fair")
