"""``panglot mine`` on the bundled sample, with the small encoder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot import load_encoder, load_pairs, sample_pairs
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.search.mine import mine_negatives

Runner = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("small_by_default")
SAMPLE = SAMPLE_FOLDER / "train.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load_pairs(path).table.to_pylist()
    return found


@pytest.fixture(scope="module")
def item_of() -> dict[tuple[str, str], str]:
    """The item of each passage of the sample, by language and text."""
    return {(row["language"], row["passage"]): row["item_id"] for row in sample_pairs().table.to_pylist()}


@pytest.fixture
def two_languages(tmp_path: Path) -> Path:
    """The sample's English and Swahili rows."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    chosen = [text for text in lines if json.loads(text)["language"] in ("en", "sw")]
    (tmp_path / "few.jsonl").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return tmp_path / "few.jsonl"


@pytest.mark.slow
def test_the_sample_is_mined_across_languages(
    panglot: Runner, tmp_path: Path, item_of: dict[tuple[str, str], str]
) -> None:
    place = tmp_path / "mined.jsonl.gz"
    outcome = panglot("mine", "--pairs", SAMPLE, "--output", place, "--negatives", "3")
    assert (outcome.code, outcome.err) == (0, "")
    mined = rows(place)
    assert [row["item_id"] for row in mined] == [row["item_id"] for row in sample_pairs().table.to_pylist()]
    of_item: dict[str, set[tuple[str, ...]]] = {}
    for row in mined:
        items = tuple(item_of[row["language"], text] for text in row["negatives"])  # in the row's language
        assert row["item_id"] not in items
        of_item.setdefault(row["item_id"], set()).add(items)
    assert len(of_item) == 48
    # in all twelve languages the same three items
    assert all(len(lists) == 1 and len(set(next(iter(lists)))) == 3 for lists in of_item.values())
    # questions have neighbours on their own topic: twice as often as the chance of 5 in 47
    close = [item.split("-")[0] == found[0].split("-")[0] for item, (found,) in of_item.items()]
    assert sum(close) > 2 * 48 * 5 / 47
    assert "train: 576 rows in 12 languages, 3.00 negatives per row, 0 rows with none" in outcome.out
    assert f"written to {place}" in outcome.out


