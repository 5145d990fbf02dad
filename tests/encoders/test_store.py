"""Stores of embeddings: what is written is read back, in pieces, by other processes, after interruptions."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sentence_transformers import SentenceTransformer

from panglot.data import FloatArray
from panglot.encoders import encode, model_sha256
from panglot.encoders import store as store_module
from panglot.encoders.store import OPEN, Store, StoreFacts, open_store, scale_path, shard_path
from panglot.encoders.store_write import (
    begin_store,
    missing_shards,
    pack,
    parse_part,
    write_shards,
)
from panglot.errors import PanglotError

TEXTS = ["bread", "bees make honey", "the moon", "rain", "bread", "a river runs", "salt", "night"]
CORPUS = {"name": "kitchen", "sha256": "1" * 64}


def read(rows: slice) -> Sequence[str]:
    return TEXTS[rows]


def facts_of(model: SentenceTransformer, dtype: str = "float32", shard_size: int = 3) -> StoreFacts:
    described = {
        **{"name": "tiny", "sha256": model_sha256(model), "prompt": "Passage: "},
        **{"max_length": 48, "precision": "float32"},
    }
    return StoreFacts(described, CORPUS, len(TEXTS), model.get_embedding_dimension() or 0, dtype, shard_size)


@pytest.fixture
def stored(tiny_encoder: SentenceTransformer, tmp_path: Path) -> Callable[..., Store]:
    def make(dtype: str = "float32", shard_size: int = 3) -> Store:
        folder, facts = tmp_path / dtype, facts_of(tiny_encoder, dtype, shard_size)
        begin_store(folder, facts)
        write_shards(tiny_encoder, read, folder, facts, missing_shards(folder, facts))
        return open_store(folder)

    return make


def test_a_float32_store_holds_the_embeddings(
    stored: Callable[..., Store], tiny_encoder: SentenceTransformer
) -> None:
    store = stored()
    assert sorted(path.name for path in store.folder.iterdir()) == [
        *("shard-00000.npy", "shard-00001.npy", "shard-00002.npy", "store.json")
    ]
    assert (len(store), store.dimension) == (8, 32)
    np.testing.assert_allclose(store[:], encode(tiny_encoder, TEXTS, "Passage: "), atol=1e-6)


@pytest.mark.parametrize(("dtype", "error"), [("float16", 2.0**-11), ("int8", 1 / 254)])
def test_smaller_stores_round_each_number_by_half_a_step(
    stored: Callable[..., Store], tiny_encoder: SentenceTransformer, dtype: str, error: float
) -> None:
    exact, kept = encode(tiny_encoder, TEXTS, "Passage: "), stored(dtype)[:]
    # float16: half of 2^-10 of a number; int8: half of 1/127 of the row's largest number
    scale = np.abs(exact) if dtype == "float16" else np.abs(exact).max(axis=1, keepdims=True)
    assert (np.abs(kept - exact) <= scale * error * 1.001 + 1e-7).all()
    assert np.abs(kept - exact).max() > 1e-6


@settings(deadline=None, max_examples=40)
@given(
    vectors=hnp.arrays(np.float32, (6, 5), elements=st.floats(-1, 1, width=32)),
    shard_size=st.integers(1, 7),
    dtype=st.sampled_from(["float32", "float16", "int8"]),
    start=st.integers(-7, 7),
    stop=st.integers(-7, 7),
    rows=st.lists(st.integers(0, 5), max_size=9),
)
def test_slices_and_rows_are_those_of_one_array(
    tmp_path_factory: pytest.TempPathFactory,
    vectors: FloatArray,
    shard_size: int,
    dtype: str,
    start: int,
    stop: int,
    rows: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("store")
    model = {"name": "m", "sha256": "", "prompt": "", "max_length": None, "precision": "float32"}
    facts = StoreFacts(model, {"name": "c", "sha256": ""}, 6, 5, dtype, shard_size)
    begin_store(folder, facts)
    whole = np.empty_like(vectors)
    for shard in range(facts.shards):
        values, scale = pack(vectors[facts.span(shard)], dtype)
        np.save(shard_path(folder, shard), values)
        whole[facts.span(shard)] = values if scale is None else values * scale[:, None]
        if scale is not None:
            np.save(scale_path(folder, shard), scale)
    store = open_store(folder)
    assert store[start:stop].tolist() == whole[start:stop].tolist()
    assert store[np.array(rows, np.int64)].tolist() == whole[rows].tolist()
    assert store[:2].dtype == np.float32


def test_int8_keeps_the_ends_and_a_row_of_zeros() -> None:
    values, scale = pack(np.array([[0.5, -1.0, 0.25], [0, 0, 0]], np.float32), "int8")
    assert values.tolist() == [[64, -127, 32], [0, 0, 0]]  # 63.5 and 31.75 in steps of 1/127
    assert scale is not None and scale.tolist() == [np.float32(1 / 127), 1]


def test_rows_out_of_range_and_strides_are_refused(stored: Callable[..., Store]) -> None:
    store = stored()
    for rows in ([8], [-1]):
        with pytest.raises(IndexError, match="of a store of 8"):
            store.rows(np.array(rows))
    with pytest.raises(ValueError, match="every 2th"):
        store[::2]


def test_few_shards_are_open_at_a_time(stored: Callable[..., Store]) -> None:
    store = stored(shard_size=1)
    assert store.facts.shards > OPEN
    assert len(store[:]) == 8
    assert store._shard.cache_info().currsize == OPEN


def test_only_missing_shards_are_encoded_again(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    facts = facts_of(tiny_encoder)
    begin_store(tmp_path, facts)
    finished: list[int] = []

    def killed(rows: slice) -> Sequence[str]:
        if rows.start == 3:
            raise KeyboardInterrupt
        return read(rows)

    with pytest.raises(KeyboardInterrupt):
        write_shards(tiny_encoder, killed, tmp_path, facts, missing_shards(tmp_path, facts), finished.append)
    assert sum(finished) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard-00000.npy", "store.json"]
    with pytest.raises(PanglotError, match=r"lacks 2 of 3 shards \(the first is shard-00001.npy\)"):
        open_store(tmp_path)
    begin_store(tmp_path, facts)
    assert missing_shards(tmp_path, facts) == [1, 2]
    written = write_shards(tiny_encoder, read, tmp_path, facts, [1, 2], finished.append)
    assert (written.shards, written.rows, sum(finished)) == ([1, 2], 5, 8)
    np.testing.assert_allclose(open_store(tmp_path)[:], encode(tiny_encoder, TEXTS, "Passage: "), atol=1e-6)


def test_texts_are_read_a_slice_at_a_time(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panglot.encoders.store_write.SLICE", 2)
    asked: list[slice] = []
    facts = facts_of(tiny_encoder, shard_size=5)
    begin_store(tmp_path, facts)
    write_shards(tiny_encoder, lambda rows: asked.append(rows) or read(rows), tmp_path, facts, [0, 1])  # type: ignore[func-returns-value]
    assert asked == [slice(0, 2), slice(2, 4), slice(4, 5), slice(5, 7), slice(7, 8)]
    np.testing.assert_allclose(open_store(tmp_path)[:], encode(tiny_encoder, TEXTS, "Passage: "), atol=1e-6)


def test_the_error_of_a_store_is_measured(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    facts = facts_of(tiny_encoder, "int8")
    begin_store(tmp_path, facts)
    written = write_shards(tiny_encoder, read, tmp_path, facts, [0, 1, 2])
    lost = np.linalg.norm(open_store(tmp_path)[:] - encode(tiny_encoder, TEXTS, "Passage: "), axis=1)
    assert written.rms_error == pytest.approx(np.sqrt((lost**2).mean()), rel=1e-3)


def test_parts_share_the_shards(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    facts = facts_of(tiny_encoder, shard_size=1)
    parts = [missing_shards(tmp_path, facts, (k, 3)) for k in (1, 2, 3)]
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert parse_part("3/16") == (3, 16)


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "1/", "-1/2", ""])
def test_what_is_no_part_is_refused(part: str) -> None:
    with pytest.raises(PanglotError, match="is not a part"):
        parse_part(part)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": {"name": "big", "sha256": "2" * 64}}, r"another model \('tiny', not 'big'\)"),
        ({"model": {"prompt": "passage: "}}, r"another prompt \('Passage: ', not 'passage: '\)"),
        ({"model": {"max_length": 8}}, r"another max length \(48, not 8\)"),
        ({"model": {"precision": "bfloat16"}}, "another precision"),
        ({"corpus": {"name": "garden"}}, r"other passages \(8 of 'kitchen', not these 8 of 'garden'\)"),
        ({"dtype": "int8"}, r"another dtype \(float32, not int8\)"),
        ({"shard_size": 4}, r"another shard size \(3, not 4\)"),
    ],
)
def test_another_store_in_the_folder_is_refused(
    tiny_encoder: SentenceTransformer, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    facts = facts_of(tiny_encoder)
    begin_store(tmp_path, facts)
    other = facts.as_json()
    other.pop("schema")
    for key, value in change.items():
        other[key] = other[key] | value if isinstance(value, dict) else value
    with pytest.raises(PanglotError, match=sentence):
        begin_store(tmp_path, StoreFacts(**other))
    assert json.loads((tmp_path / "store.json").read_text(encoding="utf-8")) == facts.as_json()


def test_shards_without_their_facts_are_refused(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    shard_path(tmp_path, 0).touch()
    with pytest.raises(PanglotError, match=r"has shards but no store\.json"):
        begin_store(tmp_path, facts_of(tiny_encoder))


def test_broken_stores_are_named(stored: Callable[..., Store], tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="is not a store of embeddings"):
        open_store(tmp_path)
    folder = stored("int8").folder
    shard = shard_path(folder, 1)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-20])
    with pytest.raises(PanglotError, match=r"shard-00001\.npy: cannot be read"):
        open_store(folder)
    np.save(shard, np.zeros((3, 31), np.int8))
    with pytest.raises(PanglotError, match=r"holds int8 numbers \(3, 31\) where int8 \(3, 32\) belong"):
        open_store(folder)
    shard.write_bytes(whole)
    scale_path(folder, 1).unlink()
    with pytest.raises(PanglotError, match=r"shard-00001\.scale\.npy: cannot be read"):
        open_store(folder)
    (folder / store_module.FACTS).write_text('{"schema": 1}')
    with pytest.raises(PanglotError, match=r"store\.json"):
        open_store(folder)


def test_an_embedding_that_is_not_finite_is_not_stored() -> None:
    with pytest.raises(PanglotError, match="not finite"):
        pack(np.array([[np.nan]], np.float32), "float16")
