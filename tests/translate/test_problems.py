"""What is taken for a bad translation."""

import pytest

from panglot.translate import Bounds, problem_of

LONG = "Owls sleep in old trees and hunt at night."
CASES = {
    ("Who?", "Wer?"): None,
    (LONG, "猫头鹰睡在老树上，夜里捕猎。"): None,
    ("猫头鹰睡在老树上，夜里捕猎。", LONG): None,
    (LONG, ""): "empty",
    (LONG, " \n"): "empty",
    (LONG, LONG): "copy",
    (LONG, LONG.upper() + " "): "copy",
    ("Albert Einstein", "Albert Einstein"): None,
    ("12.5 %", "12.5 %"): None,
    (LONG, "Eulen schlafen. Eulen schlafen. Eulen schlafen. Eulen schlafen."): "repetition",
    (LONG, "Eulen jagenagenagenagenagenagen"): "repetition",
    ("no no no no no no no no", "nein nein nein nein nein nein nein nein"): None,
    ("Laughter: ha ha ha!", "Gelächter: ha ha ha!"): None,
    (LONG, "Ja."): "length",
    ("Where do owls sleep?", "So they say, and more of it than was ever asked for " * 3): "length",
}


@pytest.mark.parametrize(("source", "translated"), CASES)
def test_a_problem_has_a_name(source: str, translated: str) -> None:
    assert problem_of(source, translated, same_script=True) == CASES[source, translated]


def test_a_copy_into_another_script_is_one_however_short() -> None:
    assert problem_of("Albert Einstein", "Albert Einstein", same_script=False) == "copy"


def test_what_was_cut_off_is_unfinished() -> None:
    assert problem_of("Who?", "Wer?", same_script=True, finished=False) == "unfinished"


def test_the_bounds_can_be_set() -> None:
    # (24 + 10) / (20 + 10)
    text, longer = "a" * 20, "b c d e f g h i j k l m "
    assert problem_of(text, longer, same_script=True, bounds=Bounds(1.0, 1.14)) is None
    assert problem_of(text, longer, same_script=True, bounds=Bounds(1.0, 1.13)) == "length"
    assert problem_of(text, longer, same_script=True, bounds=Bounds(1.14, 3)) == "length"
