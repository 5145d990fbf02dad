"""What ``import panglot`` offers."""

import subprocess
import sys
from pathlib import Path

import pytest

import panglot


@pytest.mark.parametrize("name", panglot.__all__)
def test_a_public_name_is_found(name: str) -> None:
    assert getattr(panglot, name) is not None


def test_no_public_name_is_that_of_a_part() -> None:
    parts = {path.stem for path in Path(panglot.__file__).parent.iterdir() if path.stem != "__init__"}
    assert not parts & set(panglot.__all__)


def test_compare_takes_evaluations() -> None:
    from panglot.evaluation import compare_results

    assert panglot.compare is compare_results


def test_importing_panglot_does_not_load_torch() -> None:
    code = "import sys, panglot; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        panglot.nothing  # noqa: B018


def test_what_is_printed_is_one_line() -> None:
    pairs, benchmark = panglot.sample_pairs(), panglot.sample_benchmark()
    assert repr(pairs) == "ParallelPairs('sample': 48 items, 576 rows, 12 languages)"
    assert repr(benchmark) == "Benchmark('sample': 288 queries, 288 passages, 12 languages)"
    assert repr(benchmark.queries) == "Texts(288)"
    assert repr(pairs.index) == "PairIndex(48 items, 576 entries, 12 languages)"