def test_json_is_what_the_python_api_gives(
    panglot: Runner, tiny_checkpoint: Path, two_languages: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mined.parquet"
    given = "--within-language --raw --margin 0.99 --absolute-margin 0.001 --skip-top 1 --duplicate 0.97"
    files = ("--pairs", two_languages, "--output", place, "--model", tiny_checkpoint)
    printed = panglot(
        "mine", *files, *given.split(), "--negatives", "2", "--max-length", "24", "--json"
    ).results
    expected = mine_negatives(
        load_encoder(str(tiny_checkpoint), max_length=24, device="cpu"),
        load_pairs(two_languages),
        2,
        across_languages=False,
        centred=False,
        margin=0.99,
        absolute_margin=0.001,
        duplicate=0.97,
        skip_top=1,
    )
    expected.save(tmp_path / "expected.parquet")
    assert rows(place) == rows(tmp_path / "expected.parquet")
    assert printed["files"] == [{"output": str(place), **expected.summary()}]
    assert printed["model"] == str(tiny_checkpoint)
    assert expected.summary()["negatives_per_row"] > 0
    assert min(expected.excluded.values()) > 0


def test_several_sources_go_into_a_folder(
    panglot: Runner, tiny_checkpoint: Path, two_languages: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lareqa"
    folder.mkdir()
    for language, words in {"en": "One. Two. Three.", "sw": "Moja. Mbili. Tatu."}.items():
        sentences = [f"{word}." for word in words.replace(".", "").split()]
        starts = [words.index(sentence) for sentence in sentences]
        questions = [
            {"id": f"q{k}", "question": f"{language} {k}?", "answers": [{"answer_start": start, "text": ""}]}
            for k, start in enumerate(starts)
        ]
        breaks = [[a, a + len(sentence)] for a, sentence in zip(starts, sentences, strict=True)]
        paragraph = {"context": words, "sentences": sentences, "sentence_breaks": breaks, "qas": questions}
        (folder / f"{language}.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    table = tmp_path / "table.csv"
    table.write_text("item_id,language,query,passage\n1,en,Who?,Owls.\n2,en,What?,Bats.\n", encoding="utf-8")
    given = ("--model", tiny_checkpoint, "--margin", "0.01", "--raw", "--duplicate", "1", "--json")
    printed = panglot(
        *("mine", "--pairs", two_languages, "--pairs", folder, "--pairs", table),
        *("--output", tmp_path / "mined", *given),
    ).results
    mined = sorted(path.name for path in (tmp_path / "mined").iterdir())
    assert mined == ["few.jsonl", "lareqa.jsonl", "table.jsonl"]
    assert [file["rows"] for file in printed["files"]] == [96, 6, 2]
    swahili = [row for row in rows(tmp_path / "mined" / "lareqa.jsonl") if row["language"] == "sw"]
    assert [row["passage"] for row in swahili] == ["Moja.", "Mbili.", "Tatu."]


def test_rows_keep_the_negatives_they_have_unless_told(
    panglot: Runner, tiny_checkpoint: Path, two_languages: Path, tmp_path: Path
) -> None:
    lines = two_languages.read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0]) | {"negatives": ["Found before."]}
    source = tmp_path / "some.jsonl"
    source.write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n", encoding="utf-8")
    given = ("mine", "--pairs", source, "--model", tiny_checkpoint, "--margin", "1")
    outcome = panglot(*given, "--output", tmp_path / "kept.jsonl")
    assert rows(tmp_path / "kept.jsonl")[0]["negatives"] == ["Found before."]
    assert "1 more rows keep their negatives" in outcome.out
    panglot(*given, "--output", tmp_path / "anew.jsonl", "--overwrite")
    assert rows(tmp_path / "anew.jsonl")[0]["negatives"] != ["Found before."]
    assert rows(tmp_path / "anew.jsonl")[1:] == rows(tmp_path / "kept.jsonl")[1:]


@pytest.mark.slow
def test_what_is_mined_can_be_trained_on(
    panglot: Runner, tiny_checkpoint: Path, two_languages: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mined.jsonl.zst"
    given = ("--model", tiny_checkpoint, "--margin", "1")
    assert panglot("mine", "--pairs", two_languages, "--output", place, *given).code == 0
    counts = [len(row["negatives"] or []) for row in rows(place)]
    assert sum(counts) > 2 * len(counts)

    def loss(pairs: Path, folder: str) -> float:
        given = ("--model", tiny_checkpoint, "--steps", "10", "--batch-size", "8")
        assert panglot("train", "--pairs", pairs, "--output", tmp_path / folder, *given).code == 0
        log = json.loads((tmp_path / folder / "log.json").read_text(encoding="utf-8"))["log"]
        return float(next(entry["loss"] for entry in log if "loss" in entry))

    # the same pairs against some 16 candidates more than the 8 of the batch
    assert loss(place, "hard") > loss(two_languages, "plain") + 0.5


def test_texts_of_a_corpus_are_mined(panglot: Runner, tmp_path: Path, two_languages: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    text = {"text": "Some of them fly almost without a sound.", "language": "en", "title": "Birds"}
    corpus.write_text(json.dumps(text) + "\n")
    place = tmp_path / "mined.jsonl"
    # as many negatives as there are passages, and none too near: the corpus must be among them
    given = ("--within-language", "--corpus", corpus, "--negatives", "50", "--margin", "1.0", "--json")
    outcome = panglot("mine", "--pairs", two_languages, "--output", place, *given)
    assert (outcome.code, outcome.err) == (0, "")
    corpus.write_text(json.dumps({**text, "language": "gl"}) + "\n")
    outcome = panglot("mine", "--pairs", two_languages, "--output", tmp_path / "more.jsonl", *given)
    assert "texts of --corpus in gl are not used: no pairs are in that language." in outcome.err
    wanted = f"Birds {text['text']}"
    found = {row["language"] for row in rows(place) if wanted in (row["negatives"] or [])}
    assert found == {"en"}
