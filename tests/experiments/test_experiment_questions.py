"""The questions: which runs each plans, what it refuses, and what it works out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from panglot import PanglotError
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.evaluation.aggregate import ALL, align
from panglot.evaluation.bootstrap import Draws
from panglot.experiments import baselines, domain_shift, low_resource, scaling, strategies, unseen_languages
from panglot.experiments.experiment import plan_runs, read_experiment
from panglot.experiments.runs import Data, Run, Target
from panglot.training.config import checked

TRAIN = str(SAMPLE_FOLDER / "train.jsonl")
DATA = Data((TRAIN,), held_out=0.3)


def planned(name: str, given: dict[str, Any], data: Data = DATA) -> list[Run]:
    """Plan a bundled experiment on the sample, with one seed and other settings laid over it."""
    shared = {"benchmarks": ["sample"], "seeds": 1, "model.name": "tiny"}
    return plan_runs(read_experiment(name, shared | given), data)


def by_name(runs: Sequence[Run]) -> dict[str, Run]:
    return {run.name: run for run in runs}


# which runs


def test_alpha_runs_every_share_schedule_and_seed() -> None:
    grid = {
        "grid.alphas": [0.4, 0.5],
        "grid.schedules": {"falling": [1.0, 0.0]},
        "grid.languages": ["de", "en"],
    }
    runs = planned("alpha", {"seeds": 2, **grid})
    assert [run.title for run in runs] == [
        "zero-shot",
        *(f"{name}, seed {k}" for name in ("alpha 0.4", "alpha 0.5", "falling") for k in (0, 1)),
    ]
    assert [run.recipe.batches.alpha for run in runs[1::2]] == [0.4, 0.5, [1.0, 0.0]]
    assert {run.recipe.batches.strategy for run in runs[1:]} == {"hybrid"}
    bilingual = planned("alpha", {"seeds": 1, "batches.strategy": "bilingual", **grid})
    assert {run.recipe.batches.strategy for run in bilingual[1:]} == {"bilingual"}
    assert {run.targets for run in runs} == {(Target("sample", ("de", "en")),)}


def test_low_resource_runs_every_strategy_on_the_same_languages() -> None:
    grid = {"grid.languages": ["de", "en", "sw"], "grid.measured": {"sample": ["en", "sw"]}}
    runs = by_name(planned("low-resource", grid))
    assert list(runs) == ["zero-shot", "english", "mixed", "monolingual", "crosslingual", "hybrid"]
    for name, run in list(runs.items())[1:]:
        assert run.recipe.batches.strategy == name
        assert run.recipe.data.languages == ["de", "en", "sw"]
        assert run.targets == (Target("sample", ("en", "sw")),)


def test_unseen_languages_leaves_out_codes_scripts_and_families() -> None:
    sets = {
        "codes": {"languages": ["zh"]},
        "scripts": {"scripts": ["Cyrl", "Arab"]},
        "families": {"families": ["Germanic"]},
    }
    trained = ["ar", "de", "en", "ru", "tr", "zh"]
    grid = {"grid.left_out": sets, "grid.languages": trained, "grid.measured": ["ar", "en", "ru", "zh"]}
    runs = by_name(planned("unseen-languages", grid | {"grid.strategies": ["hybrid"]}))
    assert {name: run.recipe.data.languages for name, run in runs.items() if run.trained} == {
        "hybrid with all languages": trained,
        "hybrid without codes": ["ar", "de", "en", "ru", "tr"],
        "hybrid without scripts": ["de", "en", "tr", "zh"],
        "hybrid without families": ["ar", "ru", "tr", "zh"],
    }
    assert runs["zero-shot"].targets == (Target("sample", ("ar", "en", "ru", "zh")),)
    with_script = unseen_languages.LeftOut(languages=["zh"]).of(["zh", "zh-Hant", "ja"])
    assert with_script == ["zh", "zh-Hant"]


def test_baselines_runs_encoders_both_ways_and_bm25(tmp_path: Path) -> None:
    encoders = [
        {"name": "a", "model": str(tmp_path), "training": {"learning_rate": 0.5}},
        {"name": "b", "model": str(tmp_path), "runs": ["as it comes"]},  # the old name of zero-shot
        {"name": "c", "model": "nobody/nothing", "optional": True},
    ]
    runs = planned("baselines", {"seeds": 2, "grid.encoders": encoders, "grid.languages": ["de", "en"]})
    assert [run.title for run in runs] == ["a", "b", "BM25", "a (hybrid), seed 0", "a (hybrid), seed 1"]
    assert runs[3].recipe.training.learning_rate == 0.5
    assert runs[3].recipe.data.languages == ["de", "en"]
    assert runs[2].recipe.model.name == "bm25"


@pytest.mark.parametrize(
    ("question", "grid", "others"),
    [
        ("baselines", {"encoders": [{"name": "a", "model": TRAIN}]}, set()),
        (
            "scaling",
            {"languages": ["de", "en"], "counts": [2], "measured": ["de", "en"], "sizes": [8]},
            set(),
        ),
        ("alpha", {}, set()),
        ("domain-shift", {"languages": ["ar", "tr"]}, {"specific", "monolingual"}),
    ],
)
def test_the_strategy_in_question_is_the_one_of_the_recipe(
    question: str, grid: dict[str, Any], others: set[str]
) -> None:
    given = {"batches.strategy": "bilingual", **{f"grid.{name}": value for name, value in grid.items()}}
    if question == "scaling":
        given |= {"grid.size_languages": 2, "grid.size_measured": ["de", "en"]}
    trained = [run for run in planned(question, given) if run.trained]
    assert {run.recipe.batches.strategy for run in trained} == {"bilingual"} | others


def test_baselines_plans_laser_without_fetching_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path))
    encoders = [{"name": "LASER2", "model": "laser2", "runs": ["zero-shot"], "optional": True}]
    runs = planned("baselines", {"grid.encoders": encoders, "grid.fetch": True})
    assert [run.recipe.model.name for run in runs] == ["laser2", "bm25"]
    assert not list(tmp_path.iterdir())
    with pytest.raises(PanglotError, match="a leaderboard needs two lines or more"):
        planned("baselines", {"grid.encoders": encoders})


def test_domain_shift_runs_a_model_a_language_and_budget_and_one_for_all() -> None:
    given = {"grid.languages": ["ar", "tr"], "grid.perturb": ["typos"], "training.steps": 7}
    runs = by_name(planned("domain-shift", given))
    assert set(runs) == {
        "zero-shot",
        "agnostic",
        "agnostic, monolingual",
        *(f"specific {x}, equal {budget}" for x in ("ar", "tr") for budget in ("pairs", "steps")),
    }
    assert (
        runs["agnostic"].recipe.training.steps == runs["specific tr, equal steps"].recipe.training.steps == 7
    )
    own = runs["specific tr, equal pairs"]
    assert (own.recipe.training.steps, own.recipe.batches.language) == (4, "tr")
    held_out = Target("held-out", ("ar", "tr"), ("typos",))
    assert own.targets == (held_out, Target("sample", ("tr",), ("typos",)))
    assert runs["agnostic"].targets == (held_out, Target("sample", ("ar", "tr"), ("typos",)))


def test_scaling_runs_both_budgets_and_sizes_over_as_many_pairs() -> None:
    grid = {
        **{"grid.languages": ["de", "en", "tr"], "grid.counts": [2, 3], "grid.measured": ["de", "en"]},
        **{"grid.reference": 3, "grid.max_steps": 11, "grid.sizes": [16, 64], "grid.size_languages": 2},
        **{"training.steps": 12, "batches.size": 64, "training.learning_rate": 1e-2},
    }
    runs = by_name(planned("scaling", grid))
    assert list(runs) == [
        "zero-shot",
        *("2 languages, 12 steps", "2 languages, 8 steps", "3 languages, 12 steps", "3 languages, 11 steps"),
        *("12 languages, 12 steps", "12 languages, 11 steps", "batches of 16"),
    ]
    small = runs["batches of 16"].recipe
    assert (small.batches.size, small.training.steps) == (16, 48)
    assert small.training.learning_rate == pytest.approx(0.5e-2)  # by the square root of a quarter
    assert runs["12 languages, 12 steps"].recipe.data.languages is None
    both = runs["2 languages, 12 steps"].targets  # the recipe's own size: one run, measured for both
    assert both == (
        Target("sample", ("de", "en")),
        Target("sample", ("en", "ar", "zh"), label="sample, batch sizes"),
    )


LATIN = {"grid.left_out": {"a": {"scripts": ["Latn"]}}}
TWICE = {"grid.languages": ["de", "en", "de"], "grid.counts": [2], "grid.size_languages": 2}
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("alpha", {"batches.strategy": "mixed"}, "mixed"),
    ("alpha", {"batches.alpha": 0.3}, "batches.alpha"),
    ("alpha", {"grid.schedules": {"alpha 0.5": [0, 1]}}, "'alpha 0.5'"),
    ("alpha", {"benchmarks": ["sample", "sample"]}, "'sample' is named twice"),
    ("low-resource", {"grid.strategies": ["mixed", "english"]}, "'hybrid'"),
    ("low-resource", {"batches.strategy": "bilingual"}, "'bilingual'"),
    ("low-resource", {"grid.measures": {"sample": "R@7"}}, "'R@7'"),
    ("unseen-languages", {"grid.left_out": {}}, "left_out"),
    ("unseen-languages", {"grid.measured": ["pl", "bn", "xx"]}, "'xx'"),
    ("unseen-languages", {**LATIN, "grid.languages": ["de", "en", "ru"], "grid.measured": ["de"]}, "two"),
    ("unseen-languages", {"grid.left_out": {"a": {"languages": ["fa"]}}}, "'a'"),
    ("unseen-languages", {"benchmarks": ["nfcorpus"], "grid.measured": ["ar"]}, "languages ar"),
    ("baselines", {"grid.encoders": [{"model": "no/such/folder"}]}, "'no/such/folder'"),
    ("baselines", {"grid.encoders": [{"model": TRAIN}, {"model": TRAIN}]}, "'train.jsonl'"),
    ("baselines", {"grid.encoders": [{"model": TRAIN, "runs": ["tuned"]}], "grid.bm25": False}, "two"),
    ("baselines", {"grid.encoders": [{"model": TRAIN}], "grid.baseline": "x"}, "'x'"),
    ("baselines", {"grid.measures": {"bear": "AP"}}, "'bear'"),
    ("domain-shift", {"grid.languages": ["de", "pl"]}, "'pl'"),
    ("domain-shift", {"grid.perturb": ["shouting"]}, "shouting"),
    ("domain-shift", {"grid.perturb": ["typos", "code-switch"]}, "lexicon"),
    ("domain-shift", {"grid.perturb": ["typos,lower-case"]}, "'typos,lower-case'"),
    ("domain-shift", {"benchmarks": ["nfcorpus"], "grid.languages": ["de", "tr"]}, "'nfcorpus'"),
    ("scaling", {"grid.counts": [2, 99]}, "counts"),
    ("scaling", TWICE, "twice"),
    ("scaling", TWICE | {"grid.languages": ["de", "xx"]}, "in xx"),
]


@pytest.mark.parametrize(("name", "given", "named"), MISTAKES)
def test_a_plan_that_cannot_work_is_refused(name: str, given: dict[str, Any], named: str) -> None:
    with pytest.raises(PanglotError, match=named):
        planned(name, given)


def test_domain_shift_needs_held_out_documents() -> None:
    with pytest.raises(PanglotError, match=r"--held-out 0\.1"):
        planned("domain-shift", {"grid.languages": ["de", "tr"]}, Data((TRAIN,)))


# what is worked out


def tidy_rows(
    values: Mapping[str, Mapping[tuple[str, str], Sequence[float]]], benchmark: str = "b", **more: str
) -> pd.DataFrame:
    """A tidy table: by run and (query language, pool), AP of items 0, 1, ..."""
    return pd.DataFrame(
        [
            {
                **{"run": run, "seed": 0, "benchmark": benchmark, "part": "", "query_language": x, "pool": y},
                "setting": "multilingual" if y == ALL else "monolingual" if x == y else "crosslingual",
                **{"perturbation": "", "measure": "AP", "query": f"{x}{k}", "item": k, "value": value},
                **more,
            }
            for run, cells in values.items()
            for (x, y), of_items in cells.items()
            for k, value in enumerate(of_items)
        ]
    )


def test_the_class_of_a_pair_is_the_lower_one() -> None:
    assert low_resource.pair_class("en", "sw") == "2"
    assert low_resource.pair_class("zh", "de") == "5"
    assert low_resource.pair_class("en", "xx") is None
    cells = pd.DataFrame({"query_language": ["en", "sw", "en", "en"], "pool": ["sw", "en", "en", ALL]})
    groups = {
        name: {g: m.tolist() for g, m in grouping(cells).items()}
        for name, grouping in low_resource.groupings(["en"]).items()
    }
    assert groups["pairs, by lower class"] == {"2": [True, True, False, False]}
    assert groups["pairs, by lower class and training"] == {"2, one seen": [True, True, False, False]}
    assert groups["pairs, low-resource or not"] == {"low": [True, True, False, False]}
    assert groups["pairs"] == {"sw–en": [True, True, False, False]}
    assert groups["queries, by class"]["5"] == [True, False, True, True]


def test_gains_of_left_out_languages_and_what_is_kept_of_them() -> None:
    def run(gain: float) -> dict[tuple[str, str], Sequence[float]]:
        return {("ru", "ru"): [0.2 + gain, 0.4 + gain] * 6, ("en", "en"): [0.5] * 12}

    names = {"zero-shot": 0.0, "hybrid with all languages": 0.2, "hybrid without some": 0.15}
    aligned = align(tidy_rows({name: run(gain) for name, gain in names.items()}), ["AP"])
    one = unseen_languages.LeftOutSet("some", ("en",), ("ru",), ("en",))
    found = unseen_languages._compared(aligned, one, one, ["hybrid"], "hybrid")
    own = found[(found["family"] == "groups") & (found["setting"] == "monolingual")].set_index(
        ["kind", "group"]
    )
    assert own.loc[("gain", "left out"), "difference"] == pytest.approx(0.15)
    assert own.loc[("full gain", "left out"), "difference"] == pytest.approx(0.2)
    assert own.loc[("change", "left out"), "difference"] == pytest.approx(-0.05)
    assert own.loc[("gain", "left out"), "p"] == 2 / 4096  # all of 12 items agree
    kept = own.loc[("change", "left out"), ["kept", "kept_low", "kept_high"]]
    assert kept.tolist() == pytest.approx([0.75] * 3)
    assert np.isnan(own.loc[("change", "kept"), "kept"])  # nothing was gained there


def test_ranks_are_averaged_where_all_lines_are_and_ties_share_theirs() -> None:
    values = {
        "x": {"a": 0.3, "b": 0.3, "c": 0.1},
        "y": {"a": 0.1, "b": 0.2, "c": 0.3},
        "z": {"a": 1.0, "b": 0.5},
    }
    rows = [
        {"benchmark": b, "setting": "monolingual", "measure": "AP", "run": run, "value": value}
        for b, of_lines in values.items()
        for run, value in of_lines.items()
    ]
    found = baselines.mean_ranks(pd.DataFrame(rows), ["a", "b", "c"])
    # a: 1.5 and 3; b: 1.5 and 2; c: 3 and 1; z lacks c
    assert found["line"].tolist() == ["b", "c", "a"]
    assert found["mean rank"].tolist() == pytest.approx([1.75, 2.0, 2.25])
    assert found["of"].tolist() == [2] * 3


def test_specific_models_answer_the_queries_of_their_language() -> None:
    grid = domain_shift.Grid(languages=["de", "en"], budgets=["steps"])
    both = {("de", "de"): [0.1], ("en", "en"): [0.2]}
    table = tidy_rows({"agnostic": both, "specific de, equal steps": both, "specific en, equal steps": both})
    table.loc[table["run"] == "specific en, equal steps", "value"] += 0.5
    found = domain_shift.systems(table, grid)
    own = found[found["run"] == "specific, equal steps"].set_index("query_language")["value"]
    assert own.to_dict() == pytest.approx({"de": 0.1, "en": 0.7})
    assert set(found["run"]) == {"agnostic", "specific, equal steps"}


def test_losses_are_those_worked_by_hand() -> None:
    def drawn(*runs: tuple[float, float]) -> Draws:
        values = np.array([[[value + k * spread] for value, spread in runs] for k in (0, -1, 1)])
        names = ["zero-shot", "agnostic", "other"]
        return Draws(pd.DataFrame({"group": ["all"]}), names, values, np.ones((1, 1)))

    inside = drawn((0.4, 0), (0.6, 0), (0.5, 0))
    outside = drawn((0.3, 0), (0.35, 0), (0.2, 0.1))
    rows = domain_shift.losses(
        [domain_shift.Shift("captions", "monolingual", "AP", inside, outside)]
    ).set_index("run")
    assert rows["drop"].tolist() == pytest.approx([0.1, 0.25, 0.3])
    assert rows["relative"].tolist() == pytest.approx([0.25, 0.25 / 0.6, 0.6])
    assert rows.loc["agnostic", "kept"] == pytest.approx(0.05 / 0.2)
    assert rows.loc["other", ["gain_inside", "gain_outside", "kept"]].tolist() == pytest.approx(
        [0.1, -0.1, -1]
    )
    assert rows.loc["other", "further"] == pytest.approx(0.05)
    # resamples of +-0.1: a spread of 0.1, and half of that from 0
    assert rows.loc["other", "p"] == pytest.approx(0.6170751)
    assert rows["p"].isna().tolist() == [True, True, False]
    assert rows.loc["zero-shot", ["gain_inside", "gain_drop", "kept", "further"]].isna().all()


def test_changed_queries_are_paired_with_the_same_ones_as_they_are() -> None:
    def measured(benchmark: str, pool: str, values: list[float]) -> pd.DataFrame:
        cells = {("de", pool): values}
        plain = tidy_rows({"zero-shot": cells, "agnostic": cells}, benchmark)
        return pd.concat([plain, plain.assign(perturbation="typos", value=plain["value"] - 0.05)])

    inside = [measured("held-out", pool, [0.9, 0.1, 0.5, 0.3]) for pool in ("de", "en")]
    captions = measured("captions", "en", [0.8, 0.2, 0.6])  # which have no monolingual setting
    shifts = list(domain_shift._shifts(pd.concat([*inside, captions]), "AP"))
    assert [(shift.title, shift.setting, shift.measure) for shift in shifts] == [
        ("held-out, typos", "monolingual", "AP"),
        ("captions", "crosslingual", "AP"),
        ("captions, typos", "crosslingual", "AP"),
    ]
    found = domain_shift.losses([shifts[0], shifts[2]])
    whole = found[found["language"] == "all"]
    for end in ("drop", "drop_low", "drop_high"):  # each query loses .05, however items are drawn
        assert whole[end].tolist() == pytest.approx([0.05] * 4)


def test_the_frontier_is_what_nothing_beats() -> None:
    costs, values = np.array([1.0, 2, 2, 3, 4]), np.array([0.1, 0.3, 0.2, 0.3, 0.4])
    assert scaling.frontier(costs, values).tolist() == [True, True, False, False, True]


def test_languages_always_trained_on_are_set_apart_from_the_last_to_be_added() -> None:
    grid = scaling.Grid(
        languages=["de", "en", "tr", "ru"], counts=[2, 3, 4], measured=["de", "ru", "sw"], reference=2
    )
    always, late = scaling.subsets(grid, [2, 3, 4, 12])
    assert (always[0], always[2]) == ("de, always trained on", 2)
    assert (late[0], late[2]) == ("sw, trained on from 12 languages on", 4)
    cells = pd.DataFrame({"query_language": ["de", "de", "sw", "sw"], "pool": ["de", "sw", "de", ALL]})
    assert always[1](cells)["all"].tolist() == [True, False, False, False]
    assert late[1](cells)["all"].tolist() == [False, True, True, True]


def test_sizes_are_compared_with_the_best_of_each_setting() -> None:
    low, high = (
        {("de", "de"): [0.1] * 12, ("de", "en"): [0.9] * 12},
        {("de", "de"): [0.5] * 12, ("de", "en"): [0.2] * 12},
    )
    aligned = align(tidy_rows({"batches of 4": low, "batches of 8": high}), ["AP"])
    from panglot.evaluation import compare
    from panglot.evaluation.aggregate import all_cells

    found = compare(aligned, {"settings": all_cells}, "batches of 4")
    best = scaling.best_of(aligned, found).set_index(["setting", "run"])
    assert best["difference"].to_dict() == pytest.approx(
        {
            ("monolingual", "batches of 4"): -0.4,
            ("monolingual", "batches of 8"): 0,
            ("crosslingual", "batches of 4"): 0,
            ("crosslingual", "batches of 8"): -0.7,
        }
    )
    assert best.loc[("monolingual", "batches of 4"), "verdict"] == "worse"


@pytest.mark.parametrize("name", ["hybrid", "mixed", "zero-shot"])
def test_a_variant_has_a_name_of_its_own(name: str) -> None:
    with pytest.raises(PanglotError, match=f"a variant cannot be called '{name}'"):
        checked(strategies.Grid, {"strategies": ["hybrid", "mixed"], "variants": {name: {}}}, "grid")
