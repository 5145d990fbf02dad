"""One model or one a language outside the domain: what is run, how groups are lined up, what is said."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from panglot.cli import app
from panglot.data import sample
from panglot.errors import PanglotError
from panglot.evaluation import ALL, Evaluation
from panglot.experiments.asking import planned
from panglot.experiments.experiment import Experiment, read_experiment
from panglot.experiments.questions.domain_shift import question as domain_shift
from panglot.experiments.questions.domain_shift.figures import (
    AGNOSTIC,
    CROSSLINGUAL,
    MONOLINGUAL,
    Shift,
    line_up,
    losses,
    shifts,
)
from panglot.experiments.runs import ZERO_SHOT, Measured, Places, Run

SAMPLE = sample.FOLDER / "train.jsonl"
PLACES = Places((str(SAMPLE),), held_out=0.3)
GROUPS = {"zero": ZERO_SHOT, "agnostic": AGNOSTIC, "mono": "agnostic, monolingual"}
ITEMS = 12


def asked(**grid: Any) -> Experiment:
    """The bundled recipe, on the sample, in two languages."""
    settings = {"languages": ["tr", "de"], **grid}
    overrides = {f"grid.{name}": value for name, value in settings.items()}
    return read_experiment("domain-shift", {"benchmarks": ["sample"], "seeds": 1, **overrides})


def by_group(runs: Sequence[Run]) -> dict[str, Run]:
    return {run.group: run for run in runs}


# what is run


def test_there_is_a_model_a_language_and_budget_and_one_for_all() -> None:
    runs = planned(asked(), PLACES)
    assert {run.name for run in runs} == {
        "as it comes",
        "agnostic, seed 0",
        "agnostic, monolingual, seed 0",
        *(f"specific {x}, equal {b}, seed 0" for x in ("de", "tr") for b in ("pairs", "steps")),
    }
    of = by_group(runs)
    strategies = {group: of[group].recipe.batches.strategy for group in of}
    assert strategies["agnostic"] == "hybrid"
    assert strategies["agnostic, monolingual"] == "monolingual"
    specific = of["specific de, equal pairs"].recipe
    assert (specific.batches.strategy, specific.batches.language) == ("specific", "de")
    assert specific.data.languages == ["de"]
    assert of["agnostic"].recipe.data.languages == ["tr", "de"]


def test_equal_pairs_divide_the_steps_among_the_languages() -> None:
    experiment = asked(languages=["ar", "de", "tr"])
    steps = {run.group: run.recipe.training.steps for run in planned(experiment, PLACES) if run.trained}
    assert experiment.recipe.training.steps == 40
    assert steps["agnostic"] == steps["specific de, equal steps"] == 40
    assert steps["specific de, equal pairs"] == 13  # a third


def test_a_budget_may_be_left_out_and_seeds_added() -> None:
    experiment = asked(budgets=["steps"]).model_copy(update={"seeds": 3})
    names = [run.name for run in planned(experiment, PLACES)]
    assert len(names) == 1 + 3 * (2 + 2)
    assert not any("equal pairs" in name for name in names)
    assert "specific tr, equal steps, seed 2" in names


def test_a_specific_model_is_measured_in_its_own_language() -> None:
    of = by_group(planned(asked(perturb=["typos"]), PLACES))
    label = "held-out, perturbed"
    assert of["agnostic"].benchmarks == (
        Measured("held-out", ("de", "tr")),
        Measured("held-out", ("de", "tr"), ("typos",), label=label),
        Measured("sample", ("de", "tr")),
    )
    assert of["as it comes"].benchmarks == of["agnostic"].benchmarks
    assert of["specific tr, equal steps"].benchmarks == (
        Measured("held-out", ("de", "tr")),
        Measured("held-out", ("tr",), ("typos",), label=label),
        Measured("sample", ("tr",)),
    )


def test_captions_without_a_monolingual_setting_are_measured_in_all_languages() -> None:
    experiment = asked(languages=["de", "en", "hi"]).model_copy(
        update={"benchmarks": ["xflickrco", "nfcorpus"]}
    )
    of = by_group(planned(experiment, PLACES))
    shared = {group: [(m.name, m.languages) for m in run.benchmarks[2:]] for group, run in of.items()}
    captions = ("xflickrco", ("de", "en"))
    assert shared["agnostic"] == [captions, ("nfcorpus", ("en",))]
    assert shared["specific en, equal pairs"] == [captions, ("nfcorpus", ("en",))]
    assert shared["specific de, equal pairs"] == [captions]
    assert shared["specific hi, equal pairs"] == []


@pytest.mark.parametrize(
    ("grid", "held_out", "reason"),
    [
        ({}, 0.0, "--held-out 0.1"),
        ({"languages": ["de", "pl"]}, 0.3, "no held-out document is in 'pl'"),
        ({"languages": ["de"]}, 0.3, "grid: languages"),
        ({"budgets": ["days"]}, 0.3, "grid: budgets"),
        ({"perturb": ["shouting"]}, 0.3, "shouting"),
    ],
)
def test_what_cannot_work_is_refused(grid: dict[str, Any], held_out: float, reason: str) -> None:
    with pytest.raises(PanglotError, match=reason):
        planned(asked(**grid), Places(PLACES.pairs, held_out=held_out))


def test_a_benchmark_without_the_languages_is_refused() -> None:
    experiment = asked().model_copy(update={"benchmarks": ["nfcorpus"]})
    with pytest.raises(PanglotError, match=r"'nfcorpus' has none of grid\.languages"):
        planned(experiment, PLACES)


# findings of invented figures, as evaluations have them


def evaluation(values: Mapping[tuple[str, str], Sequence[float]], first: int = 0) -> Evaluation:
    """An evaluation with the AP of every query by (query language, pool); items count from ``first``."""
    rows = [
        {
            "query_id": f"{k}:{query}",
            "item": first + k,
            "query_language": query,
            "pool": pool,
            "relevant": 1,
            "best_rank": 1,
            "worst_rank": 1,
            "AP": value,
        }
        for (query, pool), column in values.items()
        for k, value in enumerate(column)
    ]
    benchmark = {"name": "invented", "sha256": "0", "candidate_text": "passage", "languages": ["de", "tr"]}
    return Evaluation(
        {"benchmark": benchmark, "settings": {}, "model": {"name": "x"}}, pa.Table.from_pylist(rows)
    )


def spread(value: float, wide: float) -> list[float]:
    """``ITEMS`` figures about a mean: half of them above it, half below."""
    return [value + (wide if k % 2 else -wide) for k in range(ITEMS)]


def groups_of(
    zero: float, agnostic: float, specific: tuple[float, float], wide: float = 0.0, cross: bool = False
) -> dict[str, list[Evaluation]]:
    """Findings of one benchmark in de and tr: agnostic models reach one figure, specific ones two."""

    def whole(value: float, noise: float = 0.0) -> list[Evaluation]:
        own = {} if cross else {(x, x): spread(value, noise) for x in ("de", "tr")}
        rest = {("de", "tr"): spread(value, noise), ("tr", "de"): spread(value, noise)}
        return [evaluation({**own, **rest, ("de", ALL): spread(0.9, 0), ("tr", ALL): spread(0.9, 0)})]

    found = {
        GROUPS["zero"]: whole(zero),
        GROUPS["agnostic"]: whole(agnostic),
        GROUPS["mono"]: whole(agnostic),
    }
    for x, other, value in (("de", "tr", specific[0]), ("tr", "de", specific[1])):
        values = {(x, other if cross else x): spread(value, wide)}
        found[f"specific {x}, equal steps"] = [evaluation(values, first=100)]  # items of its own
    return found


def test_specific_models_answer_the_queries_of_their_language() -> None:
    lined = line_up(groups_of(0.4, 0.8, (0.7, 0.5)), ["steps"], MONOLINGUAL, "AP")
    assert list(lined) == ["as it comes", "agnostic", "agnostic, monolingual", "specific, equal steps"]
    table = lined["specific, equal steps"][0].per_query
    reference = lined["agnostic"][0].per_query
    for column in ("query_id", "item", "query_language", "pool"):
        assert table[column].equals(reference[column])
    assert table.num_rows == 2 * ITEMS
    assert set(table["item"].to_pylist()) == set(range(ITEMS))
    settings = {group: of[0].results["settings"] for group, of in lined.items()}
    assert settings["agnostic"] == {MONOLINGUAL: {"AP": pytest.approx(0.8)}}
    assert settings["specific, equal steps"] == {MONOLINGUAL: {"AP": pytest.approx(0.6)}}


def test_seeds_stay_apart() -> None:
    one, two = groups_of(0.4, 0.8, (0.7, 0.5)), groups_of(0.4, 0.6, (0.3, 0.1))
    both = {group: one[group] + two[group] for group in one}
    lined = line_up(both, ["steps"], MONOLINGUAL, "AP")
    reached = [e.results["settings"][MONOLINGUAL]["AP"] for e in lined["specific, equal steps"]]
    assert reached == pytest.approx([0.6, 0.2])


def test_models_of_other_queries_are_refused() -> None:
    groups = groups_of(0.4, 0.8, (0.7, 0.5))
    groups["specific tr, equal steps"] = [evaluation({("tr", "tr"): spread(0.5, 0)[1:]})]
    with pytest.raises(PanglotError, match="measured on other queries"):
        line_up(groups, ["steps"], MONOLINGUAL, "AP")


def perturbed(change: dict[str, float], half: float) -> Callable[[list[Evaluation]], list[Evaluation]]:
    """Say what typos change in each language, with an interval of half a width to both sides."""
    figures = {
        x: {MONOLINGUAL: {"change": value, "low": value - half, "high": value + half}}
        for x, value in change.items()
    }

    def lay_over(evaluations: list[Evaluation]) -> list[Evaluation]:
        kinds = {"typos": {"measure": "AP", "by_language": figures}}
        return [Evaluation({**e.results, "perturbed": kinds}, e.per_query) for e in evaluations]

    return lay_over


def test_losses_are_those_worked_by_hand() -> None:
    findings = {
        "held-out": groups_of(0.4, 0.8, (0.7, 0.5)),
        "elsewhere": groups_of(0.3, 0.5, (0.6, 0.4)),
    }
    (found,) = losses(shifts(findings, ["steps"], "AP"))
    assert (found["title"], found["setting"], found["languages"]) == ("elsewhere", MONOLINGUAL, ["de", "tr"])

    def figures(group: str, scope: str) -> dict[str, float | None]:
        its = found["groups"][group][scope]
        return {key: value and round(value["value"], 9) for key, value in its.items()}

    assert figures("as it comes", ALL) == {
        "inside": 0.4,
        "outside": 0.3,
        "drop": 0.1,
        "relative": 0.25,
        "further": None,
    }
    assert figures("agnostic", ALL) == {
        "inside": 0.8,
        "outside": 0.5,
        "drop": 0.3,
        "relative": 0.375,
        "gain_inside": 0.4,
        "gain_outside": 0.2,
        "gain_drop": 0.2,
        "kept": 0.5,
        "further": None,
    }
    specific = figures("specific, equal steps", ALL)
    assert (specific["inside"], specific["outside"]) == (0.6, 0.5)
    assert (specific["gain_inside"], specific["gain_outside"]) == (0.2, 0.2)
    assert specific["gain_drop"] == 0.0
    assert specific["further"] == -0.2
    assert figures("specific, equal steps", "de")["drop"] == 0.1
    assert figures("specific, equal steps", "tr")["inside"] == 0.5


def test_changed_queries_are_a_shift_with_the_intervals_of_the_change() -> None:
    groups = groups_of(0.4, 0.8, (0.7, 0.5))
    lay = perturbed({"de": -0.1, "tr": -0.3}, 0.2)
    changed = {group: lay(of) for group, of in groups.items()}
    (found,) = losses(shifts({"held-out": groups, "held-out, perturbed": changed}, ["steps"], "AP"))
    assert found["title"] == "held-out, typos"
    drop = found["groups"]["agnostic"][ALL]["drop"]
    assert drop["value"] == pytest.approx(0.2)
    assert (drop["low"], drop["high"]) == pytest.approx((0.0, 0.4), abs=0.02)
    further = found["groups"]["specific, equal steps"][ALL]["further"]
    assert further["value"] == pytest.approx(0.0)
    wide = 0.2 * 2**0.5  # two groups that err apart
    assert (further["low"], further["high"]) == pytest.approx((-wide, wide), abs=0.03)
    assert further["verdict"] is None


def test_captions_are_held_against_the_held_out_documents_across_languages() -> None:
    inside = groups_of(0.4, 0.8, (0.7, 0.5))
    across = groups_of(0.4, 0.8, (0.7, 0.5), cross=True)
    for x in ("de", "tr"):
        name = f"specific {x}, equal steps"
        both = pa.concat_tables([inside[name][0].per_query, across[name][0].per_query])
        inside[name] = [Evaluation(inside[name][0].results, both)]
    findings = {"held-out": inside, "captions": groups_of(0.2, 0.3, (0.2, 0.1), cross=True)}
    (found,) = shifts(findings, ["steps"], "AP")
    assert found.setting == CROSSLINGUAL
    assert found.inside["agnostic"][0].tolist() == pytest.approx([0.8, 0.8, 0.8])
    assert found.outside["specific, equal steps"][0].tolist() == pytest.approx([0.15, 0.2, 0.1])


def test_p_is_that_of_the_normal_distribution_after_holm() -> None:
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((1000, 1))
    draws = (draws - draws.mean()) / draws.std()

    def of(value: float, spread: float) -> np.ndarray:
        return np.concatenate([[[value]], value + spread * draws])

    nothing = np.zeros((1001, 1))
    inside = {ZERO_SHOT: nothing, AGNOSTIC: nothing, "a": of(1.645, 1), "b": of(5.152, 2)}
    shift = Shift("x", MONOLINGUAL, "AP", (ALL,), inside, dict.fromkeys(inside, nothing))
    (found,) = losses([shift])
    a, b = (found["groups"][group][ALL]["further"] for group in ("a", "b"))
    assert (a["p"], b["p"]) == pytest.approx((0.1, 0.01), abs=1e-4)  # 1.645 and 2.576 standard errors
    assert (a["p_holm"], b["p_holm"]) == pytest.approx((0.1, 0.02), abs=1e-4)
    assert (a["verdict"], b["verdict"]) == (None, "worse")


# what is said


def test_the_answer_says_who_is_better_where_and_who_loses_more() -> None:
    findings = {
        "held-out": groups_of(0.4, 0.8, (0.7, 0.5)),
        "near": groups_of(0.3, 0.5, (0.5, 0.5), wide=0.3),
        "far": groups_of(0.3, 0.5, (0.6, 0.6)),
    }
    experiment = asked(budgets=["steps"])
    runs = planned(experiment, PLACES)
    found = domain_shift.answer(experiment, runs, findings)
    # where 12 items all differ alike, p is exactly 2 / 2^12; Holm's correction is over three groups
    assert (
        "Against 'specific, equal steps', the agnostic model is significantly better on held-out "
        "(monolingual); significantly worse on far (monolingual); not significantly different on near "
        "(monolingual)."
    ) in found.sentences
    assert (
        "held-out (monolingual), mAP over de and tr: agnostic 0.8000; "
        "'as it comes' 0.4000 (−0.4000, p = .001: worse); "
        "'agnostic, monolingual' 0.8000 (0.0000, p = 1: not significant); "
        "'specific, equal steps' 0.6000 (−0.2000, p = .001: worse)."
    ) in found.sentences
    assert (
        "From held-out (monolingual) to far, over de and tr: mAP and its gain over the encoder "
        "as it comes are, for 'as it comes' 0.4000 to 0.3000 (−25.0%); "
        "'agnostic' 0.8000 to 0.5000 (−37.5%), gain +0.4000 to +0.2000 (50% kept); "
        "'agnostic, monolingual' 0.8000 to 0.5000 (−37.5%), gain +0.4000 to +0.2000 (50% kept), "
        "a drop not significantly other than agnostic's (0.0000, p = 1); "
        "'specific, equal steps' 0.6000 to 0.6000 (0.0%), gain +0.2000 to +0.3000 (150% kept), "
        "a drop 0.3000 less than agnostic's (p < .001)."
    ) in found.sentences
    # near: 0.2 less at a standard error of 0.3 / sqrt(12), p = .02; Holm's correction makes that .06
    assert (
        "Of 2 shifts, 'specific, equal steps' drops significantly less in 1 (far) and "
        "significantly more in 0 than the agnostic model."
    ) in found.sentences
    assert (
        "far (monolingual): 'specific, equal steps' is significantly better in every language against "
        "agnostic." in found.sentences
    )
    assert any("mean over 1 seed;" in s and "stay open" in s for s in found.sentences)
    json.dumps(found.figures)
    assert found.figures["steps"]["specific de, equal steps"] == 40
    names = [block.name for section in found.sections for block in section.blocks if hasattr(block, "name")]
    assert names[:2] == ["domain-shift-gains", "domain-shift-losses"]
    assert "domain-shift-near-monolingual" in names


def test_the_command_trains_measures_and_answers(tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = {
        "batches.size": 4,
        "training.steps": 2,
        "training.max_length": 16,
        "grid.languages": '["de", "tr"]',
        "grid.budgets": '["pairs"]',
        "grid.perturb": '["typos"]',
    }
    arguments = ["experiment", "domain-shift", "--output", str(tmp_path), "--pairs", str(SAMPLE), "--json"]
    arguments += [
        "--model",
        str(tiny_checkpoint),
        "--seeds",
        "1",
        "--benchmark",
        "sample",
        "--held-out",
        "0.3",
    ]
    arguments += [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["held_out"] == 0.3
    assert len(summary["runs"]) == 5
    titles = [shift["title"] for shift in summary["answer"]["shifts"]]
    assert titles == ["held-out, typos", "sample"]
    (inside, outside) = summary["answer"]["levels"]
    assert (inside["benchmark"], outside["benchmark"]) == ("held-out", "sample")
    of_page = (tmp_path / "report.md").read_text()
    assert "domain-shift-gains.svg" in of_page
    key = by_runs(tmp_path)["specific tr, equal pairs, seed 0"]
    (own,) = [json.loads(p.read_text()) for p in key.glob("sample-*.json")]
    value = own["settings"]["monolingual"]["AP"]
    found = outside["compared"]["compared"]["specific, equal pairs"]["by_language"]["tr"]["monolingual"]
    assert found["value"] == pytest.approx(value)


def by_runs(output: Path) -> dict[str, Path]:
    """The folders of runs by their names."""
    summary = json.loads((output / "summary.json").read_text())
    return {run["name"]: output / "runs" / run["folder"] for run in summary["runs"]}
