"""The leaderboard: which lines are planned, what is left out, and what the figures let it say."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from panglot.cli import app
from panglot.data import Benchmark, sample
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation, evaluate_embeddings
from panglot.evaluation.results import describe_benchmark
from panglot.experiments.answer import Answer
from panglot.experiments.experiment import Experiment, read_experiment
from panglot.experiments.questions.baselines import question as baselines
from panglot.experiments.questions.baselines.board import make_board, mean_ranks, shared_places
from panglot.experiments.questions.baselines.encoders import check_loadable, on_this_machine
from panglot.experiments.runs import Measured, Places, Run
from panglot.report.blocks import Grid, Picture
from panglot.report.render import png
from panglot.training import Recipe, override

PLACES = Places(("pairs.jsonl",))
ITEMS = 12


def experiment(**grid: Any) -> Experiment:
    """The bundled one on the sample, with two seeds and lines of one's own."""
    given: dict[str, Any] = {
        "encoders": [{"name": "a"}],
        "languages": None,
        "measures": {},
        "measured_languages": {},
    }
    settings = {f"grid.{name}": value for name, value in (given | grid).items()}
    return read_experiment("baselines", {"benchmarks": ["sample"], "seeds": 2, **settings})


def test_the_default_plan_has_the_embedded_encoder_and_bm25() -> None:
    default = read_experiment("baselines", {"benchmarks": ["sample"]})
    runs = baselines.plan(default, PLACES)
    assert [(run.name, run.trained, run.recipe.model.name) for run in runs] == [
        ("use-multilingual", False, "use-multilingual"),
        ("BM25", False, "bm25"),
        *((f"use-multilingual (hybrid), seed {k}", True, "use-multilingual") for k in range(3)),
    ]
    assert {run.recipe.batches.strategy for run in runs if run.trained} == {"hybrid"}
    assert {run.benchmarks for run in runs} == {(Measured("sample"),)}


def test_the_default_recipe_is_shared_with_other_questions() -> None:
    assert read_experiment("baselines").recipe == read_experiment("alpha").recipe


def test_an_encoder_is_tuned_with_its_own_settings(tmp_path: Path) -> None:
    own = {
        "model": str(tmp_path),
        "name": "mine",
        "runs": ["hybrid"],
        "objective": {"temperature": 0.02},
        "training": {"learning_rate": 2e-5},
    }
    runs = baselines.plan(
        experiment(encoders=[{"name": "a", "runs": ["as it comes"]}, own], bm25=False), PLACES
    )
    assert [run.name for run in runs] == ["a", "mine (hybrid), seed 0", "mine (hybrid), seed 1"]
    shared = read_experiment("baselines").recipe
    assert runs[0].recipe.objective == shared.objective
    assert runs[1].recipe == override(
        shared,
        {
            "model.name": str(tmp_path),
            "batches.strategy": "hybrid",
            "objective.temperature": 0.02,
            "training.learning_rate": 2e-5,
        },
    )
    assert [run.recipe.training.seed for run in runs[1:]] == [0, 1]


def test_benchmarks_are_measured_in_their_languages_and_suites_not_by_bm25(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baselines, "_is_suite", lambda _, measured: measured.name == "tatoeba")
    asked = experiment(measured_languages={"tatoeba": ["de", "tr"]}, languages=["de", "en"])
    asked = asked.model_copy(update={"benchmarks": ["sample", "tatoeba"]})
    runs = {run.group: run for run in baselines.plan(asked, PLACES)}
    both = (Measured("sample"), Measured("tatoeba", ("de", "tr")))
    assert (runs["a"].benchmarks, runs["a (hybrid)"].benchmarks) == (both, both)
    assert runs["BM25"].benchmarks == both[:1]
    assert runs["a (hybrid)"].recipe.data.languages == ["de", "en"]


@pytest.mark.parametrize("model", ["no/such-model", "no-such.pt", "/no/such/folder"])
def test_an_encoder_that_is_not_here_is_named_or_left_out(model: str) -> None:
    assert not on_this_machine(model)
    with pytest.raises(
        PanglotError, match=f"'{model}' cannot be loaded: it is not on this machine and .*optional"
    ):
        baselines.plan(experiment(encoders=[{"name": "a"}, {"model": model}]), PLACES)
    optional = experiment(encoders=[{"name": "a"}, {"model": model, "optional": True}])
    assert baselines.plan(optional, PLACES) == baselines.plan(experiment(), PLACES)


