"""Shards encoded by two workers of Ray."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from panglot.data import sample_benchmark
from panglot.encoders import load_encoder
from panglot.encoders.store import open_store, shard_path
from panglot.encoders.store_write import begin_store, write_shards
from panglot.errors import PanglotError
from panglot.evaluation.stores import load_reader, reader_of, store_facts

LANGUAGES = "en,es"


@pytest.mark.slow
def test_two_workers_write_the_store_that_one_process_writes(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's own 15 starves workers on a busy machine
    from panglot.encoders.store_write import write_shards_with_ray

    load = partial(load_encoder, str(tiny_checkpoint), device="cpu")
    benchmark = sample_benchmark().restrict(LANGUAGES.split(","))
    facts = store_facts(load(), benchmark, dtype="int8", shard_size=10)
    begin_store(tmp_path / "one", facts)
    alone = write_shards(load(), reader_of(benchmark), tmp_path / "one", facts, range(facts.shards))
    begin_store(tmp_path / "two", facts)
    write_shards(load(), reader_of(benchmark), tmp_path / "two", facts, [1])
    kept = shard_path(tmp_path / "two", 1).stat().st_mtime_ns
    finished: list[int] = []
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        read = partial(load_reader, "sample", languages=LANGUAGES)
        written = write_shards_with_ray(
            load, read, tmp_path / "two", facts, workers=2, progress=finished.append
        )
        other = store_facts(load_encoder(str(tiny_checkpoint), max_length=9), benchmark)
        with pytest.raises(PanglotError, match="another"):
            write_shards_with_ray(load, read, tmp_path / "two", other)
    finally:
        ray.shutdown()
    one, two = open_store(tmp_path / "one"), open_store(tmp_path / "two")
    np.testing.assert_allclose(two[:], one[:], atol=1e-3)
    assert shard_path(tmp_path / "two", 1).stat().st_mtime_ns == kept
    assert written.shards == [k for k in range(facts.shards) if k != 1]
    assert sum(finished) == written.rows == len(benchmark.passages) - 10
    assert written.rms_error == pytest.approx(alone.rms_error, rel=0.1)
