"""Every engine does the same, by the same calls."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from panglot import PanglotError
from panglot.search.documents import Passage
from panglot.search.engines import Engine, Filter, open_engine
from panglot.search.engines.engine import TEXTS, meanings
from panglot.search.engines.exact import ExactEngine
from panglot.search.engines.milvus import filter_expression

ALL = Filter()
WORDS = {"a": "red fish", "b": "red red bird", "c": "samaki mwekundu", "d": "青い鳥"}
LANGUAGES = {"a": "en", "b": "en", "c": "sw", "d": "ja"}
VECTORS = {"a": [1.0, 0.0], "b": [0.8, 0.6], "c": [0.6, 0.8], "d": [0.0, 1.0]}
YEARS = {"a": 1990, "b": 1991, "c": 1991, "d": "1991"}


def passage(name: str, text: str | None = None, document: str | None = None) -> Passage:
    return Passage(
        id=name,
        document=document or name,
        text=text or WORDS[name],
        title="",
        language=LANGUAGES.get(name, "en"),
        source="",
        metadata={"year": YEARS.get(name), 'a "quoted" \\ name': f'x"{name}\\'},
    )


def rows(names: str) -> tuple[list[Passage], np.ndarray]:
    return [passage(name) for name in names], np.array([VECTORS[name] for name in names], np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Milvus in a process of its own, which is reached as a cluster is."""
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    begin = "import sys; from milvus_lite.cmdline import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", begin, "server", "--data-dir", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(params=["exact", "milvus", "server"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "server":
        engine = open_engine(f"{request.getfixturevalue('server')}#c{uuid4().hex}")
    else:
        if request.param == "milvus":
            pytest.importorskip("pymilvus")
            pytest.importorskip("milvus_lite")
        engine = open_engine(tmp_path / "index", request.param)
    assert engine.facts() is None
    engine.write_facts({"dimension": 2})
    engine.write(*rows("abcd"))
    request.addfinalizer(engine.release)
    return engine


def ids(engine: Engine, vector: list[float], k: int = 10, chosen: Filter = ALL) -> list[str]:
    (found,) = engine.dense(np.array([vector], np.float32), k, chosen)
    return [hit.passage.id for hit in found]


def words(engine: Engine, query: str, chosen: Filter = ALL) -> list[str]:
    (found,) = engine.lexical([query], 10, chosen)
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    return [hit.passage.id for hit in found]


def test_what_is_written_is_found_with_its_cosine(engine: Engine) -> None:
    (found,) = engine.dense(np.array([[1, 0]], np.float32), 3, ALL)
    assert [hit.passage for hit in found] == [passage("a"), passage("b"), passage("c")]
    assert [hit.score for hit in found] == pytest.approx([1, 0.8, 0.6])
    assert engine.count() == 4
    assert engine.facts() == {"dimension": 2}


def test_several_questions_at_a_time(engine: Engine) -> None:
    found = engine.dense(np.array([[1, 0], [0, 1]], np.float32), 1, ALL)
    assert [[hit.passage.id for hit in hits] for hits in found] == [["a"], ["d"]]
    lists = engine.lexical(["mwekundu", "nothing", "fish"], 3, ALL)
    assert [[hit.passage.id for hit in hits] for hits in lists] == [["c"], [], ["a"]]


def test_filters_by_language_and_metadata(engine: Engine) -> None:
    assert ids(engine, [1, 0], chosen=Filter(("sw", "ja"))) == ["c", "d"]
    assert ids(engine, [1, 0], chosen=Filter(where={"year": "1991"})) == ["b", "c", "d"]  # number or text
    assert ids(engine, [1, 0], chosen=Filter(("sw",), {"year": "1991"})) == ["c"]
    assert ids(engine, [1, 0], chosen=Filter(where={'a "quoted" \\ name': 'x"b\\'})) == ["b"]
    assert ids(engine, [1, 0], chosen=Filter(where={"no such": "1991"})) == []
    assert engine.count(Filter(("en",))) == 2


def test_a_value_that_reads_like_no_number_is_found_as_the_text_that_it_is(engine: Engine) -> None:
    texts = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 30]
    found = [replace(passage("a"), id=text, metadata={"n": text}) for text in texts]
    engine.write(found, np.array([[1, 0]] * len(texts), np.float32))
    for text in texts:
        assert ids(engine, [1, 0], chosen=Filter(where={"n": text})) == [text]


SIGNS = st.sampled_from("\"'\\[]{}()%$\n\r\t\x00\x07=ornt")
TEXT = st.text(st.one_of(st.characters(codec="utf-8"), SIGNS), min_size=1, max_size=12)
NASTY = [
    "x'] or id not in ['z",
    'x"] or id not in ["z',
    "it's fine.md",
    "a\\",
    "\\'",
    "\n",
    "\x00",
    "{x}",
    "') or ('1' == '1",
]


@pytest.fixture(scope="module", params=["exact", "milvus"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An index with one passage, to which others come and from which they go."""
    if request.param == "milvus":
        pytest.importorskip("milvus_lite")
    engine = open_engine(tmp_path_factory.mktemp("kept") / "index", request.param)
    engine.write_facts({"dimension": 2})
    engine.write(*rows("a"))
    yield engine
    engine.release()


@settings(max_examples=30, deadline=None)
@given(st.tuples(TEXT, TEXT, TEXT))
@example((NASTY[0], NASTY[1], NASTY[2]))
@example((NASTY[3], NASTY[4], NASTY[5]))
@example((NASTY[6], NASTY[7], NASTY[8]))
def test_any_text_is_an_id_and_a_value_and_never_part_of_a_filter(
    kept: Engine, texts: tuple[str, str, str]
) -> None:
    name, key, value = texts
    own = replace(passage("a"), id=name, document=f"d{name}", metadata={key: value})
    kept.write([own], np.array([[0, 1]], np.float32))
    try:
        assert kept.kept([own.document, name])[name].about == own.about()
        assert list(kept.vectors([name, f"no {name}"])) == [name]
        assert ids(kept, [0, 1], chosen=Filter(where={key: value})) == [name]
        assert ids(kept, [0, 1], chosen=Filter(where={key: f"no {value}"})) == []
        assert ids(kept, [0, 1], chosen=Filter((name,))) == []
        assert {p.id: p.metadata for passages, _ in kept.scan(1) for p in passages}[name] == {key: value}
    finally:
        kept.delete([name])
    assert kept.count() == (name != "a")
    if name == "a":
        kept.write(*rows("a"))


def test_words_are_found_in_every_script(engine: Engine) -> None:
    assert words(engine, "red") == ["b", "a"]  # twice in b
    assert words(engine, "RED fish") == ["a", "b"]
    assert words(engine, "青い") == ["d"]
    assert words(engine, "red", Filter(("sw",))) == []
    assert words(engine, "…") == []


def test_a_passage_takes_the_place_of_the_one_with_its_id(engine: Engine) -> None:
    engine.write([passage("a", "blue whale")], np.array([[0, 1]], np.float32))
    assert engine.count() == 4
    assert set(ids(engine, [0, 1], 2)) == {"a", "d"}
    assert words(engine, "fish") == []
    assert words(engine, "whale") == ["a"]


def test_deleted_passages_are_gone(engine: Engine) -> None:
    engine.delete(["a", "nobody"])
    assert engine.count() == 3
    assert ids(engine, [1, 0]) == ["b", "c", "d"]
    assert words(engine, "red") == ["b"]
    engine.write(*rows("a"))
    assert ids(engine, [1, 0], 1) == ["a"]


def test_what_is_kept_of_documents(engine: Engine) -> None:
    engine.write([passage("a#2", "more", "a")], np.array([[1, 0]], np.float32))
    kept = engine.kept(["a", "c", "nobody"])
    assert set(kept) == {"a", "a#2", "c"}
    assert kept["a"].digest == passage("a").digest()
    assert kept["a"].about == passage("a").about()
    assert kept["a#2"].document == "a"
    vectors = engine.vectors(["c", "nobody"])
    assert list(vectors) == ["c"]
    assert vectors["c"] == pytest.approx([0.6, 0.8])


def test_everything_is_given_once_in_a_scan_and_some_in_a_sample(engine: Engine) -> None:
    engine.delete(["b"])
    parts = list(engine.scan(2))
    found = {p.id: vector for passages, vectors in parts for p, vector in zip(passages, vectors, strict=True)}
    assert set(found) == {"a", "c", "d"}
    for name, vector in found.items():
        assert vector == pytest.approx(VECTORS[name])
    assert len(engine.sample(ALL, 100)) == 3
    assert engine.sample(Filter(("sw",)), 5).tolist() == [pytest.approx([0.6, 0.8])]
    assert len(engine.sample(ALL, 2)) <= 2


def test_another_opener_sees_what_was_written(engine: Engine, tmp_path: Path) -> None:
    engine.settle()
    engine.release()
    other = open_engine(getattr(engine, "place", tmp_path / "index"))
    assert other.kind == engine.kind
    assert other.count() == 4
    assert ids(other, [1, 0], 1) == ["a"]
    assert words(other, "mwekundu") == ["c"]
    other.release()
    assert ids(engine, [0, 1], 1) == ["d"]  # takes hold again


def test_segments_are_made_one_and_a_reader_goes_on(tmp_path: Path) -> None:
    writer, reader = (open_engine(tmp_path / "index", "exact") for _ in range(2))
    writer.write_facts({"dimension": 2})
    for k in range(40):
        writer.write([passage(f"p{k % 20}", f"text {k}")], np.array([[1, k]], np.float32))
        assert reader.count() == min(k + 1, 20)
    writer.delete(["p0"])
    writer.settle()
    assert len(list((tmp_path / "index/exact").glob("*.arrow"))) == 1
    assert reader.count() == writer.count() == 19
    (found,) = reader.dense(np.array([[0, 1]], np.float32), 2, ALL)
    assert [(hit.passage.text, hit.score) for hit in found] == [("text 39", 39), ("text 38", 38)]


def test_a_segment_of_more_than_two_gigabytes_of_texts_is_scanned(tmp_path: Path) -> None:
    engine = ExactEngine(tmp_path / "index")
    engine.write_facts({"dimension": 2})
    engine.write(*rows("ab"))
    engine.count()
    (segment,) = engine._segments.values()
    # two chunks: a text of one character, and one of 1.6 GB that nobody reads (so it takes no memory)
    offsets = pa.py_buffer(np.array([0, 1, 3 << 29], np.int32))
    chunk = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(np.zeros(3 << 29, np.uint8)))
    texts = pa.concat_tables([segment.texts] * 2)
    segment.texts = texts.set_column(TEXTS.index("text"), "text", pa.chunked_array([chunk, chunk]))
    segment.vectors, segment.alive = np.tile(segment.vectors, (2, 1)), np.array([True, False] * 2)
    found = [(p.id, p.text) for passages, _ in engine.scan() for p in passages]
    assert found == [("a", "\0"), ("a", "\0")]


def test_nothing_is_read_in_while_another_thread_searches(tmp_path: Path) -> None:
    engine = ExactEngine(tmp_path / "index")
    engine.write_facts({"dimension": 2})
    open_engine(tmp_path / "index").write(*rows("abc"))
    with engine._guard:  # what a search holds
        deleting = threading.Thread(target=engine.delete, args=(["a"],))
        deleting.start()
        deleting.join(0.3)
        assert not engine._segments
    deleting.join()
    assert engine.count() == 2


def test_what_is_written_while_segments_are_made_one_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (open_engine(tmp_path / "index", "exact") for _ in range(2))
    first.write_facts({"dimension": 2})
    for k in range(40):
        first.write([passage(f"p{k}", "text")], np.array([[1, k]], np.float32))
    writer = threading.Thread(target=second.write, args=rows("a"))
    scan = first.scan

    def scan_and_be_late(size: int = 1024) -> Iterator[Any]:
        yield from scan(size)
        writer.start()
        writer.join(0.5)  # it waits for the lock

    monkeypatch.setattr(first, "scan", scan_and_be_late)
    first.settle()
    writer.join()
    assert first.count() == second.count() == open_engine(tmp_path / "index").count() == 41


def write_and_settle(place: Path, name: str, count: int) -> None:
    engine = open_engine(place)
    for k in range(count):
        engine.write_facts({"dimension": 2, "languages": [name]})
        engine.write(
            [passage(f"{name}{k}", "text"), passage(f"{name}-", "gone")], np.ones((2, 2), np.float32)
        )
        engine.delete([f"{name}-"])
        if k % 5 == 4:
            engine.settle()


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    """Each thread has an engine, and a lock, of its own, as a process would have."""
    place = tmp_path / "index"
    open_engine(place, "exact").write_facts({"dimension": 2})
    names = ("de", "el", "sw")
    writers = [threading.Thread(target=write_and_settle, args=(place, name, 30)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    engine = open_engine(place)
    found = {p.id for passages, _ in engine.scan() for p in passages}
    assert found == {f"{name}{k}" for name in names for k in range(30)}
    assert engine.facts() == {"dimension": 2, "languages": list(names)}


@pytest.fixture
def segments(tmp_path: Path) -> list[Path]:
    engine = open_engine(tmp_path / "index", "exact")
    engine.write_facts({"dimension": 2})
    for name in "abc":
        engine.write(*rows(name))
    return sorted((tmp_path / "index/exact").glob("*.arrow"))


def test_a_flipped_byte_is_found_wherever_it_is(segments: list[Path], tmp_path: Path) -> None:
    content = segments[1].read_bytes()
    for place in range(0, len(content), len(content) // 40):
        segments[1].write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(PanglotError, match=rf"{segments[1].name}: is damaged"):
            open_engine(tmp_path / "index").count()
    segments[1].write_bytes(content)
    assert open_engine(tmp_path / "index").count() == 3


@pytest.mark.parametrize("harm", ["gone", "cut", "empty", "another"])
def test_a_segment_that_is_not_as_written_is_named(segments: list[Path], tmp_path: Path, harm: str) -> None:
    content = segments[1].read_bytes()
    if harm == "gone":
        segments[1].unlink()
    else:
        changed = {"cut": content[:-9], "empty": b"", "another": segments[0].read_bytes()}
        segments[1].write_bytes(changed[harm])
    with pytest.raises(PanglotError, match=f"{segments[1].name}: is (gone|damaged)"):
        open_engine(tmp_path / "index").count()


def test_a_damaged_manifest_is_named(segments: list[Path], tmp_path: Path) -> None:
    for content in ("", "[]", "{}", '{"segments": 3}'):
        (tmp_path / "index/exact/manifest.json").write_text(content)
        with pytest.raises(PanglotError, match=r"manifest\.json"):
            open_engine(tmp_path / "index").count()


def test_an_index_without_a_manifest_is_read_and_gets_one(segments: list[Path], tmp_path: Path) -> None:
    manifest = tmp_path / "index/exact/manifest.json"
    manifest.unlink()
    engine = open_engine(tmp_path / "index")
    assert ids(engine, [1, 0]) == ["a", "b", "c"]
    engine.write(*rows("d"))
    assert len(json.loads(manifest.read_text())["segments"]) == 4
    assert ids(open_engine(tmp_path / "index"), [0, 1], 1) == ["d"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PanglotError, match="holds files that are not an index"):
        open_engine(tmp_path)
    with pytest.raises(PanglotError, match="is a file"):
        open_engine(tmp_path / "notes.txt")
    with pytest.raises(PanglotError, match="'faiss' is not an engine"):
        open_engine(tmp_path, "faiss")


def test_an_engine_is_not_changed(tmp_path: Path) -> None:
    open_engine(tmp_path / "index", "exact").write_facts({"dimension": 2})
    with pytest.raises(PanglotError, match="is an index of the engine 'exact'; leave out --engine"):
        open_engine(tmp_path / "index", "milvus")


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    pytest.importorskip("pymilvus")
    with pytest.raises(PanglotError, match="no Milvus server answers"):
        open_engine("http://127.0.0.1:9#passages").facts()
    with pytest.raises(PanglotError, match="the exact engine keeps an index in a folder"):
        open_engine("http://127.0.0.1:9", "exact")


def test_a_value_means_the_number_that_it_spells() -> None:
    assert meanings("1991") == ["1991", 1991]
    assert meanings("-1.5e3") == ["-1.5e3", -1500.0]
    assert meanings("true") == ["true", True]
    assert Filter(where={"n": "1"}).fits("en", {"n": 1})
    assert not Filter(where={"n": "1"}).fits("en", {"n": True})
    assert not Filter(where={"n": "true"}).fits("en", {"n": 1})


NO_NUMBERS = ["x", "", "[1]", "null", "NaN", "Infinity", "-Infinity", "1e999", "9" * 30, "9" * 5000, "+1",
              "01", "1.",
              " 1", "1\n", "0x10", "1_000", "\u0661", "True"]  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_value_that_is_no_number_of_json_is_a_text(text: str) -> None:
    assert meanings(text) == [text]
    assert filter_expression(Filter(where={"n": text})).count("==") == 1
    assert Filter(where={"n": text}).fits("en", {"n": text})


def test_a_filter_as_milvus_writes_it() -> None:
    chosen = Filter(("en", "sw"), {"year": "1991"})
    expected = 'language in ["en", "sw"] and (metadata["year"] == "1991" or metadata["year"] == 1991)'
    assert filter_expression(chosen) == expected
    assert filter_expression(ALL) == ""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 9), max_size=4)), max_size=12))
def test_the_exact_engine_is_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, set[int]]]
) -> None:
    engine = open_engine(tmp_path_factory.mktemp("dictionary") / "index", "exact")
    engine.write_facts({"dimension": 1})
    model: dict[str, float] = {}
    for step, (write, numbers) in enumerate(steps, 1):
        names = [f"p{n}" for n in sorted(numbers)]
        if write:
            vectors = np.array([[step + n / 10] for n in sorted(numbers)], np.float32).reshape(-1, 1)
            engine.write([passage(name, "text") for name in names], vectors)
            model |= dict(zip(names, vectors[:, 0].tolist(), strict=True))
        else:
            engine.delete(names)
            model = {name: value for name, value in model.items() if name not in names}
        if step % 5 == 0:
            engine.settle()
        (found,) = engine.dense(np.ones((1, 1), np.float32), 20, ALL)
        assert {hit.passage.id: hit.score for hit in found} == pytest.approx(model)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(1, 40))
def test_few_results_are_the_beginning_of_many_where_scores_are_equal(
    tmp_path_factory: pytest.TempPathFactory, scores: list[int], k: int
) -> None:
    engine = open_engine(tmp_path_factory.mktemp("ties") / "index", "exact")
    engine.write_facts({"dimension": 1})
    engine.write(
        [passage(f"p{n}", "text") for n in range(len(scores))], np.array(scores, np.float32)[:, None]
    )
    expected = sorted(range(len(scores)), key=lambda n: -scores[n])
    assert ids(engine, [1.0], k) == [f"p{n}" for n in expected[:k]]


@pytest.mark.parametrize("version", ["v2.3.5", "2.4.0-rc1", "1.1"])
def test_a_server_without_search_by_words_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pymilvus = pytest.importorskip("pymilvus")

    class Client:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_server_version(self) -> str:
            return version

        def close(self) -> None: ...

    monkeypatch.setattr(pymilvus, "MilvusClient", Client)
    with pytest.raises(PanglotError, match=re.escape(version)):
        open_engine("http://127.0.0.1:19530").facts()
