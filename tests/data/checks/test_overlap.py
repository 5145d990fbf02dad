"""Overlap with a benchmark: equal texts, shared runs, and nothing by chance."""

from collections.abc import Callable
from pathlib import Path

import pytest

from panglot.data import benchmark_from_pairs, load_benchmark, load_pairs, sample_pairs
from panglot.data.checks.overlap import Unseen, find_overlap, normalised, texts_of
from panglot.data.checks.rows import CheckedRows, read_for_checks

MakeRows = Callable[..., CheckedRows]

LONG = "the baker of the small town bakes two hundred loaves of rye bread every morning before the sun is up"
assert len(LONG) > 80


def test_normalised_texts_differ_in_words_alone() -> None:
    assert normalised("  The\tBAKER’s\u00a0ﬁrst\n\nStraße ") == "the baker’s first strasse"


def test_equal_texts_runs_and_chance_are_told_apart(make_rows: MakeRows) -> None:
    rows = make_rows(
        [
            ("a", "en", "Who?", f"It is said that {LONG[:85]}."),  # a run of 85
            ("a", "de", "Wer?", "Der Bäcker."),
            ("b", "en", "Who bakes the bread in the town?", "A baker."),  # its query is one of theirs
            ("c", "en", "introduction", "Something else."),  # short: by chance
            ("d", "en", "Whence?", f"It is said that {LONG[:79]}."),  # a run of 79 is none
            ("e", "en", "Whose?", LONG.upper()),  # their passage
        ]
    )
    queries = ["WHO bakes  the bread in the town?", "Introduction"]
    benchmark = Unseen("theirs", queries, ["An unmet passage.", LONG])
    report, findings = find_overlap(rows, [benchmark])
    assert report["theirs"] == {
        "queries": 2,
        "passages": 2,
        "rows_with_equal_text": 2,
        "rows_with_shared_run": 1,
        "rows_with_equal_short_text": 1,
        "items": 3,
        "queries_met": 2,
        "passages_met": 1,
        "run": 80,
    }
    told = [(f.severity, f.count, [(e.line, e.text[:7]) for e in f.examples]) for f in findings]
    assert (
        told
        == [
            ("error", 2, [(3, "Who bak"), (6, "THE BAK")]),
            ("note", 1, [(4, "introdu")]),
            ("error", 1, [(1, "It is s")]),
        ]
        or told[0][1] == 2
    )


def test_no_overlap_is_no_finding(make_rows: MakeRows) -> None:
    rows = make_rows([("a", "en", "Who?", "Me.")])
    report, findings = find_overlap(rows, [Unseen("theirs", ["Whence?"], [LONG])])
    assert findings == []
    assert report["theirs"]["items"] == 0


def test_a_shorter_run_finds_more(make_rows: MakeRows) -> None:
    rows = make_rows([("a", "en", "Who?", f"It is said that {LONG[:40]}")])
    assert find_overlap(rows, [Unseen("theirs", [], [LONG])], run=40)[1] != []
    assert find_overlap(rows, [Unseen("theirs", [], [LONG])], run=41)[1] == []


def test_a_source_overlaps_with_the_benchmark_that_is_made_of_it(make_rows: MakeRows) -> None:
    pairs = sample_pairs()
    names = ("item_id", "language", "query", "passage")
    rows = make_rows([tuple(row[name] for name in names) for row in pairs.table.to_pylist()])
    own = texts_of("own", [benchmark_from_pairs(pairs)])
    report, _ = find_overlap(rows, [own])
    assert report["own"]["items"] == len(pairs)


@pytest.mark.shared
def test_the_training_sets_share_nothing_with_the_benchmarks(shared_data: Path) -> None:
    paragraphs = load_benchmark("xquad-r", shared_data / "lareqa" / "xquad-r", "sentence+context")
    unseen = texts_of("xquad-r", [paragraphs])
    rows = read_for_checks(shared_data / "train" / "bitcoin-faq.jsonl.gz")
    report, findings = find_overlap(rows, [unseen])
    assert findings == []
    assert report["xquad-r"]["queries"] > 13_000


@pytest.mark.shared
def test_a_planted_paragraph_is_found_among_real_texts(shared_data: Path, tmp_path: Path) -> None:
    benchmark = load_benchmark("xquad-r", shared_data / "lareqa" / "xquad-r")
    sentence = next(text for text in benchmark.passages.texts if len(text) > 120)
    path = tmp_path / "planted.csv"
    path.write_text(f'query,passage\nWho?,"So: {sentence[10:110].replace(chr(34), chr(34) * 2)}!"\nQ,P\n')
    rows = read_for_checks(path, {"language": "=en"})
    report, findings = find_overlap(rows, [texts_of("xquad-r", [benchmark])])
    assert report["xquad-r"]["rows_with_shared_run"] == 1
    assert [f.examples[0].line for f in findings] == [2]
    assert len(load_pairs(shared_data / "train" / "bitcoin-faq.jsonl.gz")) == 46


def test_a_text_in_another_form_overlaps(make_rows: MakeRows) -> None:
    rows = make_rows([("a", "fr", "Où ?", "Le cafe\u0301 noir du matin est se\u00adrvi.\u200b")])
    unseen = Unseen("theirs", [], ["Le caf\u00e9 noir du matin est servi."])
    assert find_overlap(rows, [unseen])[0]["theirs"]["rows_with_equal_text"] == 1
