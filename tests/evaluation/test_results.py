import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentence_transformers import SentenceTransformer

from panglot.evaluation import Evaluation, describe_run, versions
from panglot.evaluation.results import describe_benchmark, describe_model


@pytest.fixture
def evaluation() -> Evaluation:
    table = pa.table({"query_id": ["q1", "q2"], "AP": [0.25, 1.0], "rank_distance": [None, 3.0]})
    return Evaluation({"schema": 1, "settings": {"multilingual": None}, "name": "größe"}, table)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_json_with_the_table_beside_it(tmp_path: Path, evaluation: Evaluation) -> None:
    evaluation.save(tmp_path / "new" / "en.v1.json")
    assert files(tmp_path / "new") == ["en.v1.json", "en.v1.parquet"]
    content = json.loads((tmp_path / "new" / "en.v1.json").read_text(encoding="utf-8"))
    assert content == {**evaluation.results, "per_query": "en.v1.parquet"}
    assert pq.read_table(tmp_path / "new" / "en.v1.parquet").equals(evaluation.per_query)


def test_saving_leaves_the_evaluation_as_it_was(tmp_path: Path, evaluation: Evaluation) -> None:
    evaluation.save(tmp_path / "results.json")
    assert "per_query" not in evaluation.results


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path: Path, evaluation: Evaluation) -> None:
    evaluation.save(tmp_path / "results.json")
    before = (tmp_path / "results.json").read_bytes()
    broken = Evaluation({"settings": object()}, evaluation.per_query)
    with pytest.raises(TypeError):
        broken.save(tmp_path / "results.json")
    assert (tmp_path / "results.json").read_bytes() == before
    assert files(tmp_path) == ["results.json", "results.parquet"]


def test_a_table_cut_short_leaves_the_old_one(
    tmp_path: Path, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation.save(tmp_path / "results.json")
    before = (tmp_path / "results.parquet").read_bytes()

    def stop(table: pa.Table, path: Path) -> None:
        path.write_bytes(b"half a")
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        evaluation.save(tmp_path / "results.json")
    assert (tmp_path / "results.parquet").read_bytes() == before
    assert files(tmp_path) == ["results.json", "results.parquet"]


def test_a_run_is_described_by_schema_versions_command_time_and_seed() -> None:
    described = describe_run(seed=5, command="panglot evaluate x")
    assert list(described) == ["schema", "panglot", "command", "created", "seed", "versions"]
    assert (described["schema"], described["seed"], described["command"]) == (1, 5, "panglot evaluate x")
    assert described["created"].endswith("+00:00")


def test_the_command_is_quoted_for_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/some/bin/panglot", "evaluate", "my model"])
    assert describe_run()["command"] == "panglot evaluate 'my model'"


def test_versions_are_those_of_what_is_installed() -> None:
    assert versions()["numpy"] == np.__version__
    assert versions()["pyarrow"] == pa.__version__
    assert {"python", "torch", "transformers", "sentence-transformers"} <= versions().keys()


def test_a_benchmark_is_described_by_its_sizes(make_benchmark: Any) -> None:
    benchmark = make_benchmark({"q": "sw"}, {"a": "en", "b": "sw"}, [("q", "b", 1)])
    assert describe_benchmark(benchmark) == {
        "name": "handmade",
        "sha256": "0" * 64,
        "languages": ["en", "sw"],
        "queries": 1,
        "passages": 2,
        "candidate_text": "passage",
    }


def test_a_model_is_described_by_weights_and_prompts(
    encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "prompts", {"query": "Q: ", "document": "P: "})
    described = describe_model(encoder, "mine", {"steps": 3})
    assert len(described.pop("sha256")) == 64
    assert described == {
        "name": "mine",
        "prompts": {"query": "Q: ", "passage": "P: "},
        "max_length": encoder.max_seq_length,
        "training": {"steps": 3},
    }
