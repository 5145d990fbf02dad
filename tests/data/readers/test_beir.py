"""BEIR's form: corpus, queries and judgements in their official and hub layouts."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import Benchmark
from panglot.data.catalogue import catalogue
from panglot.data.readers import collection
from panglot.data.readers.beir import beir_judged, read_beir
from panglot.data.suite import Suite
from panglot.data.text_column import TextColumn
from panglot.errors import PanglotError
from panglot.evaluation import evaluate_embeddings

CORPUS: list[dict[str, Any]] = [
    {"_id": "d1", "title": "Owls", "text": "They fly at night.", "metadata": {}},
    {"_id": "d2", "title": "", "text": "Bread is baked.", "metadata": {}},
    {"_id": "d3", "title": "Rain", "text": "Water falls.", "metadata": {}},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "What flies?", "metadata": {}},
    {"_id": "q2", "text": "What is baked?", "metadata": {}},
    {"_id": "q3", "text": "Of another split?", "metadata": {}},
]
HEADER = "query-id\tcorpus-id\tscore\r\n"
TEST = HEADER + "q2\td2\t2\r\nq1\td3\t0\r\nq1\td1\t1\r\nq2\td1\t-1\r\n"
GAINS = [("q1", "d1", 1), ("q1", "d3", 0), ("q2", "d1", 0), ("q2", "d2", 2)]
FILES: dict[str, Content] = {
    "corpus.jsonl": CORPUS,
    "queries.jsonl": QUERIES,
    "qrels/test.tsv": TEST,
    "qrels/dev.tsv": HEADER + "q3\td3\t1\r\n",
}


def check(benchmark: Benchmark | Suite, judgements_of: JudgementsOf, language: str = "en") -> None:
    """Check what every layout of the same set gives."""
    assert isinstance(benchmark, Benchmark)
    assert benchmark.languages == (language,)
    assert list(benchmark.queries.ids) == ["q1", "q2"]
    assert list(benchmark.queries.texts) == ["What flies?", "What is baked?"]
    assert list(benchmark.passages.ids) == ["d1", "d2", "d3"]
    assert list(benchmark.passages.titled()) == [
        "Owls They fly at night.",
        "Bread is baked.",
        "Rain Water falls.",
    ]
    assert judgements_of(benchmark) == GAINS


def test_the_official_layout(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    check(read_beir(write_files(FILES), name="mine"), judgements_of)


def test_the_splits(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    benchmark = read_beir(write_files(FILES), split="dev")
    assert isinstance(benchmark, Benchmark)
    assert judgements_of(benchmark) == [("q3", "d3", 1)]
    assert isinstance(read_beir(write_files(FILES), split="validation"), Benchmark)
    with pytest.raises(
        PanglotError, match=r"mine has no judgements qrels/train.tsv; it has dev.tsv, test.tsv"
    ):
        read_beir(write_files(FILES), name="mine", split="train")


def test_compressed_files_with_judgements_beside_them(
    write_files: WriteFiles, judgements_of: JudgementsOf
) -> None:
    folder = write_files(
        {
            "set-pl/corpus.jsonl.gz": CORPUS,
            "set-pl/queries.jsonl.gz": QUERIES,
            "set-pl-qrels/test.tsv": TEST.replace("\r", ""),
        }
    )
    check(read_beir(folder / "set-pl", language="pl"), judgements_of, "pl")


def test_judgements_as_json_lines(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    rows = [
        {"query-id": "q1", "corpus-id": "d1", "score": 1.0},
        {"query-id": "q1", "corpus-id": "d3", "score": 0.0},
        {"query-id": "q2", "corpus-id": "d1", "score": 0.0},
        {"query-id": "q2", "corpus-id": "d2", "score": 2.0},
    ]
    files: dict[str, Content] = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels/test.jsonl": rows}
    check(read_beir(write_files(files), language="hi"), judgements_of, "hi")


def parquet(**columns: list[Any]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize(
    "qrels", ["default/test-00000-of-00001.parquet", "qrels/test-00000-of-00001.parquet"]
)
def test_parquet_files_of_the_hub(write_files: WriteFiles, judgements_of: JudgementsOf, qrels: str) -> None:
    corpus = {key: [row[key] for row in CORPUS] for key in ("_id", "title", "text")}
    corpus["title"][1] = None
    queries = {key: [row[key] for row in QUERIES] for key in ("_id", "text")}
    query, passage, score = zip(*GAINS, strict=True)
    folder = write_files(
        {
            "corpus/corpus-00000-of-00001.parquet": parquet(**corpus),
            "queries/queries-00000-of-00001.parquet": parquet(**queries),
            qrels: parquet(**{"query-id": list(query), "corpus-id": list(passage), "score": list(score)}),
        }
    )
    check(read_beir(folder), judgements_of)


def test_parquet_files_of_the_split_go_before_those_of_others(
    write_files: WriteFiles, judgements_of: JudgementsOf
) -> None:
    """The layout of mteb's copies: a folder each, with a file for each split."""
    corpus = {"id": [row["_id"] for row in CORPUS], "title": ["Owls", "", "Rain"], "text": ["-"] * 3}
    corpus["text"] = [row["text"] for row in CORPUS]
    queries = {"id": [row["_id"] for row in QUERIES], "text": [row["text"] for row in QUERIES]}
    query, passage, score = zip(*GAINS, strict=True)
    qrels = {"query-id": list(query), "corpus-id": list(passage), "score": list(score)}
    files: dict[str, Content] = {
        f"{name}/{split}-00000-of-00001.parquet": parquet(**columns)
        for name, columns in (("corpus", corpus), ("queries", queries), ("qrels", qrels))
        for split in ("dev", "test")
    }
    check(read_beir(write_files(files)), judgements_of)


