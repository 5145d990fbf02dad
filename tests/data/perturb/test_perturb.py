"""Perturbed benchmarks: the same data with other queries, the same for the same seed."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from panglot.data import Benchmark, sample_benchmark
from panglot.data.perturb import TITLES, parse_kinds, perturb, read_lexicon, share_changed
from panglot.data.perturb.changes import switch_code
from panglot.errors import PanglotError

MakeBenchmark = Callable[..., Benchmark]


@pytest.fixture(scope="module")
def sample() -> Benchmark:
    return sample_benchmark()


@pytest.mark.parametrize("kind", [kind for kind in TITLES if kind != "code-switch"])
def test_only_queries_change(sample: Benchmark, kind: str) -> None:
    changed = perturb(sample, kind, seed=1)
    assert changed.passages is sample.passages and changed.queries.ids == sample.queries.ids
    assert list(changed.queries.texts) != list(sample.queries.texts)
    assert changed.sha256 != sample.sha256 and changed.name == f"sample+{kind}"
    again = perturb(sample, kind, seed=1)
    assert again.queries.texts == changed.queries.texts and again.sha256 == changed.sha256
    assert all(text.strip() for text in changed.queries.texts)


def test_seeds_differ_and_queries_do_not_depend_on_each_other(sample: Benchmark) -> None:
    one, two = perturb(sample, "typos", seed=1), perturb(sample, "typos", seed=2)
    assert one.queries.texts != two.queries.texts and one.sha256 != two.sha256
    german = perturb(sample.restrict(["de"]), "typos", seed=1)
    whole = dict(zip(one.queries.ids, one.queries.texts, strict=True))
    assert all(
        whole[name] == text for name, text in zip(german.queries.ids, german.queries.texts, strict=True)
    )


def test_share_changed_by_hand(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"A": "en", "b": "en", "C": "de"}, {"p": "en"}, [("A", "p", 1)]
    )  # texts are "the text of A" and so on
    changed = perturb(benchmark, "lower-case")
    assert share_changed(benchmark, changed) == {"de": 1.0, "en": 0.5}


def test_kinds_are_parsed() -> None:
    assert parse_kinds("typos, lower-case,typos") == ["typos", "lower-case"]
    with pytest.raises(PanglotError, match="'tpos' is not a change of queries"):
        parse_kinds("tpos")
    with pytest.raises(PanglotError, match="no change of queries is named"):
        parse_kinds(" ,")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_code_switching_by_hand(tmp_path: Path) -> None:
    lexicon = read_lexicon(write(tmp_path / "en-de.txt", "where wo\n\nriver\tgroßer Fluss\nis ist\n"))
    assert lexicon == {"en": {"where": ["wo"], "river": ["großer Fluss"], "is": ["ist"]}}
    outcomes = {switch_code("Where flows it?", "en", Random(seed), lexicon) for seed in range(5)}
    assert outcomes == {"Wo flows it?"}  # the one known word, in capitals as it was
    two = {switch_code("where is the river", "en", Random(seed), lexicon) for seed in range(60)}
    # half of three known words is two (round half to even)
    assert two == {"wo ist the river", "wo is the großer Fluss", "where ist the großer Fluss"}
    assert switch_code("where", "de", Random(0), lexicon) == "where"


def test_code_switching_needs_a_fitting_lexicon(sample: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="code-switch needs a lexicon"):
        perturb(sample, "code-switch")
    with pytest.raises(PanglotError, match="a lexicon is for code-switch, not for typos"):
        perturb(sample, "typos", lexicon={"en": {"a": ["b"]}})
    with pytest.raises(PanglotError, match="but the lexicon is from is"):
        perturb(sample, "code-switch", lexicon={"is": {"a": ["b"]}})
    write(tmp_path / "en-de.txt", "the\tdie\n")
    write(tmp_path / "de-en.tsv", "die\tthe\n")
    lexicon = read_lexicon(tmp_path)
    assert set(lexicon) == {"de", "en"}
    changed = share_changed(sample, perturb(sample, "code-switch", lexicon=lexicon))
    assert changed["en"] > 0 and changed["ar"] == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("en-de.txt", "a b c\n", "line 1: 'a b c' is not a pair"),
        ("en-de.txt", "a b\nc\t\n", "line 2: 'c' is not a pair"),
        ("en-de.txt", b"a b\n\xff c\n", "line 2: is not UTF-8"),
        ("words.txt", "a b\n", "does not say two languages"),
        ("en-xyzw.txt", "a b\n", "'xyzw' is not a language code"),
    ],
)
def test_bad_lexicons_are_explained(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(PanglotError, match=message):
        read_lexicon(write(tmp_path / name, content))


def test_missing_lexicons_are_explained(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="holds no word pairs"):
        read_lexicon(tmp_path)
    with pytest.raises(PanglotError, match="no such file"):
        read_lexicon(tmp_path / "en-de.txt")
