"""Killed, full, at once: nothing that was written is lost."""

import errno
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import warm
from sentence_transformers import SentenceTransformer

from panglot import PanglotError
from panglot.search.documents import Document
from panglot.search.documents.document import Section
from panglot.search.engines import Filter, open_engine
from panglot.search.index import Index

SLOW_INDEXER = """
import sys, time
from panglot import load_encoder
from panglot.search import index as indexing
from panglot.search.documents import Document
from panglot.search.documents.document import Section

indexing.PART = 4
model = load_encoder(sys.argv[1], device="cpu")
documents = [Document(str(k), (Section("", f"text number {k}"),), "", "en") for k in range(80)]
index = indexing.Index.create(sys.argv[2], model, name="tiny", engine=sys.argv[3], length=32)
finished = 0
def told(count):
    global finished
    finished += count
    if finished % 4 == 0:  # a part is written
        print("part", flush=True)
        time.sleep(0.05)
index.add_documents(documents, progress=told)
print("done", flush=True)
"""


def start(checkpoint: Path, place: Path, engine: str) -> warm.Process:
    return warm.start([str(checkpoint), str(place), engine], code=SLOW_INDEXER)


def documents(count: int) -> list[Document]:
    return [Document(str(k), (Section("", f"text number {k}"),), "", "en") for k in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "milvus"])
def test_killed_in_the_midst_it_goes_on_and_nothing_is_lost(
    engine: str, tiny_checkpoint: Path, tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    if engine == "milvus":
        pytest.importorskip("milvus_lite")
    process = start(tiny_checkpoint, tmp_path / "index", engine)
    for _ in range(3):
        assert process.stdout.readline() == "part\n"
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    assert "done" not in rest
    reported = 4 * (3 + rest.count("part"))
    index = Index.open(tmp_path / "index")
    there = index.engine.count()
    index.engine.release()
    assert reported <= there < 80
    index = Index.create(tmp_path / "index", tiny_encoder, name="tiny")
    changes = index.add_documents(documents(80))
    assert changes.unchanged == there
    assert changes.encoded == changes.added == 80 - there
    assert index.engine.count() == 80
    index.engine.release()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "milvus"])
def test_another_process_searches_while_one_indexes(
    engine: str, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    if engine == "milvus":
        pytest.importorskip("milvus_lite")
    process = start(tiny_checkpoint, tmp_path / "index", engine)
    assert process.stdout.readline() == "part\n"
    counts: list[int] = []
    while process.poll() is None:
        index = Index.open(tmp_path / "index")
        vector = np.ones((1, index.facts.dimension), np.float32)
        (found,) = index.engine.dense(vector, 3, Filter())
        counts.append(index.engine.count())
        index.engine.release()
        assert len(found) == 3
        time.sleep(0.1)
    assert process.stdout.read().endswith("done\n")
    assert process.wait() == 0
    assert counts == sorted(counts)
    index = Index.open(tmp_path / "index")
    assert index.engine.count() == 80
    index.engine.release()


def test_milvus_in_a_folder_that_is_in_use_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    from panglot.search.engines.milvus import MilvusEngine

    holder, other = MilvusEngine(tmp_path / "index"), MilvusEngine(tmp_path / "index", wait=0.1)
    holder.write_facts({"dimension": 2})
    with pytest.raises(PanglotError, match="another process uses this index"):
        other.facts()
    holder.release()
    assert other.facts() == {"dimension": 2}
    other.release()


def fails_from_call(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    def write(*arguments: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **settings)

    return write


def test_a_full_disk_is_one_sentence_and_keeps_what_was_written(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panglot.search.index.PART", 4)
    index = Index.create(tmp_path / "index", tiny_encoder, name="tiny", engine="exact", length=32)
    with monkeypatch.context() as patch:
        patch.setattr(pa.ipc, "new_file", fails_from_call(3, pa.ipc.new_file))
        with pytest.raises(PanglotError, match="the disk is full"):
            index.add_documents(documents(20))
    assert open_engine(tmp_path / "index").count() == 8
    assert not list((tmp_path / "index/exact").glob("*.part"))
    changes = Index.open(tmp_path / "index", tiny_encoder).add_documents(documents(20))
    assert (changes.unchanged, changes.added) == (8, 12)


def test_a_full_disk_under_milvus_is_one_sentence(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("milvus_lite")
    from milvus_lite.storage.wal import WAL

    index = Index.create(tmp_path / "index", tiny_encoder, name="tiny", engine="milvus", length=32)
    with monkeypatch.context() as patch:
        patch.setattr(WAL, "write_insert", fails_from_call(2, WAL.write_insert))  # the first: facts
        with pytest.raises(PanglotError, match="the disk is full"):
            index.add_documents(documents(4))
    index.engine.release()
    changes = Index.open(tmp_path / "index", tiny_encoder).add_documents(documents(4))
    assert changes.added + changes.unchanged == 4
    assert index.engine.count() == 4
    index.engine.release()
