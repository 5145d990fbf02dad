"""Columns that nobody mapped are guessed where their names leave no doubt, and refused where they do."""

import json
from pathlib import Path

import pytest

from panglot.data import load_pairs
from panglot.data.pairs_files.columns import as_options, find_layout, guessed_columns
from panglot.errors import PanglotError

WIDE = "query=question_{language} passage=answer_{language}"
# names of columns, what was said of them, and what is guessed
GUESSES = [
    ("question answer lang", "", "item_id={row} query=question passage=answer language=lang"),
    (
        *("anchor positive negative", "language==en"),
        "item_id={row} language==en query=anchor passage=positive negatives=negative",
    ),
    ("query positive language id", "", "item_id=id passage=positive"),
    (
        *("sentence1 sentence2 score", "language==de"),
        "item_id={row} language==de query=sentence1 passage=sentence2",
    ),
    ("source target lang", "", "item_id={row} query=source passage=target language=lang"),
    ("title text lang url", "", "item_id={row} query=title passage=text language=lang"),
    ("title question answer lang", "", "item_id={row} query=question passage=answer language=lang"),
    ("Question Answer Language", "", "item_id={row} query=Question passage=Answer language=Language"),
    (
        "question_en question_de answer_en answer_de",
        "",
        "query=question_{language} passage=answer_{language}",
    ),
    (
        "question.en question.de answer.en answer.de",
        "",
        "query=question.{language} passage=answer.{language}",
    ),
    ("en de", "", "text={language}"),
    ("qid en de", "", "text={language} item_id=qid"),
    ("id question_en question_de answer_en answer_de", "", f"{WIDE} item_id=id"),
    ("ID query_en query_de passage_en passage_de", "", "item_id=ID"),
    ("id text_en text_de", "", "item_id=id"),
    # ids beside one column of queries
    ("question_id question_en question_de answer_en answer_de", "", f"{WIDE} item_id=question_id"),
    (
        *("question_id question_en answer_id answer_en", "item_id=question_id passage_id=answer_id"),
        f"item_id=question_id passage_id=answer_id {WIDE}",
    ),
    ("query_id query_en passage_id passage_en", "item_id={row}", "item_id={row}"),  # so id is Indonesian
    ("id en de", "text={language}", "text={language}"),
    ("q answer lang", "query=q", "item_id={row} query=q passage=answer language=lang"),
    ("query passage language item_id text answer", "", ""),
    ("query_en query_de passage_en passage_de", "", ""),
    ("text_en text_de", "", ""),
]


def mapping(options: str) -> dict[str, str]:
    """Return the fields that options map to columns."""
    return dict(option.split("=", 1) for option in options.split())


@pytest.mark.parametrize(("names", "given", "expected"), GUESSES)
def test_columns_are_guessed(names: str, given: str, expected: str) -> None:
    assert guessed_columns(names.split(), mapping(given), "mine.csv") == mapping(expected)


# names of columns, what was said of them, and what is named when they are refused
DOUBTFUL = [
    ("question answer context lang", "", "'answer', 'context'"),
    ("query question answer lang", "", "'query', 'question'"),
    ("question answer", "", "'language'"),
    ("foo bar", "", "'item_id'"),
    ("question answer lang", "passage=anwser", "'anwser'"),
    ("item_id langauge query passage", "", "'langauge'"),
    ("id en de", "", "'id'"),  # or Indonesian texts
    ("question_id question_en answer_id answer_en", "", "'question_id', 'answer_id'"),
    ("item_id query_id query_en passage_id passage_en", "", "'query_id', 'passage_id'"),
    ("question_id question_en answer", "", "'item_id'"),
]


@pytest.mark.parametrize(("names", "given", "named"), DOUBTFUL)
def test_doubtful_columns_are_refused(names: str, given: str, named: str) -> None:
    with pytest.raises(PanglotError, match=rf"^mine\.csv: .*{named}"):
        find_layout(names.split(), guessed_columns(names.split(), mapping(given), "mine.csv"), "mine.csv")


def test_a_guess_can_be_copied_to_a_shell() -> None:
    columns = {"query": "my question", "item_id": "{row}", "language": "=en"}
    expected = "--column 'query=my question' --column 'item_id={row}' --column language==en"
    assert as_options(columns) == expected


def test_a_misspelt_field_of_a_line_is_suggested(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"item_id": str(k), "language": "en", "query": "q", "passage": "p"} for k in range(4)]
    rows[3]["langauge"] = rows[3].pop("language")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        PanglotError, match=r"line 4: has no 'language'.* Did you mean the column 'langauge'\?"
    ):
        load_pairs(path)


def test_ids_beside_languages_are_the_ids_of_items(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"qid": 7, "en": "hello", "de": "hallo"}, {"qid": 9, "en": "thanks", "de": "danke"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = load_pairs(path)
    assert pairs.languages == ("de", "en")
    assert list(pairs.texts("item_id", pairs.index.rows)) == ["7", "7", "9", "9"]
