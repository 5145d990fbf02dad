import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation, describe_run, evaluate_embeddings, versions
from panglot.evaluation.results import describe_benchmark, describe_model, load_results


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


def test_names_with_versions_have_tables_of_their_own(tmp_path: Path, evaluation: Evaluation) -> None:
    for name in ("model-1.5", "model-1.6"):
        evaluation.save(tmp_path / name)
    assert files(tmp_path) == ["model-1.5", "model-1.5.parquet", "model-1.6", "model-1.6.parquet"]


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
        "truncate_dim": None,
        "training": {"steps": 3},
    }


@pytest.fixture
def saved(tmp_path: Path, make_benchmark: Callable[..., Benchmark]) -> Path:
    """A whole results file of two languages, with its table."""
    benchmark = make_benchmark(
        {"q0": "de", "q1": "en"},
        {"d0": "de", "e0": "en"},
        [("q0", "d0", 1), ("q0", "e0", 1), ("q1", "d0", 1), ("q1", "e0", 1)],
        items=[3, 3],
    )
    vectors = np.eye(2, dtype=np.float32)
    found = evaluate_embeddings(benchmark, vectors, vectors)
    described = {
        **describe_run(),
        "model": {"name": "mine", "sha256": None},
        "benchmark": describe_benchmark(benchmark),
        **found.results,
    }
    Evaluation(described, found.per_query).save(tmp_path / "results.json")
    return tmp_path / "results.json"


def test_what_was_saved_is_loaded_again(saved: Path) -> None:
    found = load_results(saved)
    assert found.results == {k: v for k, v in json.loads(saved.read_text()).items() if k != "per_query"}
    assert found.per_query.equals(pq.read_table(saved.with_suffix(".parquet")))
    found.save(saved.with_name("again.json"))
    assert load_results(saved.with_name("again.json")).results == found.results


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_file_without_its_table_says_so(saved: Path) -> None:
    saved.with_suffix(".parquet").unlink()
    with pytest.raises(PanglotError, match=r"results.json: the figures of its queries, results.parquet, are"):
        load_results(saved)
    with pytest.raises(PanglotError, match="no such file"):
        load_results(saved.with_name("other.json"))


def test_a_file_cut_short_says_so(saved: Path) -> None:
    saved.write_text(saved.read_text()[:200])
    with pytest.raises(PanglotError, match=r"line \d+: is not valid JSON"):
        load_results(saved)
    saved.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PanglotError, match="is not UTF-8"):
        load_results(saved)


def test_a_table_cut_short_says_so(saved: Path) -> None:
    table = saved.with_suffix(".parquet")
    table.write_bytes(table.read_bytes()[:300])
    with pytest.raises(PanglotError, match=r"results.parquet: is not a whole Parquet file"):
        load_results(saved)


@pytest.mark.parametrize("schema", [None, 2, "1"])
def test_another_schema_is_refused(saved: Path, schema: Any) -> None:
    edit(saved, schema=schema)
    with pytest.raises(PanglotError, match=f"has schema {json.dumps(schema)} and this panglot reads 1"):
        load_results(saved)


@pytest.mark.parametrize("content", ["[]", "3", '{"schema": 1}', '{"schema": 1, "model": []}'])
def test_other_json_is_no_results_file(saved: Path, content: str) -> None:
    saved.write_text(content)
    with pytest.raises(PanglotError, match=r"name a file that panglot evaluate --output wrote"):
        load_results(saved)


def test_the_table_of_another_evaluation_is_refused(saved: Path) -> None:
    table = pq.read_table(saved.with_suffix(".parquet"))
    place = table.column_names.index("AP")
    pq.write_table(
        table.set_column(place, "AP", pa.array(np.full(table.num_rows, 0.25))), saved.with_suffix(".parquet")
    )
    with pytest.raises(PanglotError, match=r"does not belong to results.json, whose .* AP is"):
        load_results(saved)
    pq.write_table(table.drop_columns(["AP"]), saved.with_suffix(".parquet"))
    with pytest.raises(PanglotError, match="has no column 'AP'"):
        load_results(saved)


def test_a_table_is_looked_for_beside_its_file_only(saved: Path) -> None:
    elsewhere = saved.parent / "deeper"
    elsewhere.mkdir()
    saved.rename(elsewhere / "results.json")
    edit(elsewhere / "results.json", per_query="../results.parquet")
    with pytest.raises(PanglotError, match="are not beside it"):
        load_results(elsewhere / "results.json")


PER_QUERY = {
    "query_id": ["q1", "q2", "q1", "q2"],
    "item": [0, 1, 0, 1],
    "query_language": ["de", "en", "de", "en"],
    "pool": ["de", "en", "*", "*"],
    "relevant": [1, 1, 1, 1],
    "best_rank": [1, 2, 1, 4],
    "worst_rank": [1, 2, 3, 4],
    "AP": [1.0, 0.5, 1.0, 0.25],
    "rank_distance": [None, None, 2.0, None],
}


@pytest.fixture
def whole() -> Evaluation:
    """Two queries, as they are and with typos."""
    results = {
        "schema": 1,
        "seed": 3,
        "model": {"name": "m", "sha256": None},
        "benchmark": {
            **{"name": "kitchen", "sha256": "", "languages": ["de", "en"], "queries": 2, "passages": 4},
            "candidate_text": "passage",
        },
        "settings": {"monolingual": {"AP": 0.75}, "crosslingual": None, "multilingual": {"AP": 0.625}},
        **{part: {} for part in ("bias", "by_language", "matrix")},
    }
    table = pa.table(PER_QUERY)
    typos = table.select([*PER_QUERY][:8]).add_column(0, "perturbation", pa.array(["typos"] * 4))
    return Evaluation(results, table, typos)


def test_rows_of_changed_queries_are_kept_apart_in_one_file(tmp_path: Path, whole: Evaluation) -> None:
    whole.save(tmp_path / "results.json")
    assert files(tmp_path) == ["results.json", "results.parquet"]
    found = load_results(tmp_path / "results.json")
    assert found.per_query.equals(whole.per_query)
    assert found.perturbed is not None and whole.perturbed is not None
    assert found.perturbed.to_pylist() == whole.perturbed.select(found.perturbed.column_names).to_pylist()
    assert found.to_frame().equals(whole.to_frame())


def test_a_frame_has_a_row_per_query_pool_and_measure(whole: Evaluation) -> None:
    frame = whole.to_frame()
    assert list(frame.columns) == [
        *("run", "seed", "benchmark", "part", "query_language", "pool", "setting", "perturbation"),
        *("measure", "query", "item", "value"),
    ]
    assert len(frame) == 4 + 1 + 4  # AP, one rank distance, AP with typos
    (distance,) = frame[frame["measure"] == "rank_distance"].to_dict("records")
    assert distance == {
        **{"run": "m", "seed": 3, "benchmark": "kitchen", "part": "", "query_language": "de", "pool": "*"},
        **{"setting": "multilingual", "perturbation": "", "measure": "rank_distance"},
        **{"query": "q1", "item": 0, "value": 2.0},
    }
    plain = frame[(frame["measure"] == "AP") & (frame["perturbation"] == "")]
    assert plain.groupby("setting", observed=True)["value"].mean().to_dict() == {
        "monolingual": 0.75,
        "multilingual": 0.625,
    }


def test_an_evaluation_is_shown_in_one_line(whole: Evaluation) -> None:
    assert repr(whole) == "Evaluation(m on kitchen, AP: monolingual 0.7500, multilingual 0.6250)"
