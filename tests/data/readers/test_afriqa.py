"""AfriQA: questions, their translations, and the gold passages that answer them."""

from functools import partial
from typing import Any

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import load_benchmark
from panglot.errors import PanglotError

read_afriqa = partial(load_benchmark, "afriqa")


def question(name: str, text: str, translation: str, title: str, context: str) -> dict[str, Any]:
    return {
        "answer_pivot": {"answer_start": [0], "text": ["-"]},
        "context": context,
        "id": name,
        "question_lang": text,
        "question_translated": translation,
        "title": title,
        "answer_lang": "-",
    }


SWAHILI = [
    question("0", "Nani huoka mkate?", "Who bakes bread?", "Baker", "A baker bakes bread. "),
    question("1", "Mvua ni nini?", "What is rain?", "Rain", "Rain is water."),
    question("2", "Mwokaji hufanya nini?", "What does a baker do?", "Baker", "A baker bakes bread."),
    question("3", "Bila jibu?", "Without an answer?", "-", " "),
]
WOLOF = [question("0", "Taw lan la?", "Qu'est-ce que la pluie ?", "Pluie", "La pluie est de l'eau.")]
FILES: dict[str, Content] = {
    "gold_passages/swa/gold_span_passages.afriqa.swa.en.test.json": SWAHILI,
    "gold_passages/wol/gold_span_passages.afriqa.wol.fr.test.json": WOLOF,
    "gold_passages/wol/gold_span_passages.afriqa.wol.fr.dev.json": WOLOF,
}


@pytest.mark.parametrize("above", ["", "data/"])
def test_the_official_layout(write_files: WriteFiles, judgements_of: JudgementsOf, above: str) -> None:
    benchmark = read_afriqa(write_files({above + name: content for name, content in FILES.items()}))
    assert benchmark.languages == ("en", "fr", "sw", "wo")
    assert judgements_of(benchmark) == [
        ("sw:0", "en:sw:0", 1),
        ("sw:1", "en:sw:1", 1),
        ("sw:2", "en:sw:0", 1),
        ("wo:0", "fr:wo:0", 1),
    ]
    assert list(benchmark.passages.titled()) == [
        "Baker A baker bakes bread.",
        "Rain Rain is water.",
        "Pluie La pluie est de l'eau.",
    ]
    assert benchmark.passages.languages.tolist() == [0, 0, 1]
    assert benchmark.queries.texts[0] == "Nani huoka mkate?"
    assert benchmark.queries.languages.tolist() == [2, 2, 2, 3]


def test_translations_are_the_same_items(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    benchmark = read_afriqa(write_files(FILES), languages=["wo"], translations=True)
    assert benchmark.languages == ("fr", "wo")
    assert judgements_of(benchmark) == [("fr:wo:0", "fr:wo:0", 1), ("wo:0", "fr:wo:0", 1)]
    assert benchmark.query_items.tolist() == [0, 0]
    assert read_afriqa(write_files(FILES), languages=["en", "fr", "wo"]).languages == ("fr", "wo")
    assert sorted(benchmark.queries.texts) == ["Qu'est-ce que la pluie ?", "Taw lan la?"]


def test_a_split(write_files: WriteFiles) -> None:
    assert read_afriqa(write_files(FILES), split="dev").languages == ("fr", "wo")
    with pytest.raises(PanglotError, match=r"no passages of afriqa, such as .*.LANGUAGE.en.train.json"):
        read_afriqa(write_files(FILES), split="train")
    with pytest.raises(PanglotError, match="afriqa has no language 'zu'"):
        read_afriqa(write_files(FILES), languages=["zu"])


def test_an_official_id_that_stands_twice_gets_its_line(write_files: WriteFiles) -> None:
    name = "gold_passages/swa/gold_span_passages.afriqa.swa.en.test.json"
    rows = [SWAHILI[0], {**SWAHILI[1], "id": "0"}, SWAHILI[0]]
    assert list(read_afriqa(write_files({name: rows})).queries.ids) == ["sw:0", "sw:0-2"]


def test_a_missing_field_is_named(write_files: WriteFiles) -> None:
    name = "gold_passages/swa/gold_span_passages.afriqa.swa.en.test.json"
    row = {key: value for key, value in SWAHILI[0].items() if key != "context"}
    with pytest.raises(PanglotError, match=r"en.test.json, line 1: has no 'context'"):
        read_afriqa(write_files({name: [row]}))


def test_questions_without_a_passage_are_left_out_with_a_note(
    write_files: WriteFiles, judgements_of: JudgementsOf, caplog: pytest.LogCaptureFixture
) -> None:
    """Four of the nine official test files have nulls."""
    place = "gold_passages/swa/gold_span_passages.afriqa.swa.en.test.json"
    nulls = [{**SWAHILI[0], "title": None, "context": None, "id": "7"}, {**SWAHILI[1], "title": None}]
    benchmark = read_afriqa(write_files({place: nulls}))
    assert judgements_of(benchmark) == [("sw:1", "en:sw:1", 1)]
    assert list(benchmark.passages.titled()) == ["Rain is water."]
    assert "1 questions have no text or no passage" in caplog.messages[0]
