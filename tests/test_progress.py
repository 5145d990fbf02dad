"""What is shown while something runs."""

import io

import pytest

from panglot import progress


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What goes to standard error, which is no terminal; a second passes with every look at the clock."""
    file = io.StringIO()
    monkeypatch.setattr(progress, "err", progress.SafeConsole(file=file, width=80))
    seconds = iter(range(10_000))
    monkeypatch.setattr(progress, "monotonic", lambda: float(next(seconds)))
    return file


def test_without_a_terminal_a_line_is_printed_now_and_then(printed: io.StringIO) -> None:
    with progress.bar("encoding", 2500) as advance:
        for _ in range(25):
            advance(100)
    # the clock reads 0 at the beginning; at the 5th hundred it reads 5, the line is printed at 6, and so on
    counts = ["500", "1,000", "1,500", "2,000", "2,500"]
    assert printed.getvalue().splitlines() == [f"encoding: {count} of 2,500" for count in counts]


def test_a_total_that_is_not_known_is_left_out(printed: io.StringIO) -> None:
    with progress.bar("reading", 0) as advance:
        for _ in range(10):
            advance(1)
    assert printed.getvalue() == "reading: 5\nreading: 10\n"


def test_ones_own_function_or_none_takes_the_place_of_the_bar(printed: io.StringIO) -> None:
    counts: list[int] = []
    for mine in (counts.append, False):
        with progress.shown(mine, "encoding", 20) as advance:
            for _ in range(20):
                advance(1)
    assert (counts, printed.getvalue()) == ([1] * 20, "")
