"""Does hybrid training help low-resource languages: what is run, and what is made of hand-made findings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from panglot.cli import app
from panglot.data import IntArray
from panglot.data.sample import FOLDER
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation
from panglot.evaluation.cells import Cells
from panglot.experiments.experiment import Experiment, read_experiment
from panglot.experiments.questions.low_resource import answer, plan
from panglot.experiments.questions.low_resource.groups import group_masks, pair_class
from panglot.experiments.runs import Measured, Places
from panglot.report.blocks import Grid, Picture
from panglot.report.render import png

ITEMS = 12  # 2 ** 12 assignments of signs: the test is exact
PAIRS = (("sw", "en"), ("jv", "en"), ("te", "en"), ("de", "en"))  # of classes 2, 1, 1 and 5
SWING = 0.1 * (-1.0) ** np.arange(ITEMS)  # above and below its mean in turn

# AP by strategy, seed and language beside English, the same for all items and both ways where it is a number
HYBRID = [
    {"sw": 0.4, "jv": 0.25, "te": 0.02, "de": 0.8},
    {"sw": 0.4, "jv": 0.15, "te": 0.02, "de": 0.8},
]
MIXED = [{"sw": 0.3, "jv": 0.2, "te": 0.02, "de": 0.8}] * 2
ENGLISH = [{"sw": 0.4 + SWING, "jv": 0.2, "te": 0.02, "de": 0.9}] * 2
AS_IT_COMES = [{"sw": 0.0, "jv": 0.0, "te": 0.0, "de": 0.0}]


def evaluation(values: dict[str, Any]) -> Evaluation:
    """Return what a suite of pairs with English would give."""
    rows = [
        {
            "query_id": f"{x}:{k}",
            "item": k,
            "query_language": x,
            "pool": y,
            "AP": float(np.broadcast_to(values[other], ITEMS)[k]),
        }
        for other, english in PAIRS
        for x, y in ((other, english), (english, other))
        for k in range(ITEMS)
    ]
    table = pa.Table.from_pylist(rows)
    results = {
        "model": {"name": "m", "training": None},
        "benchmark": {"name": "b", "sha256": "0" * 64, "candidate_text": "sentence"},
        "settings": {
            "monolingual": None,
            "crosslingual": {"AP": float(table.column("AP").to_numpy().mean())},
            "multilingual": None,
        },
    }
    return Evaluation(results, table)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return read_experiment("low-resource", {"grid.languages": ["de", "en", "jv", "sw"], "seeds": 2})


@pytest.fixture(scope="module")
def said(experiment: Experiment) -> Any:
    given: dict[str, list[dict[str, Any]]] = {
        "as it comes": AS_IT_COMES,
        "english": ENGLISH,
        "mixed": MIXED,
        "hybrid": HYBRID,
    }
    findings = {"pairs": {name: [evaluation(seed) for seed in seeds] for name, seeds in given.items()}}
    return answer(experiment, [], findings)


def test_the_plan_is_the_encoder_and_three_seeds_of_five_strategies() -> None:
    found = plan(read_experiment("low-resource"), Places(()))
    strategies = ["english", "mixed", "monolingual", "crosslingual", "hybrid"]
    assert [(run.group, run.recipe.training.seed) for run in found[1:]] == [
        (strategy, seed) for strategy in strategies for seed in range(3)
    ]
    assert (found[0].group, found[0].trained) == ("as it comes", False)
    for run in found:
        assert [m.name for m in run.benchmarks] == ["xquad-r", "tatoeba", "nfcorpus"]
        assert run.benchmarks[0] == Measured("xquad-r", ("el", "en", "th", "tr", "zh"))
        assert run.benchmarks[2] == Measured("nfcorpus")
        assert run.recipe.data.languages == ["ar", "de", "el", "en", "id", "ku", "sw", "th", "tr", "zh"]
    for run in found[1:]:
        assert (run.trained, run.recipe.batches.strategy, run.recipe.training.steps) == (True, run.group, 40)


def test_strategies_without_hybrid_are_refused() -> None:
    with pytest.raises(PanglotError, match="strategies lack 'hybrid'"):
        plan(read_experiment("low-resource", {"grid.strategies": ["mixed", "english"]}), Places(()))


def test_cells_stand_in_the_groups_of_their_languages() -> None:
    x, y = ["en", "en", "en", "sw", "sw", "jv"], ["en", "sw", "*", "en", "jv", "sw"]
    none: IntArray = np.zeros(0, np.int64)
    found = group_masks(Cells(np.array(x), np.array(y), none, none, none), ["en", "sw"])
    assert {key: np.flatnonzero(mask).tolist() for key, mask in found.items()} == {
        ("class", "1"): [4, 5],
        ("class", "2"): [1, 3],
        ("language", "1", "crosslingual"): [5],
        ("language", "2", "crosslingual"): [3, 4],
        ("language", "5", "crosslingual"): [1],
        ("language", "5", "monolingual"): [0],
        ("language", "5", "multilingual"): [2],
        ("pair", "jv", "sw"): [4, 5],
        ("pair", "sw", "en"): [1, 3],
        ("side", "low"): [1, 3, 4, 5],
        ("training", "1", "one seen"): [4, 5],
        ("training", "2", "both seen"): [1, 3],
    }


def test_a_pair_has_its_lower_class_or_none() -> None:
    assert (pair_class("en", "sw"), pair_class("jv", "sw"), pair_class("de", "en")) == (2, 1, 5)
    assert pair_class("en", "ido") is None


def test_a_class_is_the_mean_of_its_pairs_with_paired_differences(said: Any) -> None:
    found = said.figures["pairs"]["hybrid_minus"]
    two, one = found["class 2"], found["class 1"]
    assert two["value"] == pytest.approx(0.4)
    assert one["value"] == pytest.approx((0.2 + 0.02) / 2)  # jv over its seeds, te
    against = two["against"]["mixed"]
    for key in ("difference", "low", "high"):
        assert against[key] == pytest.approx(0.1)
    # 2 of 4096 assignments are as far from 0, which is the least of nine tests (3 classes, 3 others)
    assert against["p_holm"] == pytest.approx(9 * 2 / 4096)
    assert against["verdict"] == "better"
    against = two["against"]["english"]
    assert against["difference"] == pytest.approx(0, abs=1e-12)
    assert against["low"] < -0.01 and against["high"] > 0.01
    assert (against["p_holm"], against["verdict"]) == (1, None)
    assert found["class 5"]["against"]["english"]["verdict"] == "worse"
    assert one["against"]["mixed"]["by_seed"] == pytest.approx([0.025, -0.025])


def test_groups_of_languages_stand_beside_the_differences(said: Any) -> None:
    groups = said.figures["pairs"]["groups"]["hybrid"]["languages"]["resource"]
    assert groups["1"]["languages"] == ["jv", "te"]
    assert groups["1"]["settings"]["crosslingual"]["AP"]["value"] == pytest.approx(0.11)


def test_the_sentences_follow_from_the_figures(said: Any) -> None:
    assert (
        "pairs, pairs of low-resource languages (class 2 or less), mAP: hybrid, 0.207 [0.207, 0.207], is "
        "significantly better than as it comes (+0.207 [0.207, 0.207]) and mixed (+0.033 [0.033, 0.033])"
    ) in said.sentences[0]
    assert "not significantly different from english (0.000 [" in said.sentences[0]
    # (0.1 + 0 + 0) / 3 on low-resource pairs, 0 on the other one
    assert "+0.033 [0.033, 0.033] against mixed" in said.sentences[1]
    assert "leaves out 0 against as it comes, english and mixed" in said.sentences[1]
    text = "\n".join(said.sentences)
    assert "mAP of pairs of class 1 (jv–en and te–en): hybrid, 0.110" in text
    assert (
        "not significantly different from english (0.000 [0.000, 0.000], p = 1, above 0 in 1 of 2 seeds)"
        in text
    )
    assert (
        "pairs, mAP pair by pair, hybrid against mixed: significantly better on sw–en; "
        "not significantly different on 3 of 4."
    ) in text
    assert (
        "hybrid against english: significantly worse on de–en; not significantly different on 3 of 4." in text
    )
    assert "hybrid against as it comes: significantly better on all 4." in text
    assert "no model reaches mAP 0.05 on te–en" in text
    assert "a mean over 2 seeds" in text


def test_a_benchmark_without_low_resource_pairs_says_so(experiment: Experiment) -> None:
    def high(values: dict[str, Any]) -> Evaluation:
        found = evaluation(values)
        de = pa.compute.is_in(found.per_query.column("query_id"), pa.array([f"de:{k}" for k in range(ITEMS)]))
        return Evaluation(found.results, found.per_query.filter(de))

    findings = {"b": {"mixed": [high(MIXED[0])], "hybrid": [high(HYBRID[0])]}}
    said = answer(experiment, [], findings)
    assert said.sentences[0] == "b has no pair of low-resource languages: its lowest class is 5."
    assert not [sentence for sentence in said.sentences if "gains on" in sentence]


def test_a_benchmark_of_one_language_is_answered_by_its_settings(experiment: Experiment) -> None:
    def english(gain: float) -> Evaluation:
        found = evaluation(MIXED[0])
        rows = [
            {"query_id": str(k), "item": k, "query_language": "en", "pool": "en", "AP": 0.5 + gain}
            for k in range(ITEMS)
        ]
        settings = {**found.results["settings"], "monolingual": {"AP": 0.5 + gain}, "crosslingual": None}
        return Evaluation({**found.results, "settings": settings}, pa.Table.from_pylist(rows))

    said = answer(experiment, [], {"b": {"mixed": [english(0.0)], "hybrid": [english(-0.1)]}})
    expected = "b, monolingual mAP: hybrid, 0.400 [0.400, 0.400], is significantly worse than mixed"
    assert [sentence.startswith(expected) for sentence in said.sentences].count(True) == 1
    assert said.sentences[0].startswith(expected)
    assert [section.name for section in said.sections] == ["answer", "b"]


def test_the_picture_is_drawn_and_tables_tell_class_and_training(said: Any) -> None:
    blocks = [block for section in said.sections for block in section.blocks]
    pictures = [block for block in blocks if isinstance(block, Picture)]
    assert [png(picture.spec)[:4] for picture in pictures] == [b"\x89PNG"]
    tables = {block.name: block for block in blocks if isinstance(block, Grid)}
    rows = [[cell.text for cell in row[:3]] for row in tables["low-resource-pairs-classes"].rows]
    assert [row[1:] for row in rows if row[0] == "pairs"] == [
        ["1", "all"],
        ["2", "all"],
        ["5", "all"],
        ["1", "both seen"],  # jv; all pairs of the other classes are
        ["1", "one seen"],  # te
    ]
    assert [row[0].text for row in tables["low-resource-pairs-pairs"].rows] == [
        "jv–en",
        "te–en",
        "sw–en",
        "de–en",
    ]


def test_the_command_trains_measures_and_answers(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'question = "low-resource"\nbenchmarks = ["sample"]\nseeds = 1\n'
        '[grid]\nstrategies = ["mixed", "hybrid"]\nlanguages = ["en", "sw"]\n'
        '[grid.measured]\nsample = ["en", "sw", "tr"]\n'
        "[recipe.batches]\nsize = 4\n[recipe.training]\nsteps = 2\nmax_length = 24\n",
        encoding="utf-8",
    )
    output = tmp_path / "answer"
    arguments = ["experiment", "low-resource", "--recipe", str(recipe), "--output", str(output)]
    arguments += ["--pairs", str(FOLDER / "train.jsonl"), "--model", str(tiny_checkpoint), "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    summary = json.loads(result.stdout)
    assert [run["name"] for run in summary["runs"]] == ["as it comes", "mixed, seed 0", "hybrid, seed 0"]
    assert summary["sentences"][0].startswith(
        "sample, pairs of low-resource languages (class 2 or less), mAP: "
    )
    found = summary["answer"]["sample"]["hybrid_minus"]
    assert {"class 2", "class 4", "pair sw en", "pair tr en", "pair sw tr", "language 2 monolingual"} <= set(
        found
    )
    assert (output / "report.html").exists() and (output / "low-resource-sample-classes-dots.svg").exists()
