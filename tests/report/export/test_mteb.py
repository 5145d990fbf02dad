"""mteb's files: their layout, names of measures, and a mean that is panglot's."""

import json
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from panglot import mteb_tasks
from panglot.errors import PanglotError
from panglot.report.export import eval_results, task_results, write_mteb
from panglot.report.export.mteb import mteb_name

KEYS = {
    "dataset_revision",
    "task_name",
    "mteb_version",
    "scores",
    "evaluation_time",
    "kg_co2_emissions",
    "date",
    "evaluation_phases",
}  # the fields of mteb.TaskResult, version 2.26


@pytest.fixture
def results(runs: SimpleNamespace) -> dict[str, Any]:
    return dict(runs.evaluations[0].results)


def test_the_mean_over_subsets_is_the_setting(results: dict[str, Any]) -> None:
    found = {task["task_name"]: task for task in task_results(results)}
    assert sorted(found) == ["sample-crosslingual", "sample-monolingual", "sample-multilingual"]
    for setting, figures in results["settings"].items():
        task = found[f"sample-{setting}"]
        assert set(task) == KEYS
        scores = task["scores"]["test"]
        assert len(scores) == (6 if setting == "crosslingual" else 3)
        for ours, theirs in (
            ("AP", "map"),
            ("nDCG@10", "ndcg_at_10"),
            ("R@100", "recall_at_100"),
            ("RR@10", "mrr_at_10"),
            ("Success@1", "hit_rate_at_1"),
            ("nDCG@10", "main_score"),
        ):
            assert np.mean([s[theirs] for s in scores]) == pytest.approx(figures[ours], abs=1e-6)


def test_subsets_have_mtebs_language_codes(results: dict[str, Any]) -> None:
    scores = next(t for t in task_results(results) if t["task_name"] == "sample-crosslingual")["scores"][
        "test"
    ]
    languages = {score["hf_subset"]: score["languages"] for score in scores}
    assert languages["ar-en"] == ["ara-Arab", "eng-Latn"]
    assert languages["en-sw"] == ["eng-Latn", "swa-Latn"]


def test_folders_are_those_of_mteb(results: dict[str, Any], tmp_path: Path) -> None:
    written = write_mteb([results], tmp_path, task="Mine", split="dev", revision="abc")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "models__plain/abc/Mine-monolingual.json",
        "models__plain/abc/Mine-crosslingual.json",
        "models__plain/abc/Mine-multilingual.json",
        "models__plain/abc/model_meta.json",
    ]
    task = json.loads(written[0].read_text())
    assert list(task["scores"]) == ["dev"]
    assert (
        datetime.fromtimestamp(task["date"])
        == datetime.fromisoformat(results["created"]).replace(tzinfo=None)
        or task["date"] == datetime.fromisoformat(results["created"]).timestamp()
    )
    meta = json.loads(written[-1].read_text())
    assert (meta["name"], meta["revision"]) == ("models/plain", "abc")


def test_without_ndcg_the_first_measure_is_the_main_score(results: dict[str, Any]) -> None:
    def only_ap(found: dict[str, Any]) -> dict[str, Any]:
        return {"AP": found["AP"]}

    few = {
        **results,
        "settings": {s: only_ap(f) for s, f in results["settings"].items()},
        "matrix": only_ap(results["matrix"]),
        "by_language": {
            code: {s: only_ap(f) for s, f in found.items() if isinstance(f, dict)}
            for code, found in results["by_language"].items()
        },
    }
    score = task_results(few)[0]["scores"]["test"][0]
    assert set(score) == {"map", "main_score", "hf_subset", "languages"}
    assert score["map"] == score["main_score"]


@pytest.mark.parametrize("options", [{"task": "../up"}, {"revision": ".."}, {"task": "a/b"}])
def test_names_do_not_lead_out_of_the_folder(
    results: dict[str, Any], tmp_path: Path, options: dict[str, str]
) -> None:
    with pytest.raises(PanglotError, match="cannot be the name of a"):
        write_mteb([results], tmp_path / "mteb", **options)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_results_of_one_name_in_mtebs_folders_are_refused(results: dict[str, Any], tmp_path: Path) -> None:
    spelled = {**results, "model": {**results["model"], "name": results["model"]["name"].replace("/", "__")}}
    with pytest.raises(PanglotError, match=r"-monolingual\.json: two of the results would write this file"):
        write_mteb([results, spelled], tmp_path)
    assert not list(tmp_path.iterdir())
    other = {**results, "benchmark": {**results["benchmark"], "name": "other"}}
    assert len(write_mteb([results, other], tmp_path)) == 3 + 3 + 1  # the facts of the model once


def test_mteb_itself_reads_them(results: dict[str, Any], tmp_path: Path) -> None:
    mteb = pytest.importorskip("mteb")
    for path in write_mteb([results], tmp_path)[:-1]:
        found = mteb.TaskResult.from_disk(path)
        setting = found.task_name.removeprefix("sample-")
        scores = [score["main_score"] for score in found.scores["test"]]
        assert np.mean(scores) == pytest.approx(results["settings"][setting]["nDCG@10"], abs=1e-6)


def test_tasks_without_mteb_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)  # importing it is an error
    with pytest.raises(PanglotError, match="mteb is not installed"):
        mteb_tasks("sample")


def test_a_measure_with_a_cut_off_has_a_name_of_its_own() -> None:
    assert [mteb_name(measure) for measure in ("AP", "AP@10", "RR")] == ["map", "map_at_10", "mrr"]


@pytest.mark.parametrize("how", [{"reranker": {"name": "r", "depth": 10}}, {"balanced": "scores"}])
def test_lists_that_are_not_the_models_own_are_not_exported(results: dict[str, Any], how: Any) -> None:
    changed = {**results, "model": {**results["model"], **how}}
    for export in (task_results, eval_results):
        with pytest.raises(PanglotError, match="evaluate without --rerank and --balanced"):
            export(changed)
