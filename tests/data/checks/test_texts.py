"""Empty, repeated and untranslated texts, worked by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from panglot import PanglotError
from panglot.data import load_pairs
from panglot.data.checks import check_source
from panglot.data.checks.rows import (
    CheckedRows,
    check_structure,
    find_copies,
    find_repeats,
    find_self_answers,
)

MakeRows = Callable[..., CheckedRows]


def test_lines_that_cannot_be_read_are_counted_by_kind_and_the_first_ten_named(tmp_path: Path) -> None:
    good = '{"item_id": "%d", "language": "en", "query": "Who?", "passage": "Me %d."}'
    lines = (
        [good % (k, k) for k in range(3)] + ["{broken"] * 12 + ['{"item_id": "9", "langauge": "en"}', "[]"]
    )
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(lines))
    report = check_source(path)
    assert (report["counts"]["rows"], report["gravest"]) == (3, "error")
    found = [f for f in report["findings"] if f["check"] == "unreadable"]
    assert [(f["count"], [e["line"] for e in f["examples"]]) for f in found] == [
        (12, list(range(4, 14))),
        (1, [16]),
        (1, [17]),
    ]
    assert "Did you mean the column 'langauge'?" in found[1]["sentence"]
    table = tmp_path / "mine.csv"
    table.write_text("item_id,language,query,passage\n1,en,Who?,Me\n2,en,Who\n3,en,What?,It,too\n4,en,a,b\n")
    found = [f for f in check_source(table)["findings"] if f["check"] == "unreadable"]
    assert [[e["line"] for e in f["examples"]] for f in found] == [[3, 4]]
    path.write_text("{broken\n")
    with pytest.raises(PanglotError, match="line 1: is not valid JSON"):
        check_source(path)


def test_wrong_negatives_are_listed_with_their_lines(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(
        'item_id,language,query,passage,negatives\n1,en,a,b,"[""x""]"\n2,en,c,d,"[1]"\n3,en,e,f\n'
    )
    wide = tmp_path / "wide.jsonl"
    good = {"query_en": "Who?", "passage_en": "Me.", "query_de": "Wer?", "passage_de": "Ich."}
    negatives = {"negatives_en": ["You.", None], "negatives_de": [None, "Du."]}
    wide.write_text("".join(json.dumps(row) + "\n" for row in (good, good | negatives)))
    rows = tmp_path / "mine.parquet"
    columns = {"item_id": ["1", "2"], "language": ["en"] * 2, "query": ["a", "b"], "passage": ["c", "d"]}
    pq.write_table(pa.table(columns | {"negatives": [["x", None], ["y"]]}), rows)
    expected = {table: ([3, 4], 1), wide: ([2], 2), rows: ([1], 1)}
    for path, (lines, left) in expected.items():
        report = check_source(path)
        found = [finding for finding in report["findings"] if finding["check"] == "unreadable"]
        assert sorted(example["line"] for finding in found for example in finding["examples"]) == lines
        assert report["counts"]["rows"] == left
        with pytest.raises(PanglotError, match=r"line \d: .*; "):
            load_pairs(path)


def test_values_of_a_wrong_type_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    questions: list[object] = ["Who?", 7, ["Who?"], {"is": 1}, None, "What?"]
    path.write_text("".join(json.dumps({"q": q, "a": "Me.", "n": ["x"]}) + "\n" for q in questions))
    columns = {"query": "q", "passage": "a", "language": "=en", "negatives": "n"}
    report = check_source(path, columns)
    found = [f for f in report["findings"] if f["check"] == "unreadable"]
    assert [example["line"] for f in found for example in f["examples"]] == [2, 3]
    assert report["counts"]["rows"] == 2
    path.write_text('{"q": 7, "a": "b", "n": []}\n{"q": 8, "a": "b"}\n')  # all of one type
    with pytest.raises(PanglotError, match=r"mine\.jsonl, line 1: 'q' is not a text"):
        check_source(path, columns)


def test_bad_rows_are_told_and_left_out(make_rows: MakeRows) -> None:
    rows = make_rows(
        [
            ("a", "en", "Who?", "Me."),
            ("a", "de", " ", "Ich."),  # line 2: no query
            ("a", "en", "Who?", "Me."),  # line 3: again
            ("b", "english", "Who?", "Me."),  # line 4: no language
            ("b", "en", "Where?", "Here."),
            ("a", "en", "Who else?", "Me."),  # line 6: again, with another query
        ]
    )
    kept, findings = check_structure(rows)
    assert kept.lines.tolist() == [1, 5]
    assert [(f.severity, f.check, f.count, [e.line for e in f.examples]) for f in findings] == [
        ("error", "empty", 1, [2]),
        ("error", "language", 1, [4]),
        ("error", "repeated", 2, [3, 6]),
    ]
    assert findings[0].sentence == "'query' is empty in 1 rows; fill it in or remove them."
    assert "'english' is not a language code" in findings[1].sentence
    assert findings[2].sentence.startswith("2 rows repeat an item in a language that it has already, ")
    assert "1 of them with the same texts" in findings[2].sentence


def test_why_no_row_is_left_is_said(make_rows: MakeRows) -> None:
    with pytest.raises(
        PanglotError, match=r"no row is left: 'klingonish' is not a language code.* \(2 rows\)"
    ):
        check_structure(make_rows([("a", "klingonish", "q", "p"), ("b", "klingonish", "q", "p")]))


def test_contradicting_ids_are_told_with_their_line(make_rows: MakeRows) -> None:
    rows = make_rows(
        [("a", "", "Who?", "Me."), ("a", "en", "Who?", "Me."), ("a", "de", "Wer?", "Ich.")],
        passage_id=["p", "p", "q"],
    )
    kept, findings = check_structure(rows)
    assert [f.check for f in findings] == ["empty", "ids"]
    assert findings[1].sentence.startswith("item 'a' has passage_id 'q' here and 'p'")
    assert findings[1].examples[0].line == 3
    assert kept.pairs().languages == ("de", "en")


def test_clean_rows_pass_whole(make_rows: MakeRows) -> None:
    rows = make_rows([("a", "en", "Who?", "Me."), ("a", "de", "Wer?", "Ich.")])
    kept, findings = check_structure(rows)
    assert findings == []
    assert kept is rows


def test_repeats_are_sorted_by_what_repeats(make_rows: MakeRows) -> None:
    rows = make_rows(
        [
            ("a", "en", "Who bakes?", "A baker."),
            ("b", "en", "Who bakes?", "A baker."),  # both
            ("c", "en", "Who else?", "A baker."),  # the passage alone
            ("d", "en", "Who bakes?", "Nobody."),  # the query alone
            ("e", "de", "Who bakes?", "A baker."),  # in another language: no repeat
            ("f", "en", "Whoever?", "A cook."),
        ]
    )
    found = find_repeats(rows)
    assert [(f.count, [e.line for e in f.examples]) for f in found] == [(1, [2]), (1, [3]), (1, [4])]
    assert "repeat query and passage" in found[0].sentence
    assert "under another passage_id" in found[1].sentence
    assert "but another passage" in found[2].sentence


def test_one_passage_id_makes_an_equal_passage_right(make_rows: MakeRows) -> None:
    rows = make_rows(
        [("a", "en", "Who bakes?", "A baker."), ("b", "en", "Who else?", "A baker.")], passage_id=["p", "p"]
    )
    assert find_repeats(rows) == []


def test_a_passage_that_equals_its_translation_is_told(make_rows: MakeRows) -> None:
    rows = make_rows(
        [
            ("a", "en", "Who?", "A baker."),
            ("a", "de", "Wer?", "A baker."),
            ("a", "fr", "Qui ?", "Un boulanger."),
            ("b", "de", "Wer noch?", "A baker."),  # of another item
        ]
    )
    (found,) = find_copies(rows)
    assert (found.count, found.examples[0].line) == (1, 2)
    assert "(de)" in found.sentence


def test_a_query_that_is_its_passage_is_told(make_rows: MakeRows) -> None:
    bitext = make_rows([("a", "en", "Good day.", "Good day."), ("a", "de", "Guten Tag.", "Guten Tag.")])
    assert [(f.severity, f.count) for f in find_self_answers(bitext)] == [("note", 2)]
    mixed = make_rows([("a", "en", "Good day.", "Good day."), ("b", "en", "Who?", "Me.")])
    assert [(f.severity, f.count) for f in find_self_answers(mixed)] == [("warning", 1)]


def test_a_passage_among_its_negatives_is_told(make_rows: MakeRows) -> None:
    rows = make_rows(
        [("a", "en", "Who?", "Me."), ("b", "en", "Who?", "Me."), ("c", "en", "Who?", "Me.")],
        negatives=[["You."], None, ["You.", "Me.", "Me."]],
    )
    (found,) = find_self_answers(rows)
    assert (found.severity, found.count, found.examples[0].line) == ("error", 1, 3)


@pytest.mark.parametrize("twin", ["Cafe\u0301 noir.", "Caf\u00e9  noir. ", "Ca\u00adf\u00e9 noir.\u200b"])
def test_a_text_in_another_form_is_a_repeat(make_rows: MakeRows, twin: str) -> None:
    passage = find_repeats(
        make_rows([("a", "fr", "Quoi ?", "Caf\u00e9 noir."), ("b", "fr", "Et quoi ?", twin)])
    )
    assert [(found.check, found.count, found.examples[0].line) for found in passage] == [("duplicate", 1, 2)]
    copied = find_copies(make_rows([("a", "fr", "Quoi ?", "Caf\u00e9 noir."), ("a", "en", "What?", twin)]))
    assert [found.check for found in copied] == ["untranslated"]
    own = find_self_answers(make_rows([("a", "fr", "Quoi ?", "Caf\u00e9 noir.")], negatives=[[twin]]))
    assert [found.check for found in own] == ["negatives"]
