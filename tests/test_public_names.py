"""What ``import panglot`` offers."""

import subprocess
import sys

import pytest

import panglot


@pytest.mark.parametrize("name", panglot.__all__)
def test_a_public_name_is_found(name: str) -> None:
    assert getattr(panglot, name) is not None


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