def test_a_large_pool_is_the_same_on_disk(
    write_files: WriteFiles, judgements_of: JudgementsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_files(FILES)
    small = read_beir(folder)
    monkeypatch.setattr(collection, "IN_MEMORY", 0)
    large = read_beir(folder)
    check(large, judgements_of)
    assert isinstance(large, Benchmark)
    assert isinstance(small, Benchmark)
    assert isinstance(large.passages.texts, TextColumn)
    assert large.sha256 == small.sha256


def test_a_checksum_follows_every_file(write_files: WriteFiles) -> None:
    seen = set()
    for name, content in FILES.items():
        benchmark = read_beir(write_files({**FILES, name: content}))
        assert isinstance(benchmark, Benchmark)
        seen.add(benchmark.sha256)
    assert len(seen) == 1
    changed: dict[str, Content] = {
        "corpus.jsonl": [*CORPUS[:2], {**CORPUS[2], "text": "-"}],
        "qrels/test.tsv": TEST + "q3\td1\t1\n",
    }
    for name, content in changed.items():
        benchmark = read_beir(write_files({**FILES, name: content}))
        assert isinstance(benchmark, Benchmark)
        seen.add(benchmark.sha256)
        write_files(FILES)
    assert len(seen) == 3


def test_forums_are_a_suite(write_files: WriteFiles) -> None:
    folder = write_files(
        {f"{forum}/{name}": text for forum in ("gis", "tex") for name, text in FILES.items()}
    )
    suite = read_beir(folder, name="cqadupstack")
    assert isinstance(suite, Suite)
    assert [part.name for part in suite.parts] == ["gis", "tex"]
    assert [part.query_items.tolist() for part in suite.parts] == [[0, 1], [2, 3]]
    assert suite.settings == ("monolingual",)


CORPUS_JSONL, QUERIES_JSONL, QRELS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        (QUERIES_JSONL, [{"text": "x"}], "line 1: has no '_id'"),
        (QUERIES_JSONL, [*QUERIES, QUERIES[0]], "line 4: query 'q1'"),
        (CORPUS_JSONL, [{"_id": "d1"}], "line 1: has no 'text'"),
        (CORPUS_JSONL, [*CORPUS, CORPUS[0]], r"line 4: id 'd1' .*corpus.jsonl, line 1"),
        (CORPUS_JSONL, "", ""),
        (QRELS, HEADER + "q1\td1\n", "line 2: has 2 columns"),
        (QRELS, HEADER + "q1 d1 1\n", "line 2: has 1 columns"),
        (QRELS, HEADER + "q9\td1\t1\n", "line 2: query 'q9'"),
        (QRELS, HEADER + "q1\td1\t1\nq1\tx\t1\nq1\ty\t1\n", r"line 3: passage 'x' .*2 of 3 .*partial_corpus"),
        (QRELS, HEADER + "q1\tx\t1\n", "1 of 1 judgements"),
        (QRELS, HEADER + "q1\td1\tx\n", "line 2: the gain 'x'"),
    ],
)
def test_bad_files_are_named(write_files: WriteFiles, name: str, content: Content, named: str) -> None:
    folder = write_files({**FILES, name: content})
    for in_memory in (1 << 20, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(collection, "IN_MEMORY", in_memory)
            with pytest.raises(PanglotError, match=rf"{name.split('/')[-1]}.*{named}"):
                read_beir(folder)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_missing_file_is_said(write_files: WriteFiles, name: str) -> None:
    folder = write_files({key: text for key, text in FILES.items() if key != name})
    with pytest.raises(PanglotError, match=f"mine: there is no {name}"):
        read_beir(folder, name="mine")


def test_part_of_a_corpus_is_taken_where_it_is_asked_for(
    write_files: WriteFiles, judgements_of: JudgementsOf
) -> None:
    benchmark = read_beir(write_files({**FILES, "corpus.jsonl": CORPUS[:1]}), partial_corpus=True)
    assert isinstance(benchmark, Benchmark)
    assert judgements_of(benchmark) == [("q1", "d1", 1), ("q2", "d1", 0)]


def test_another_language_is_refused(write_files: WriteFiles) -> None:
    with pytest.raises(PanglotError, match="mine has no language 'de'"):
        read_beir(write_files(FILES), name="mine", languages=["en", "de"])


@pytest.mark.shared
def test_the_real_nfcorpus(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared_data / "beir" / "nfcorpus"
    judgements = {
        split: len(beir_judged(folder, split=split).judgements) for split in ("train", "dev", "test")
    }
    assert judgements == {"train": 110_575, "dev": 11_385, "test": 12_334}
    assert len(beir_judged(folder).queries) == 3_237
    for in_memory in (collection.IN_MEMORY, 0):
        monkeypatch.setattr(collection, "IN_MEMORY", in_memory)
        benchmark = read_beir(folder, name="nfcorpus")
        assert isinstance(benchmark, Benchmark)
        assert (len(benchmark.passages), len(benchmark.queries)) == (3_633, 323)
        assert len(benchmark.gains) == 12_334
        assert set(benchmark.gains.tolist()) == {1, 2}
        assert benchmark.passages.titled()[0].startswith(
            "Statin Use and Breast Cancer Survival: A Nationwide"
        )


def test_judgements_of_unknown_queries_are_left_out_with_a_note(
    write_files: WriteFiles,
    judgements_of: JudgementsOf,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    qrels = HEADER + "q1\td1\t1\nq9\td1\t1\nq8\td1\t1\n"
    folder = write_files({**FILES, "qrels/test.tsv": qrels})
    benchmark = read_beir(folder)
    assert isinstance(benchmark, Benchmark)
    assert judgements_of(benchmark) == [("q1", "d1", 1)]
    (note,) = caplog.messages
    assert "test.tsv, line 3: query 'q9' is not in the file of queries (2 of 3 judgements" in note
    monkeypatch.setenv("PANGLOT_STRICT", "1")
    with pytest.raises(PanglotError, match="line 3: query 'q9' is not in the file of queries"):
        read_beir(folder)


def test_a_passage_with_the_querys_own_id_is_no_result_for_it(write_files: WriteFiles) -> None:
    """ArguAna: every argument is a query and a passage; an encoder finds the argument itself first."""
    texts = [{"_id": name, "text": name} for name in ("for", "against", "other")]
    qrels = HEADER + "for\tagainst\t1\nagainst\tfor\t1\n"
    folder = write_files({"corpus.jsonl": texts, "queries.jsonl": texts, "qrels/test.tsv": qrels})
    near = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], np.float32)  # "other" is as near to "against"
    for exclude, expected in ((False, [0.0, 0.0]), (True, [1.0, 1.0])):
        benchmark = read_beir(folder, exclude_own_id=exclude)
        assert isinstance(benchmark, Benchmark)
        assert list(benchmark.queries.ids) == ["for", "against"]
        vectors = near[[list(benchmark.passages.ids).index(name) for name in ("for", "against", "other")]]
        found = evaluate_embeddings(benchmark, near[:2], vectors, ["Success@1"]).per_query
        assert found.filter(pc.equal(found["pool"], "en"))["Success@1"].to_pylist() == expected


def test_the_catalogue_says_where_own_ids_are_no_results() -> None:
    own = {name for name, entry in catalogue().items() if entry.options.get("exclude_own_id")}
    assert own >= {"arguana", "quora", "fiqa", "fever", "msmarco", "beir-nl-arguana", "hindi-beir-fever"}
    assert not own & {"nfcorpus", "scifact", "beir-nl-scidocs"}