def test_an_encoder_in_the_hubs_cache_is_here_once_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    folder = tmp_path / "models--one--model"
    snapshot = folder / "snapshots" / ("0" * 40)
    (folder / "refs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text("{}")
    assert not on_this_machine("one/model")
    (snapshot / "model.safetensors").write_bytes(b"")
    assert on_this_machine("one/model")
    check_loadable("one/model")


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"encoders": [{"name": "a"}, {"name": "a"}]}, "two lines are called 'a'"),
        ({"encoders": [{"name": "BM25"}]}, "two lines are called 'BM25'"),
        ({"encoders": [{"name": "a", "runs": ["as it comes"]}], "bm25": False}, "needs two lines or more"),
        ({"baseline": "b"}, "baseline 'b' is none of BM25, a, a \\(hybrid\\)"),
        ({"measures": {"sample": "nDCG@7"}}, "'nDCG@7' is not measured; use AP, nDCG@10"),
        ({"measures": {"sampel": "AP"}}, "'sampel' is no benchmark"),
        ({"encoders": [{"nam": "a"}]}, "nam is no setting"),
    ],
)
def test_lines_that_cannot_be_compared_are_refused(grid: dict[str, Any], said: str) -> None:
    with pytest.raises(PanglotError, match=said):
        baselines.plan(experiment(**grid), PLACES)


def finds(benchmark: Benchmark, found: int) -> Evaluation:
    """Measure a model that ranks both passages of the first ``found`` items first, and of the others last."""
    item = benchmark.query_items
    vectors = np.eye(ITEMS, dtype=np.float32)[item]
    signs = np.where(item < found, 1, -1).astype(np.float32)[:, None]
    measured = evaluate_embeddings(benchmark, vectors * signs, vectors)
    described = {"model": {"name": "x"}, "benchmark": describe_benchmark(benchmark)}
    return Evaluation({**described, **measured.results}, measured.per_query)


@pytest.fixture(scope="module")
def findings(make_benchmark: Callable[..., Benchmark]) -> dict[str, dict[str, list[Evaluation]]]:
    """Twelve items in two languages: one benchmark with BM25, and one that only encoders are measured on."""
    names = [f"{language}{k:02}" for language, k in product(("de", "en"), range(ITEMS))]
    queries, passages = ({f"{role}-{name}": name[:2] for name in names} for role in "qp")
    judged = [(q, p, 1) for q, p in product(queries, passages) if q[-2:] == p[-2:]]
    made = make_benchmark(queries, passages, judged, items=[int(name[2:]) for name in names])
    of_lines = {
        "sample": {"a": [2], "BM25": [1], "a (hybrid)": [12, 12]},
        "mtop": {"a": [12], "a (hybrid)": [4, 8]},
    }
    return {
        title: {line: [finds(made, found) for found in of_seeds] for line, of_seeds in lines.items()}
        for title, lines in of_lines.items()
    }


@pytest.fixture(scope="module")
def said(findings: dict[str, dict[str, list[Evaluation]]]) -> Answer:
    asked = experiment(
        measures={"mtop": "Success@1"}, encoders=[{"name": "a"}, {"model": "b/c", "optional": True}]
    )
    return baselines.answer(asked, runs_of("a", "BM25", "a (hybrid)"), findings)


def runs_of(*groups: str) -> list[Run]:
    return [Run(group, Recipe(), ()) for group in groups]


def test_figures_and_tests_are_those_worked_by_hand(findings: dict[str, dict[str, list[Evaluation]]]) -> None:
    """A passage that is found has rank 1 of 12, another rank 12.

    The signs of eleven items can be flipped, one of which is the same for the two encoders: 4 of 2,048 ways
    to do so give as large a difference, and 2 for BM25 against the tuned one. There are 12 tests, of which 3
    (against BM25) have the smallest p and 3 (of the encoders) the next; Holm takes them 12 and 9 times.
    """
    board = make_board("sample", findings["sample"], "AP")
    alone = {line: board.value(line, "monolingual") for line in board.lines}
    assert alone == pytest.approx({"a": (2 + 10 / 12) / 12, "BM25": (1 + 11 / 12) / 12, "a (hybrid)": 1})
    last = (1 / 23 + 2 / 24) / 2
    assert board.value("a", "multilingual") == pytest.approx((2 + 10 * last) / 12)
    for setting in ("monolingual", "crosslingual", "multilingual"):
        tuned, bm25, untuned = (
            board.minus(*pair, setting)
            for pair in (("a (hybrid)", "a"), ("BM25", "a (hybrid)"), ("a", "BM25"))
        )
        assert tuned is not None and bm25 is not None and untuned is not None
        assert (tuned.p, tuned.p_holm, tuned.verdict) == (4 / 2048, 9 * 4 / 2048, "better")
        assert (bm25.p, bm25.p_holm, bm25.verdict) == (2 / 2048, 12 * 2 / 2048, "worse")
        assert (untuned.p, untuned.p_holm, untuned.verdict) == (1, 1, None)
    change = board.minus("a (hybrid)", "a", "monolingual")
    assert change is not None and change.low < change.value < change.high
    assert change.value == pytest.approx(10 / 12 * 11 / 12)
    back = board.minus("a", "a (hybrid)", "monolingual")
    assert back is not None and (back.low, back.value, back.high) == (
        -change.high,
        -change.value,
        -change.low,
    )
    distance = board.minus("a (hybrid)", "a", "rank_distance")
    assert distance is not None and (distance.value, distance.p, distance.verdict) == (0, 1, None)
    assert board.value("BM25", "rank_distance") == 1


