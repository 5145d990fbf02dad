"""CIRAL: English questions, passages in four African languages."""

from functools import partial

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import load_benchmark
from panglot.errors import PanglotError

read_ciral = partial(load_benchmark, "ciral", split="dev")

FILES: dict[str, Content] = {
    "ciral-hausa/topics/topics.ciral-v1.0-ha-dev.tsv": "7\tWho bakes bread?\n",
    "ciral-hausa/qrels/qrels.ciral-v1.0-ha-dev.tsv": "7 Q0 NEWS#1#0 1\n7 Q0 NEWS#2#0 0\n",
    "ciral-hausa/topics/topics.ciral-v1.0-ha-test-a.tsv": "7\tWho bakes bread?\n",
    "ciral-hausa/qrels/qrels.ciral-v1.0-ha-test-a.tsv": "7 Q0 NEWS#1#0 1\n",
    "ciral-hausa/qrels/qrels.ciral-v1.0-ha-test-a-pools.tsv": "7 Q0 NEWS#1#0 1\n7 Q0 NEWS#2#0 0\n",
    "ciral-swahili/topics/topics.ciral-v1.0-sw-dev.tsv": "7\tWhat is rain?\n",
    "ciral-swahili/qrels/qrels.ciral-v1.0-sw-dev.tsv": "7 Q0 NEWS#1#0 1\n",
    "passages-v1.0/hausa_passages.jsonl": [
        {"docid": "NEWS#1#0", "title": "Burodi", "text": "Mai burodi yana gasa burodi.", "url": "-"},
        {"docid": "NEWS#2#0", "title": None, "text": "Ruwan sama.", "url": "-"},
    ],
    "passages-v1.0/swahili_passages.jsonl": [
        {"docid": "NEWS#1#0", "title": "Mvua", "text": "Maji kutoka mawinguni.", "url": "-"}
    ],
}


def test_the_official_layout(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    benchmark = read_ciral(write_files(FILES))
    assert benchmark.languages == ("en", "ha", "sw")
    assert judgements_of(benchmark) == [
        ("ha:7", "ha:NEWS#1#0", 1),
        ("ha:7", "ha:NEWS#2#0", 0),
        ("sw:7", "sw:NEWS#1#0", 1),
    ]
    assert list(benchmark.queries.texts) == ["Who bakes bread?", "What is rain?"]
    assert benchmark.queries.languages.tolist() == [0, 0], "the questions are English"
    assert benchmark.query_items.tolist() == [0, 1]
    assert benchmark.passages.languages.tolist() == [1, 1, 2]
    assert list(benchmark.passages.titled()) == [
        "Burodi Mai burodi yana gasa burodi.",
        "Ruwan sama.",
        "Mvua Maji kutoka mawinguni.",
    ]


def test_flat_files_of_one_language(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    flat = {name.split("/")[-1]: content for name, content in FILES.items()}
    benchmark = read_ciral(write_files(flat), languages=["sw"])
    assert benchmark.languages == ("en", "sw")
    assert judgements_of(benchmark) == [("sw:7", "sw:NEWS#1#0", 1)]


def test_the_judgements_of_the_pools_belong_to_test_a(write_files: WriteFiles) -> None:
    folder = write_files(FILES)
    assert len(read_ciral(folder, languages=["ha"], split="test-a").gains) == 1
    assert len(read_ciral(folder, languages=["ha"], split="test-a-pools").gains) == 2


def test_missing_passages_are_said(write_files: WriteFiles) -> None:
    folder = write_files({name: content for name, content in FILES.items() if "hausa_p" not in name})
    with pytest.raises(
        PanglotError, match=r"in ha: there is no passages-v1.0/LANGUAGE_passages.jsonl; .* here: sw"
    ):
        read_ciral(folder)


def test_a_judgement_without_a_topic_is_left_out(
    write_files: WriteFiles, judgements_of: JudgementsOf, caplog: pytest.LogCaptureFixture
) -> None:
    """As in the official Swahili judgements of test-b."""
    name = "ciral-swahili/qrels/qrels.ciral-v1.0-sw-dev.tsv"
    files = {**FILES, name: "7 Q0 NEWS#1#0 1\n99 Q0 NEWS#1#0 1\n"}
    benchmark = read_ciral(write_files(files), languages=["sw"])
    assert judgements_of(benchmark) == [("sw:7", "sw:NEWS#1#0", 1)]
    assert "line 2: query 'sw:99' is not in the file of queries (1 of 2 judgements" in caplog.messages[0]
