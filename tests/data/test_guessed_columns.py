"""Columns that nobody mapped are guessed where their names leave no doubt, and refused where they do."""

import json
from pathlib import Path

import pytest

from panglot.data import load_pairs
from panglot.data.pairs_files.columns import as_options, find_layout, guessed_columns
from panglot.errors import PanglotError

GUESSES: dict[str, tuple[list[str], dict[str, str], dict[str, str]]] = {
    "question and answer": (
        ["question", "answer", "lang"],
        {},
        {"item_id": "{row}", "query": "question", "passage": "answer", "language": "lang"},
    ),
    "a triple": (
        ["anchor", "positive", "negative"],
        {"language": "=en"},
        {
            "item_id": "{row}",
            "language": "=en",
            "query": "anchor",
            "passage": "positive",
            "negatives": "negative",
        },
    ),
    "a positive": (
        ["query", "positive", "language", "id"],
        {},
        {"item_id": "id", "passage": "positive"},
    ),
    "two sentences": (
        ["sentence1", "sentence2", "score"],
        {"language": "=de"},
        {"item_id": "{row}", "language": "=de", "query": "sentence1", "passage": "sentence2"},
    ),
    "source and target": (
        ["source", "target", "lang"],
        {},
        {"item_id": "{row}", "query": "source", "passage": "target", "language": "lang"},
    ),
    "title and text": (
        ["title", "text", "lang", "url"],
        {},
        {"item_id": "{row}", "query": "title", "passage": "text", "language": "lang"},
    ),
    "a title beside a question": (
        ["title", "question", "answer", "lang"],
        {},
        {"item_id": "{row}", "query": "question", "passage": "answer", "language": "lang"},
    ),
    "capitals": (
        ["Question", "Answer", "Language"],
        {},
        {"item_id": "{row}", "query": "Question", "passage": "Answer", "language": "Language"},
    ),
    "languages": (
        ["question_en", "question_de", "answer_en", "answer_de"],
        {},
        {"query": "question_{language}", "passage": "answer_{language}"},
    ),
    "objects": (
        ["question.en", "question.de", "answer.en", "answer.de"],
        {},
        {"query": "question.{language}", "passage": "answer.{language}"},
    ),
    "a bitext": (["en", "de"], {}, {"text": "{language}"}),
    "a bitext with ids": (["qid", "en", "de"], {}, {"text": "{language}", "item_id": "qid"}),
    "languages with ids": (
        ["id", "question_en", "question_de", "answer_en", "answer_de"],
        {},
        {"query": "question_{language}", "passage": "answer_{language}", "item_id": "id"},
    ),
    "query_de with ids": (
        ["ID", "query_en", "query_de", "passage_en", "passage_de"],
        {},
        {"item_id": "ID"},
    ),
    "text_en with ids": (["id", "text_en", "text_de"], {}, {"item_id": "id"}),
    "ids beside one column of queries": (
        ["question_id", "question_en", "question_de", "answer_en", "answer_de"],
        {},
        {"query": "question_{language}", "passage": "answer_{language}", "item_id": "question_id"},
    ),
    "ids, as was said": (
        ["question_id", "question_en", "answer_id", "answer_en"],
        {"item_id": "question_id", "passage_id": "answer_id"},
        {
            "item_id": "question_id",
            "passage_id": "answer_id",
            "query": "question_{language}",
            "passage": "answer_{language}",
        },
    ),
    "Indonesian, as the numbers of rows say": (
        ["query_id", "query_en", "passage_id", "passage_en"],
        {"item_id": "{row}"},
        {"item_id": "{row}"},
    ),
    "Indonesian, as was said": (["id", "en", "de"], {"text": "{language}"}, {"text": "{language}"}),
    "what is left": (
        ["q", "answer", "lang"],
        {"query": "q"},
        {"item_id": "{row}", "query": "q", "passage": "answer", "language": "lang"},
    ),
    "nothing": (["query", "passage", "language", "item_id", "text", "answer"], {}, {}),
    "query_de": (["query_en", "query_de", "passage_en", "passage_de"], {}, {}),
    "text_en": (["text_en", "text_de"], {}, {}),
}


@pytest.mark.parametrize(("names", "given", "expected"), GUESSES.values(), ids=GUESSES.keys())
def test_columns_are_guessed(names: list[str], given: dict[str, str], expected: dict[str, str]) -> None:
    assert guessed_columns(names, given, "mine.csv") == expected


DOUBTFUL: dict[str, tuple[list[str], dict[str, str], str]] = {
    "two passages": (
        ["question", "answer", "context", "lang"],
        {},
        "'answer', 'context' may each be the passage; say which it is, with --column passage=answer",
    ),
    "two queries": (["query", "question", "answer", "lang"], {}, "'query', 'question' may each be the query"),
    "no language": (
        ["question", "answer"],
        {},
        "has no column 'language'; it has 'question', 'answer': give --column query=question "
        "--column passage=answer --column language==en",
    ),
    "nothing known": (["foo", "bar"], {}, "has no column 'item_id'; it has 'foo', 'bar'"),
    "a column that is not there": (
        ["question", "answer", "lang"],
        {"passage": "anwser"},
        "has no column 'anwser'; use one of 'question', 'answer', 'lang'. Did you mean the column 'answer'?",
    ),
    "a misspelt field": (
        ["item_id", "langauge", "query", "passage"],
        {},
        "--column language==en, with the language of all rows. Did you mean the column 'langauge'?",
    ),
    "ids or Indonesian texts in a bitext": (
        ["id", "en", "de"],
        {},
        "'id' may hold ids or Indonesian texts (id). Give --column item_id=id for ids, or "
        "--column 'item_id={row}' for texts.",
    ),
    "ids or Indonesian questions and answers": (
        ["question_id", "question_en", "answer_id", "answer_en"],
        {},
        "'question_id', 'answer_id' may hold ids or Indonesian texts (id).",
    ),
    "ids or Indonesian texts beside fields of our own": (
        ["item_id", "query_id", "query_en", "passage_id", "passage_en"],
        {},
        "'query_id', 'passage_id' may hold ids or Indonesian texts (id). Give --column item_id=query_id "
        "--column passage_id=passage_id for ids, or --column 'item_id={row}' for texts.",
    ),
    "ids that may be Indonesian": (["question_id", "question_en", "answer"], {}, "has no column 'item_id'"),
}


@pytest.mark.parametrize(("names", "given", "words"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_doubtful_columns_are_refused(names: list[str], given: dict[str, str], words: str) -> None:
    with pytest.raises(PanglotError) as caught:
        find_layout(names, guessed_columns(names, given, "mine.csv"), "mine.csv")
    assert str(caught.value).startswith("mine.csv: ")
    assert words in str(caught.value)


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