def test_intervals_are_those_of_the_averaged_seeds(findings: dict[str, dict[str, list[Evaluation]]]) -> None:
    board = make_board("mtop", findings["mtop"], "Success@1", resamples=200)
    assert board.value("a (hybrid)", "multilingual") == pytest.approx((4 + 8) / 2 / ITEMS)
    item = np.repeat([1, 0.5, 0], 4)
    drawn = np.random.default_rng(0).integers(0, ITEMS, (200, ITEMS))
    low, high = np.quantile(item[drawn].mean(axis=1), [0.025, 0.975])
    found = board.lines["a (hybrid)"]["multilingual"]
    assert (found["low"], found["high"]) == pytest.approx((low, high))


def test_ranks_are_averaged_where_all_lines_are_and_ties_share_theirs(
    findings: dict[str, dict[str, list[Evaluation]]],
) -> None:
    boards = [make_board(title, of_lines, "Success@1", flips=8) for title, of_lines in findings.items()]
    places = shared_places(boards)
    assert places == [("sample", setting) for setting in ("monolingual", "crosslingual", "multilingual")]
    assert mean_ranks(boards, places) == {"a (hybrid)": 1, "a": 2, "BM25": 3}
    twice = {"x": findings["sample"]["a"], "y": findings["sample"]["a"], "z": findings["sample"]["BM25"]}
    tied = make_board("sample", twice, "AP", flips=8)
    assert mean_ranks([tied], [("sample", "multilingual")]) == {"x": 1.5, "y": 1.5, "z": 3}
    assert mean_ranks(boards, []) == pytest.approx(
        dict.fromkeys(("a", "BM25", "a (hybrid)"), np.nan), nan_ok=True
    )


def test_the_sentences_follow_from_the_figures(said: Answer) -> None:
    def one(start: str) -> str:
        (found,) = (sentence for sentence in said.sentences if sentence.startswith(start))
        return found.removeprefix(start)

    assert said.sentences[0] == (
        "Mean rank over the 3 pairs of benchmark and setting that hold every line: a (hybrid) 1.00, a 2.00 "
        "and BM25 3.00."
    )
    assert one("Monolingual: a (hybrid)") == (
        " leads on sample (mAP 1.000, interval 1.000 to 1.000); significantly ahead of every other line."
    )
    assert one("Monolingual: a leads") == (
        " on mtop (Success@1 1.000, interval 1.000 to 1.000); significantly ahead of every other line."
    )
    assert one("Hybrid tuning makes a") == (
        " significantly better in 3 of 6 pairs of benchmark and setting and worse in 3; in none the "
        "difference is not significant."
    )
    assert one("a (hybrid) against a, monolingual") == ": better on sample (+0.764); worse on mtop (−0.500)."
    assert one("a (hybrid) against a, rank distance") == (
        ": not significantly different on sample (0, p = 1) and mtop (0, p = 1)."
    )
    assert one("Against a, BM25") == (
        " is significantly ahead in none of 3 pairs of benchmark and setting and behind in none; in 3 the "
        "difference is not significant."
    )
    assert one("Tuned lines are means of 2 seeds").endswith(
        "lie at most 0.3333 apart (a (hybrid) on mtop, multilingual)."
    )
    assert one("Not on this machine and left out: b/c;")
    assert one("BM25 does not rank mtop")


