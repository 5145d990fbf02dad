"""A set of BEIR and its translations as one benchmark."""

import logging

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot import load_benchmark
from panglot.data.readers.beir import read_parallel_beir
from panglot.errors import PanglotError

QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t1\n"


def a_set(place: str, word: str, passages: tuple[str, ...] = ("d1", "d2", "q1")) -> dict[str, Content]:
    """Files of a set whose texts begin with a word."""
    return {
        f"{place}/corpus.jsonl": [{"_id": name, "title": "", "text": f"{word} {name}"} for name in passages],
        f"{place}/queries.jsonl": [{"_id": name, "text": f"{word} {name}?"} for name in ("q1", "q2")],
        f"{place}/qrels/test.tsv": QRELS,
    }


def test_queries_in_any_language_look_for_passages_in_every_language(
    write_files: WriteFiles, judgements_of: JudgementsOf
) -> None:
    folder = write_files({**a_set("en", "word"), **a_set("nl", "woord")})
    found = read_parallel_beir(folder)
    assert found.languages == ("en", "nl")
    assert list(found.queries.ids) == ["en:q1", "en:q2", "nl:q1", "nl:q2"]
    assert list(found.passages.ids) == ["en:d1", "en:d2", "en:q1", "nl:d1", "nl:d2", "nl:q1"]
    assert found.query_items[0] == found.query_items[2] != found.query_items[1]
    assert judgements_of(found) == [
        (f"{code}:{query}", f"{pool}:{passage}", gain)
        for code in ("en", "nl")
        for query, passage, gain in (("q1", "d1", 2), ("q2", "d2", 1))
        for pool in ("en", "nl")
    ]
    # a passage with the query's own id is left out, and so are its translations
    own = judgements_of(read_parallel_beir(folder, exclude_own_id=True))
    assert {(q, p) for q, p, gain in own if gain < 0} == {
        (f"{code}:q1", f"{pool}:q1") for code in ("en", "nl") for pool in ("en", "nl")
    }
    assert read_parallel_beir(folder, languages=["nl"]).languages == ("nl",)


def test_a_translation_that_lacks_passages_is_read_with_a_note(
    write_files: WriteFiles, judgements_of: JudgementsOf, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_files({**a_set("en", "word"), **a_set("pl", "slowo", ("d2",))})
    with caplog.at_level(logging.WARNING, "panglot"):
        found = read_parallel_beir(folder)
    assert ("en:q1", "pl:d1") not in {(q, p) for q, p, _ in judgements_of(found)}
    assert "2 judgements" in caplog.text  # of q1 in both languages


def test_the_sets_of_the_catalogue_that_are_here_are_put_together(write_files: WriteFiles) -> None:
    folder = write_files({
        **a_set("beir/nfcorpus", "word"),
        **a_set("beir-nl/nfcorpus", "woord"),
        **a_set("beir/arguana", "word"),
        **a_set("beir-nl/arguana", "woord"),
        **a_set("beir/scifact", "word"),
    })  # fmt: skip
    found = load_benchmark("beir-parallel:nfcorpus", folder)
    assert (found.name, found.languages, len(found.passages)) == ("beir-parallel:nfcorpus", ("en", "nl"), 6)
    assert not (found.gains < 0).any()
    assert (load_benchmark("beir-parallel:arguana", folder).gains < 0).any()
    with pytest.raises(PanglotError, match=r"panglot data get .*beir-nl-scifact"):
        load_benchmark("beir-parallel:scifact", folder)
    with pytest.raises(PanglotError, match="'nowhere' is not a set of BEIR"):
        load_benchmark("beir-parallel:nowhere", folder)
    with pytest.raises(PanglotError, match="no two folders"):
        load_benchmark("beir-parallel", folder / "beir")
