"""Pairs made parallel by a small model that has learned what they say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data import load_pairs, pairs_from_rows
from panglot.errors import PanglotError
from panglot.translate import Translator, translate_pairs
from panglot.translate import plan as plans
from panglot.translate import translate as module
from panglot.translate.plan import PartFile, plan
from panglot.translate.translate import beside, read_note

OWLS: dict[str, Any] = {
    "item_id": "owls",
    "passage_id": "p1",
    "document_id": "d1",
    "language": "en",
    "query": "Where do owls sleep?",
    "passage": "Owls sleep in old trees. They hunt at night.",
    "negatives": ["The moon is far away."],
}
BREAD: dict[str, Any] = {
    "item_id": "bread",
    "language": "en",
    "query": "Who bakes the bread?",
    "passage": "The baker bakes it.",
}
BREAD_DE: dict[str, Any] = {
    "item_id": "bread",
    "language": "de",
    "query": "Wer macht Brot?",
    "passage": "Ein Bäcker tut es.",
}
ROWS: list[dict[str, Any]] = [OWLS, BREAD_DE, BREAD]
NEW = {
    ("owls", "de"): {
        "passage_id": "p1",
        "document_id": "d1",
        "query": "Wo schlafen Eulen?",
        "passage": "Eulen schlafen in alten Bäumen. Sie jagen in der Nacht.",
        "negatives": ["Der Mond ist weit weg."],
    },
    ("owls", "sw"): {
        "passage_id": "p1",
        "document_id": "d1",
        "query": "Bundi hulala wapi?",
        "passage": "Bundi hulala kwenye miti ya zamani. Wao huwinda usiku.",
        "negatives": ["Mwezi uko mbali sana."],
    },
    ("bread", "sw"): {"query": "Nani huoka mkate?", "passage": "Mwokaji huuoka."},
}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("output", "note"),
    [
        ("pairs.jsonl.gz", "pairs.translation.json"),
        ("pairs.parquet", "pairs.translation.json"),
        ("news.de.jsonl", "news.de.translation.json"),  # not that of news.sw.jsonl
        ("v1.0.jsonl.zst", "v1.0.translation.json"),
    ],
)
def test_files_beside_an_output_are_named_after_all_of_its_name(output: str, note: str) -> None:
    assert beside(Path("folder") / output, "translation.json") == Path("folder") / note


def test_every_item_gets_the_languages_it_lacks(learned: Translator, tmp_path: Path) -> None:
    told: list[int] = []
    pairs = pairs_from_rows(ROWS, "mine")
    output = tmp_path / "out.jsonl"
    found = translate_pairs(learned, pairs, ["de", "sw"], output, progress=told.append)
    written = lines(output)
    assert written[:3] == ROWS  # as they were, and first
    new = {(row.pop("item_id"), row.pop("language")): row for row in written[3:]}
    assert new == NEW
    assert sum(told) == 3
    assert load_pairs(output).languages == ("de", "en", "sw")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.translation.json"]
    assert found.summary["items"] == 2
    assert (found.summary["rows_kept"], found.summary["rows_translated"]) == (3, 3)
    assert found.summary["texts"] == 3 + 3 + 2
    assert found.summary["segments"] == 4 + 4 + 2
    assert found.summary["left_out"] == {}


def test_a_note_says_what_a_machine_made(learned: Translator, tmp_path: Path) -> None:
    pairs = pairs_from_rows(ROWS, "mine")
    translate_pairs(learned, pairs, ["de"], tmp_path / "a.jsonl", beams=2)
    note = read_note(tmp_path / "a.jsonl")
    assert note is not None
    assert note["settings"]["model"] == learned.name
    assert note["settings"]["sha256"] == learned.sha256
    assert note["settings"]["beams"] == 2
    assert note["directions"] == [{"from": "en", "to": "de", "rows": 1}]
    assert (note["rows_kept"], note["rows_translated"], note["before"]) == (3, 1, None)
    # a second pass keeps what the first one noted
    pairs = load_pairs(tmp_path / "a.jsonl")
    translate_pairs(learned, pairs, ["sw"], tmp_path / "b.parquet", before=note)
    second = read_note(tmp_path / "b.parquet")
    assert second is not None
    assert second["before"] == note
    assert second["rows_kept"] == 4
    assert load_pairs(tmp_path / "b.parquet").table.num_rows == 6


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.zst", "parquet"])
def test_all_kinds_of_files_hold_the_same(learned: Translator, tmp_path: Path, ending: str) -> None:
    pairs = pairs_from_rows(ROWS, "mine")
    translate_pairs(learned, pairs, ["sw"], tmp_path / "plain.jsonl")
    translate_pairs(learned, pairs, ["sw"], tmp_path / f"other.{ending}")
    other = load_pairs(tmp_path / f"other.{ending}").table.to_pylist()
    assert other == load_pairs(tmp_path / "plain.jsonl").table.to_pylist()


def test_without_negatives_new_rows_have_none(learned: Translator, tmp_path: Path) -> None:
    pairs = pairs_from_rows(ROWS, "mine")
    translate_pairs(learned, pairs, ["de"], tmp_path / "out.jsonl", fields=["query", "passage"])
    old, new = lines(tmp_path / "out.jsonl")[0], lines(tmp_path / "out.jsonl")[3]
    assert old["negatives"] == OWLS["negatives"]
    assert "negatives" not in new


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("batches", [2, 5])
def test_interrupted_and_resumed_equals_uninterrupted(
    translator_of: Callable[[str], Translator],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batches: int,
) -> None:
    # a random model, whose outputs say nothing and pass no check
    monkeypatch.setattr(module, "problem_of", lambda *_, **__: None)
    monkeypatch.setattr(plans, "BLOCK", 2)
    translator = translator_of("m2m100")
    texts = [
        "Owls sleep. They hunt.",
        "Bees sleep. They hunt.",
        "The moon is far away, they say.",
        "Bread!",
        "Owls.",
    ]
    rows: list[dict[str, Any]] = [
        {"item_id": str(k), "language": "en", "query": texts[k - 1], "passage": text}
        for k, text in enumerate(texts)
    ]
    pairs = pairs_from_rows(rows, "mine")
    calls: list[list[str]] = []
    plain = Translator.translate

    def counted(self: Translator, part: list[str], *rest: Any) -> list[tuple[str, bool]]:
        calls.append(part)
        return plain(self, part, *rest)

    monkeypatch.setattr(Translator, "translate", counted)
    translate_pairs(translator, pairs, ["de", "sw"], tmp_path / "whole.jsonl", token_budget=24)
    whole = list(calls)
    assert len(whole) > 6
    assert len({text for part in whole for text in part}) * 2 == sum(map(len, whole))  # equal ones once

    calls.clear()

    def stopped(self: Translator, part: list[str], *rest: Any) -> list[tuple[str, bool]]:
        if len(calls) == batches:
            raise StoppedError
        return counted(self, part, *rest)

    monkeypatch.setattr(Translator, "translate", stopped)
    with pytest.raises(StoppedError):
        translate_pairs(translator, pairs, ["de", "sw"], tmp_path / "out.jsonl", token_budget=24)
    assert [path.name for path in tmp_path.glob("out*")] == ["out.part.sqlite"]
    part_file = tmp_path / "out.part.sqlite"
    monkeypatch.setattr(Translator, "translate", counted)
    calls.clear()
    translate_pairs(translator, pairs, ["de", "sw"], tmp_path / "out.jsonl", token_budget=24)
    assert calls == whole[batches:]
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not part_file.exists()


def test_other_settings_do_not_go_on_from_a_part_file(learned: Translator, tmp_path: Path) -> None:
    pairs = pairs_from_rows(ROWS, "mine")
    part = tmp_path / "out.part.sqlite"
    for begun in range(2):  # the file is new, and is there already
        with PartFile(part, {"settings": {"model": "another"}}) as other:
            with pytest.raises(PanglotError, match=r"part\.sqlite: database is locked; wait"):
                translate_pairs(learned, pairs, ["de"], tmp_path / "out.jsonl")
            assert (other.block_of(b"key") is not None) == bool(begun)
            other.add("block", [b"key"], [("text", True)])
            assert other.get(b"key") == ("text", True)
    with pytest.raises(PanglotError, match="was begun with another model or other settings"):
        translate_pairs(learned, pairs, ["de"], tmp_path / "out.jsonl")
    part.write_text("nonsense\n" * 99)
    with pytest.raises(PanglotError, match=r"part\.sqlite: is damaged"):
        translate_pairs(learned, pairs, ["de"], tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["out.part.sqlite"]


def test_bad_translations_are_left_out_and_counted(
    learned: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"Who bakes the bread?": ("", True), "The moon is far away.": ("Der Mond ist", False)}
    plain = Translator.translate

    def sometimes(self: Translator, part: list[str], *rest: Any) -> list[tuple[str, bool]]:
        return [wrong.get(text, done) for text, done in zip(part, plain(self, part, *rest), strict=True)]

    monkeypatch.setattr(Translator, "translate", sometimes)
    pairs = pairs_from_rows([OWLS, BREAD], "mine")
    found = translate_pairs(learned, pairs, ["de"], tmp_path / "out.jsonl")
    assert found.summary["left_out"] == {"negatives: unfinished": 1, "query: empty": 1}
    written = lines(tmp_path / "out.jsonl")
    # the item without its query is not there; the one without its negative is
    assert [(row["item_id"], row["language"]) for row in written] == [
        ("owls", "en"),
        ("bread", "en"),
        ("owls", "de"),
    ]
    assert "negatives" not in written[2]
    assert lines(tmp_path / "out.left-out.jsonl") == [
        {
            "item_id": "owls",
            "from": "en",
            "to": "de",
            "field": "negatives",
            "problem": "unfinished",
            "text": "The moon is far away.",
            "translation": "Der Mond ist",
        },
        {
            "item_id": "bread",
            "from": "en",
            "to": "de",
            "field": "query",
            "problem": "empty",
            "text": "Who bakes the bread?",
            "translation": "",
        },
    ]


def test_the_source_is_english_or_the_first_row_unless_named() -> None:
    french: dict[str, Any] = {"item_id": "b", "language": "fr", "query": "Qui ?", "passage": "Elle."}
    german: dict[str, Any] = {"item_id": "b", "language": "de", "query": "Wer?", "passage": "Sie."}
    pairs = pairs_from_rows([OWLS, french, german, BREAD_DE, BREAD], "mine")

    def planned(*arguments: Any) -> list[tuple[str, str, list[str]]]:
        return [(job.source, job.target, pairs.texts("query", job.rows)) for job in plan(pairs, *arguments)]

    both = ["Where do owls sleep?", "Who bakes the bread?"]
    assert planned(["sw"]) == [("en", "sw", both), ("fr", "sw", ["Qui ?"])]
    assert planned(["sw"], "DE") == planned(["sw"], "deu") == planned(["sw"], "de")
    assert planned(["sw"], "de") == [("de", "sw", ["Wer?", "Wer macht Brot?"])]
    assert planned(["de", "en"]) == [("en", "de", both[:1]), ("fr", "en", ["Qui ?"])]


MISTAKES: dict[str, dict[str, Any]] = {
    "'xx-9' is not a language code": {"targets": ["xx-9"]},
    "every item has en already": {"targets": ["en"]},
    "no language to translate into is named": {"targets": []},
    "has no language 'fr' to translate from": {"source": "fr"},
    "'title' is not a field to translate": {"fields": ["query", "passage", "title"]},
    "'passage' is not among the fields": {"fields": ["query"]},
    "the number of beams is 0": {"beams": 0},
    "the limit of a segment is 3": {"max_tokens": 3},
    "the token budget is 0": {"token_budget": 0},
    "does not translate 'tlh'": {"targets": ["tlh"]},
    "names no kind of pairs file": {"output": "out.csv"},
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    learned: Translator, tmp_path: Path, sentence: str
) -> None:
    given: dict[str, Any] = {"targets": ["de"], "output": "out.jsonl", **MISTAKES[sentence]}
    output = tmp_path / given.pop("output")
    with pytest.raises(PanglotError, match=sentence):
        translate_pairs(learned, pairs_from_rows(ROWS, "mine"), given.pop("targets"), output, **given)
    assert list(tmp_path.iterdir()) == []
