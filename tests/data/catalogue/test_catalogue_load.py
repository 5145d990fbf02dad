"""Benchmarks by name, and what is said when one cannot be had."""

import json
from pathlib import Path
from typing import Any

import pytest

from panglot.data import load_benchmark, sample_benchmark
from panglot.data.catalogue import catalogue, load_data, where_is
from panglot.data.suite import Suite
from panglot.errors import PanglotError

PAIR = {"item_id": "a", "query": "q", "passage": "p"}


@pytest.fixture(autouse=True)
def _no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PANGLOT_DATA", raising=False)


@pytest.fixture
def lareqa(tmp_path: Path) -> Path:
    question = {"id": "a", "question": "Who?", "answers": [{"answer_start": 0, "text": "I"}]}
    part = {"context": "I. You.", "sentences": ["I.", "You."], "sentence_breaks": [[0, 2], [3, 7]]}
    data = {"data": [{"title": "-", "paragraphs": [{**part, "qas": [question]}]}]}
    folder = tmp_path / "data" / "lareqa" / "xquad-r"
    folder.mkdir(parents=True)
    for language in ("en", "de"):
        (folder / f"{language}.json").write_text(json.dumps(data))
    return folder


def message(name: str, data: Path | None = None, candidate_text: str | None = None, **options: Any) -> str:
    with pytest.raises(PanglotError) as caught:
        load_benchmark(name, data, candidate_text, **options)
    return str(caught.value)


def test_the_sample_needs_no_data() -> None:
    assert load_benchmark("sample").name == "sample"
    assert load_benchmark("sample", languages=["en", "sw"]).languages == ("en", "sw")


def test_pairs_become_a_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(json.dumps({**PAIR, "language": language}) for language in ("en", "sw")))
    benchmark = load_benchmark("pairs", str(path))
    assert (benchmark.name, benchmark.languages) == ("mine", ("en", "sw"))


@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_lareqa_has_two_kinds_of_candidates(lareqa: Path, name: str) -> None:
    assert load_benchmark(name, lareqa).name == name
    assert load_benchmark(name, lareqa, languages=["en"]).passages.texts == ["I.", "You."]
    assert load_benchmark(name, lareqa, "sentence").candidate_text == "sentence"
    context = load_benchmark(name, lareqa, "sentence+context", languages=["en"])
    assert context.passages.texts == ["I. I. You.", "You. I. You."]


def test_data_is_found_in_the_folders_of_panglot_data(
    lareqa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path / "data"))
    assert load_benchmark("xquad-r").languages == ("de", "en")
    assert load_benchmark("xquad-r", tmp_path / "data", languages=["de"]).languages == ("de",)


def test_an_unknown_name_is_answered_with_names_that_are_like_it() -> None:
    said = message("squid")
    assert said.startswith("'squid' is not a benchmark that panglot knows")
    assert "choose squad, or a name" in said
    assert "choose a name that 'panglot data list' shows" in message("nothing")


def test_a_family_is_answered_with_its_members() -> None:
    said = message("beir")
    assert said.startswith("'beir' is several benchmarks; choose one of ")
    assert "nfcorpus, nq" in said


@pytest.mark.parametrize("name", ["xquad-r", "nfcorpus", "pairs"])
def test_data_that_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    said = message(name)
    assert said.startswith(f"benchmark '{name}' needs its data; name the folder or file with --data")
    if name != "pairs":
        assert f"fetch it with 'panglot data get {name}'" in said
        assert "PANGLOT_DATA" in said
    absent = tmp_path / "absent"
    assert message(name, absent) == f"{absent}: no such file or folder; check --data."


def test_an_unknown_candidate_text_is_said(lareqa: Path) -> None:
    said = message("xquad-r", lareqa, "paragraph")
    assert said == "'paragraph' is not a candidate text; use sentence or sentence+context."


@pytest.mark.parametrize("name", ["sample", "pairs", "nfcorpus"])
def test_a_candidate_text_where_there_is_no_choice_is_said(lareqa: Path, name: str) -> None:
    said = message(name, lareqa / "en.json", "sentence")
    assert said == f"benchmark '{name}' has one kind of candidate; leave --candidate-text out."


def test_an_option_that_a_benchmark_lacks_is_said(lareqa: Path) -> None:
    assert message("xquad-r", lareqa, split="dev") == "benchmark 'xquad-r' has one split; leave --split out."
    assert message("xquad-r", lareqa, task="intent") == "benchmark 'xquad-r' has no option 'task'."


def test_a_training_set_is_no_benchmark(tmp_path: Path) -> None:
    assert message("mfaq", tmp_path).startswith("'mfaq' is for training")


def test_an_entrys_options_reach_its_reader_and_a_persons_go_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, Any] = {}

    def reader(folder: Path, *, name: str, task: str, split: str | None = None) -> Any:
        taken.update(folder=folder, name=name, task=task, split=split)
        return sample_benchmark()

    monkeypatch.setattr("panglot.data.catalogue.load.reader_of", lambda entry: reader)
    load_data("mtop-intent", tmp_path)
    assert taken == {"folder": tmp_path, "name": "mtop-intent", "task": "intent", "split": None}
    load_data("mtop-intent", tmp_path, task="utterance", split="dev", languages=["en"])
    assert (taken["task"], taken["split"]) == ("utterance", "dev")


# of the tables in the data folder's README: queries and passages; None where it counts something else
COUNTS = {
    "xquad-r": (13090, 13014),
    "mlqa-r": (4199, 20534),
    "nfcorpus": (323, 3633),
    "mtop": (6 * 1237, None),
    "mtop-intent": (6 * 1237, 6 * 859),
    "xflickrco": (16000 - 2, None),  # a German and an Indonesian caption are empty
    "tatoeba": (2 * 88877, None),
    "arcd": (1395, 465 - 5),  # five paragraphs occur twice
    "cmrc2018": (3219, 848),
    "iapp-wiki-qa": (739, None),  # the lines of test.jsonl
}
WITHOUT_PASSAGES = {"miracl"}


@pytest.mark.shared
@pytest.mark.slow
def test_every_data_set_that_is_here_is_found_and_loads(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANGLOT_DATA", str(shared_data))
    here = {name for name, entry in catalogue().items() if where_is(entry) is not None}
    assert here == COUNTS.keys() | WITHOUT_PASSAGES
    for name, (queries, passages) in COUNTS.items():
        loaded = load_data(name)
        parts = loaded.parts if isinstance(loaded, Suite) else (loaded,)
        if queries is not None:
            assert sum(len(part.queries) for part in parts) == queries, name
        if passages is not None:
            assert sum(len(part.passages) for part in parts) == passages, name
        assert set(loaded.languages) <= set(catalogue()[name].languages), name
    for name in WITHOUT_PASSAGES:
        with pytest.raises(PanglotError, match="docs-"):
            load_data(name)


@pytest.mark.shared
def test_the_checksums_are_those_of_the_files_here(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib
    from urllib.parse import urlsplit

    monkeypatch.setenv("PANGLOT_DATA", str(shared_data))
    compared = 0
    for entry in catalogue().values():
        place = where_is(entry)
        for file in entry.files if place is not None else ():
            if file.sha256 is None or file.unpack is not None:
                continue
            assert place is not None
            path = place / file.to / Path(urlsplit(str(file.url)).path).name
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256, path
            compared += 1
    assert compared == 11 + 7 + 8 + 224 + 3 + 1 + 1
