"""``panglot encode`` on the sample."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data import sample_benchmark
from panglot.encoders.store import open_store, shard_path

Runner = Callable[..., Any]


@pytest.fixture
def given(tiny_checkpoint: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    return (
        *("encode", tiny_checkpoint, "--benchmark", "sample", "--languages", "en,es"),
        *("--shard-size", "20", "--output", tmp_path / "store"),
    )


def test_parts_complete_a_store_and_json_says_so(
    panglot: Runner, given: tuple[str | Path, ...], tmp_path: Path
) -> None:
    passages = len(sample_benchmark().restrict(["en", "es"]).passages)
    shards = -(-passages // 20)
    first = panglot(*given, "--part", "1/2", "--dtype", "int8", "--json").results
    assert first["written"]["shards"] == -(-shards // 2)
    assert first["missing_shards"] == shards // 2
    assert (first["rows"], first["dtype"], first["shard_size"]) == (passages, "int8", 20)
    assert 0 < first["rms_error"] < 0.02
    outcome = panglot(*given, "--dtype", "int8")
    assert outcome.code == 0
    assert (
        f"the store is complete: {tmp_path / 'store'}, {passages:,} passages in {shards} shards"
        in outcome.out
    )
    assert "int8 changes a cosine by" in outcome.out
    assert len(open_store(tmp_path / "store")) == passages


def test_missing_shards_are_told(panglot: Runner, given: tuple[str | Path, ...], tmp_path: Path) -> None:
    outcome = panglot(*given, "--part", "2/2")
    assert outcome.code == 0
    assert "shards are missing. Encode the other parts." in outcome.err
    assert not shard_path(tmp_path / "store", 0).exists()
