"""What runs found: averages over seeds, comparisons and tables, with numbers worked by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from panglot import PanglotError
from panglot.evaluation import Evaluation, compare
from panglot.experiments import findings
from panglot.experiments.findings import (
    averaged,
    by_seed,
    compare_groups,
    compared_grid,
    figure_of,
    read_findings,
)
from panglot.experiments.runs import Places, Run
from panglot.report.blocks import Cell

# rows: item 0 in de, item 0 in en, item 1 in en (item 1 has no German); each in de, en, and all
ROWS = [(0, "de"), (0, "en"), (1, "en")]
POOLS = ["de", "en", "*"]


def evaluation(ap: Sequence[float], distance: Sequence[float | None], name: str = "m") -> Evaluation:
    """Make an evaluation of AP by row and pool, and rank distance by row."""
    table = pa.table(
        {
            "query_id": [f"{item}:{code}" for item, code in ROWS for _ in POOLS],
            "item": pa.array([item for item, _ in ROWS for _ in POOLS], pa.int64()),
            "query_language": [code for _, code in ROWS for _ in POOLS],
            "pool": POOLS * len(ROWS),
            "relevant": pa.array([1, 1, 2] * len(ROWS), pa.int64()),
            "best_rank": pa.array([1] * 9, pa.int64()),
            "worst_rank": pa.array([1] * 9, pa.int64()),
            "AP": pa.array(ap, pa.float64()),
            "rank_distance": pa.array(
                [value for known in distance for value in (None, None, known)], pa.float64()
            ),
        }
    )
    mono = (ap[0] + (ap[4] + ap[7]) / 2) / 2
    cross = (ap[1] + (ap[3] + ap[6]) / 2) / 2
    multi = (ap[2] + (ap[5] + ap[8]) / 2) / 2
    known = [value for value in distance[1:] if value is not None]
    results = {
        "seed": 0,
        "model": {"name": name, "sha256": name, "training": None},
        "benchmark": {"name": "handmade", "sha256": "0", "candidate_text": "passage"},
        "settings": {
            "monolingual": {"AP": mono},
            "crosslingual": {"AP": cross},
            "multilingual": {"AP": multi},
        },
        "bias": {"rank_distance": (distance[0] + sum(known) / len(known)) / 2}  # type: ignore[operator]
        | {"own_language_wins": None},
        "by_language": {"de": {"monolingual": {"AP": ap[0]}}},
        "matrix": {"AP": {"de": {"de": ap[0], "en": ap[1]}}},
        "intervals": {"of": "one seed"},
        "groups": {"of": "one seed"},
    }
    return Evaluation(results, table)


FIRST = evaluation([1.0, 0.5, 0.4, 0.2, 1.0, 0.6, 0.4, 0.5, 0.2], [10.0, 20.0, None], "first")
SECOND = evaluation([0.5, 0.5, 0.2, 0.4, 0.5, 0.2, 0.2, 1.0, 0.8], [30.0, 40.0, None], "second")


def test_seeds_are_averaged_query_by_query() -> None:
    found = averaged([FIRST, SECOND], "both")
    ap = found.per_query.column("AP").to_numpy()
    np.testing.assert_allclose(ap, [0.75, 0.5, 0.3, 0.3, 0.75, 0.4, 0.3, 0.75, 0.5])
    assert found.per_query.column("rank_distance").to_pylist() == (
        [None, None, 20.0] + [None, None, 30.0] + [None] * 3
    )
    for column in ("query_id", "item", "pool", "relevant"):
        assert found.per_query.column(column).equals(FIRST.per_query.column(column))
    settings = found.results["settings"]
    # monolingual: de 0.75; en (0.75 + 0.75) / 2
    assert settings["monolingual"]["AP"] == pytest.approx(0.75)
    # cross-lingual: de in en 0.5; en in de (0.3 + 0.3) / 2
    assert settings["crosslingual"]["AP"] == pytest.approx(0.4)
    # multilingual: de 0.3; en (0.4 + 0.5) / 2
    assert settings["multilingual"]["AP"] == pytest.approx(0.375)
    assert found.results["bias"] == {"rank_distance": pytest.approx(25.0), "own_language_wins": None}
    assert found.results["by_language"]["de"]["monolingual"]["AP"] == pytest.approx(0.75)
    assert found.results["matrix"]["AP"]["de"] == pytest.approx({"de": 0.75, "en": 0.5})
    assert found.results["model"]["name"] == "both"
    assert FIRST.results["model"]["name"] == "first"


def test_an_average_holds_nothing_of_one_seed_alone() -> None:
    assert not {"intervals", "groups"} & set(averaged([FIRST, SECOND], "both").results)


def test_a_single_seed_is_its_own_average() -> None:
    found = averaged([FIRST], "one")
    assert found.per_query.equals(FIRST.per_query)
    assert found.results["settings"] == FIRST.results["settings"]


def test_seeds_in_another_order_of_queries_are_put_in_order() -> None:
    turned = Evaluation(SECOND.results, SECOND.per_query.take(pa.array(range(8, -1, -1))))
    assert averaged([FIRST, turned], "both").per_query.equals(averaged([FIRST, SECOND], "both").per_query)


def test_seeds_on_other_queries_are_refused() -> None:
    other = Evaluation(SECOND.results, SECOND.per_query.slice(3))
    with pytest.raises(PanglotError, match=r"hybrid \(1\) and hybrid \(2\) were measured on different quer"):
        averaged([FIRST, other], "hybrid")


def test_groups_are_compared_by_their_averages() -> None:
    third = evaluation([0.0] * 9, [50.0, 50.0, None])
    compared = compare_groups({"hybrid": [FIRST, SECOND], "zero": [third]}, "zero", "AP")
    assert (compared["runs"], compared["baseline"]) == (["hybrid", "zero"], "zero")
    found = compared["compared"]["hybrid"]["settings"]["monolingual"]
    assert found["value"] == found["difference"] == pytest.approx(0.75)
    distance = compared["compared"]["hybrid"]["rank_distance"]
    assert distance["value"] == pytest.approx(25.0)
    assert distance["difference"] == pytest.approx(-25.0)
    assert "difference" not in compared["compared"]["zero"]["settings"]["monolingual"]
    expected = compare(
        [averaged([FIRST, SECOND], "x"), third], names=["hybrid", "zero"], measure="AP", baseline=1
    )
    assert compared == expected


def test_figures_by_seed() -> None:
    found = by_seed([FIRST, SECOND], "AP")
    # 1.0 and (1.0 + 0.5) / 2; 0.5 and (0.5 + 1.0) / 2
    assert found["monolingual"] == pytest.approx([0.875, 0.625])
    assert set(found) == {"monolingual", "crosslingual", "multilingual"}


def test_a_setting_that_is_missing_has_no_figures_by_seed() -> None:
    results = {**FIRST.results, "settings": {**FIRST.results["settings"], "crosslingual": None}}
    found = by_seed([Evaluation(results, FIRST.per_query)], "AP")
    assert set(found) == {"monolingual", "multilingual"}


def figures(value: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, **more}


def test_a_comparison_is_shown_as_a_table() -> None:
    compared = {
        "baseline": "zero",
        "method": {"alpha": 0.05},
        "notes": ["no p in settings can be below 0.05.", "no p in matrix can be below 0.05."],
        "compared": {
            "zero": {"settings": {"monolingual": figures(0.5)}, "rank_distance": figures(1234.4)},
            "hybrid": {
                "settings": {"monolingual": figures(0.61239, verdict="better")},
                "rank_distance": figures(2000.6, verdict="worse"),
            },
        },
    }
    grid = compared_grid("name", "title", compared, "And more.")
    assert grid.columns == ["", "monolingual", "rank distance"]
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["zero", "0.5000", "1,234"],
        ["hybrid", "0.6124", "2,001"],
    ]
    hybrid = grid.rows[1]
    assert hybrid[1] == Cell("0.6124", 0.61239, (0.51239, 0.71239), "0.5124 to 0.7124", "better")
    assert hybrid[2].verdict == "worse"
    assert "worse than zero, p < 0.05 after Holm's correction" in grid.note
    assert grid.note.endswith("over settings. no p in settings can be below 0.05. And more.")


def test_a_setting_that_only_one_group_has_is_empty_for_others() -> None:
    compared = {
        "baseline": "zero",
        "method": {"alpha": 0.05},
        "notes": [],
        "compared": {
            "zero": {"settings": {"monolingual": figures(0.5)}, "rank_distance": None},
            "BM25": {"settings": {"multilingual": figures(0.4)}, "rank_distance": None},
        },
    }
    grid = compared_grid("name", "title", compared)
    assert grid.columns == ["", "monolingual", "multilingual"]
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["zero", "0.5000", ""],
        ["BM25", "", "0.4000"],
    ]
    assert figure_of(compared["compared"]["zero"], "multilingual") is None  # type: ignore[index]


def test_findings_are_sorted_by_benchmark_and_group(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def results(run: Run, *_: Any) -> dict[str, Any]:
        titles = ["a", "b"] if run.trained else ["a"]
        return {title: f"{run.name} on {title}" for title in titles}

    monkeypatch.setattr(findings, "read_results", results)
    runs = [
        make_run("as it comes", trained=False),
        make_run("hybrid", {"training.seed": 0}),
        make_run("hybrid", {"training.seed": 1}),
    ]
    found: Any = read_findings(runs, Places(()), Path())
    assert found == {
        "a": {
            "as it comes": ["as it comes on a"],
            "hybrid": ["hybrid, seed 0 on a", "hybrid, seed 1 on a"],
        },
        "b": {"hybrid": ["hybrid, seed 0 on b", "hybrid, seed 1 on b"]},
    }
