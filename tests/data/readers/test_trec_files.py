"""Topics and judgements: whatever is written in TREC's form is read again; the rest is refused."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.data.readers.trec import read_qrels, read_topics
from panglot.errors import PanglotError

IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1).filter(
    lambda text: text.strip() != ""
)
END = st.sampled_from(["\n", "\r\n"])
MARK = st.sampled_from(["", "\ufeff"])


def write(text: str) -> Path:
    with tempfile.NamedTemporaryFile("wb", suffix=".tsv", delete=False) as file:
        file.write(text.encode())
    return Path(file.name)


@given(st.dictionaries(IDS.filter(lambda i: i != "\ufeff"), TEXT, min_size=1), END, MARK)
def test_topics_are_read_as_written(topics: dict[str, str], end: str, mark: str) -> None:
    path = write(mark + "".join(f"{name}\t{text}{end}" for name, text in topics.items()))
    expected = {name: text.strip() for name, text in topics.items()}
    assert list(read_topics(path).items()) == list(expected.items())
    path.unlink()


@given(
    st.dictionaries(st.tuples(IDS, IDS), st.integers(-2, 4), min_size=1),
    st.sampled_from(["\t", " ", "  ", " \t"]),
    END,
    MARK,
)
def test_judgements_are_read_as_written(
    gains: dict[tuple[str, str], int], between: str, end: str, mark: str
) -> None:
    lines = [between.join((query, "Q0", passage, str(gain))) for (query, passage), gain in gains.items()]
    path = write(mark + end.join(lines))
    assert [(one.line, one.query, one.passage, one.gain) for one in read_qrels(path)] == [
        (line, query, passage, max(gain, 0)) for line, ((query, passage), gain) in enumerate(gains.items(), 1)
    ]
    path.unlink()


@given(st.text(max_size=40))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    path = write(text.encode("utf-8", "replace").decode())
    for read in (read_topics, read_qrels):
        try:
            assert len(read(path))
        except PanglotError as error:
            assert str(path) in str(error)
    path.unlink()


@pytest.mark.parametrize(
    ("text", "line"), [("1\ta\n2 b\n", 2), ("1\ta\n\tb\n", 2), ("1\t \n", 1), ("1\ta\n2\tb\n1\tc\n", 3)]
)
def test_bad_topics_are_named(text: str, line: int) -> None:
    with pytest.raises(PanglotError, match=f"line {line}: "):
        read_topics(write(text))


JUDGED_TWICE = "1 0 d 1\n1 0 e 1\n1 0 d 0\n"
BAD_JUDGEMENTS = [("1\t0\td\t1\n1\td\t1\n", 2), ("1 0 d e 1\n", 1), (JUDGED_TWICE, 3)]
BAD_JUDGEMENTS += [(f"1 0 d {gain}\n", 1) for gain in ("yes", "0.5", "nan", "inf")]


@pytest.mark.parametrize(("text", "line"), BAD_JUDGEMENTS)
def test_bad_judgements_are_named(text: str, line: int) -> None:
    with pytest.raises(PanglotError, match=f"line {line}: "):
        read_qrels(write(text))


def test_a_judgement_that_stands_twice_counts_once() -> None:
    found = [one[1:] for one in read_qrels(write("1 0 d 1\n1 0 d 1\n1 fas e -1\n"))]
    assert found == [(1, "1", "d", 1, "0"), (3, "1", "e", 0, "fas")]