def test_a_lead_that_is_not_significant_is_said_to_be_none(
    findings: dict[str, dict[str, list[Evaluation]]],
) -> None:
    two = {line: findings["sample"][line] for line in ("a", "BM25")}
    sentences = baselines.answer(experiment(), runs_of(*two), {"sample": two}).sentences
    assert "not significantly ahead of BM25 on sample." in sentences[1]
    ahead = {"BM25": findings["sample"]["a (hybrid)"][:1], "a": two["a"]}
    sentences = baselines.answer(experiment(), runs_of(*ahead), {"sample": ahead}).sentences
    assert sentences[-1] == (
        "Against a, BM25 is significantly ahead in 3 of 3 pairs of benchmark and setting and behind in none; "
        "in none the difference is not significant. It is ahead: monolingual on sample (+0.764); "
        "cross-lingual on sample (+0.764); multilingual on sample (+0.780)."
    )


def test_one_seed_is_said_to_be_one(findings: dict[str, dict[str, list[Evaluation]]]) -> None:
    two = {line: findings["sample"][line][:1] for line in ("a", "a (hybrid)")}
    sentences = baselines.answer(experiment(), runs_of(*two), {"sample": two}).sentences
    assert sentences[-1].startswith("Each tuned line is one run (one seed)")


def test_tables_are_ordered_by_rank_and_leave_cells_empty_that_were_not_measured(said: Answer) -> None:
    blocks = [block for section in said.sections for block in section.blocks]
    tables = {block.name: block for block in blocks if isinstance(block, Grid)}
    assert set(tables) == {
        "leaderboard",
        "hybrid-tuning",
        *(f"leaderboard-{s}" for s in ("monolingual", "crosslingual", "multilingual", "rank-distance")),
    }
    board = tables["leaderboard-monolingual"]
    assert board.columns == ["line", "sample, mAP", "mtop, Success@1"]
    assert [[cell.text for cell in row] for row in board.rows] == [
        ["a (hybrid)", "1.000", "0.500"],
        ["a", "0.236", "1.000"],
        ["BM25", "0.160", ""],
    ]
    assert [[cell.verdict for cell in row[1:]] for row in board.rows] == [
        ["better", "worse"],
        [None] * 2,
        [None] * 2,
    ]
    overview = [[cell.text for cell in row] for row in tables["leaderboard"].rows]
    assert overview == [
        ["a (hybrid)", "1.00", "1.00", "1.00", "1.00", "3 of 6", "3", "3"],
        ["a", "2.00", "2.00", "2.00", "2.00", "3 of 6", "", ""],
        ["BM25", "3.00", "3.00", "3.00", "3.00", "0 of 3", "0", "0"],
    ]
    changes = [[cell.text for cell in row[:3]] for row in tables["hybrid-tuning"].rows]
    assert changes == [["a", "sample, mAP", "+0.764"], ["a", "mtop, Success@1", "−0.500"]]


def test_the_picture_is_drawn_and_the_figures_are_plain(said: Answer) -> None:
    (picture,) = (b for section in said.sections for b in section.blocks if isinstance(b, Picture))
    assert png(picture.spec)[:4] == b"\x89PNG"
    plain = json.loads(json.dumps(said.figures, allow_nan=False))
    assert (plain["baseline"], plain["left_out"]) == ("a", ["b/c"])
    assert plain["benchmarks"]["mtop"]["by_seed"]["a (hybrid)"]["monolingual"] == pytest.approx(
        [1 / 3, 2 / 3]
    )


def test_the_command_trains_measures_and_answers(tiny_checkpoint: Path, tmp_path: Path) -> None:
    arguments = ["experiment", "baselines", "--output", str(tmp_path), "--seeds", "1", "--json"]
    arguments += ["--pairs", str(sample.FOLDER / "train.jsonl"), "--benchmark", "sample"]
    arguments += ["--model", str(tiny_checkpoint)]
    for setting in (
        "batches.size=4",
        "training.steps=2",
        "training.bf16=false",
        "bf16=false",
        'grid.languages=["de", "en"]',
        'grid.measured_languages={sample = ["de", "en", "tr"]}',
    ):
        arguments += ["--set", setting]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    name = tiny_checkpoint.name
    assert [run["name"] for run in summary["runs"]] == [name, "BM25", f"{name} (hybrid), seed 0"]
    assert summary["benchmarks"]["sample"]["languages"] == ["de", "en", "tr"]
    found = summary["answer"]["benchmarks"]["sample"]["lines"]
    assert found["BM25"]["monolingual"]["value"] > found[name]["monolingual"]["value"]
    assert found[name] != found[f"{name} (hybrid)"]
    assert (tmp_path / "report.html").exists() and (tmp_path / "leaderboard-dots.svg").exists()
    assert "intfloat/multilingual-e5-small" in summary["answer"]["left_out"]
