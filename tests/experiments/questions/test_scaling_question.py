"""Scale: which runs are planned, and what hand-made findings and costs are made to say."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from panglot.cli import app
from panglot.data import sample
from panglot.errors import PanglotError
from panglot.evaluation import ALL, Evaluation
from panglot.experiments.asking import planned
from panglot.experiments.cost import Cost
from panglot.experiments.experiment import Experiment, read_experiment
from panglot.experiments.questions.scaling import question as scaling
from panglot.experiments.questions.scaling.costs import frontier
from panglot.experiments.questions.scaling.sizes import sizes_section
from panglot.experiments.questions.scaling.words import seeds_note
from panglot.experiments.runs import Measured, Places
from panglot.report.blocks import Grid, Picture, Section

TRAIN = str(sample.FOLDER / "train.jsonl")
PLACES = Places((TRAIN,))
ZERO, TWO, FOUR = "as it comes", "2 languages, 4 steps", "4 languages, 4 steps"
ITEMS = 12
LANGUAGES = ("en", "ar", "th")


def asked(**grid: Any) -> Experiment:
    """The bundled recipe, small: 4 steps of 4 pairs in 2 and 4 languages, on the sample."""
    settings = {
        "languages": ["en", "ar", "de", "th"],
        "counts": [2, 4],
        "all_languages": False,
        "measured": list(LANGUAGES),
        "reference": 4,
        "sizes": [2, 4, 8],
        "size_languages": 4,
        "size_measured": None,
        "cached_above": 4,
    }
    overrides = {f"grid.{name}": value for name, value in (settings | grid).items()}
    small = {"benchmarks": ["sample"], "seeds": 1, "batches.size": 4, "training.steps": 4}
    return read_experiment("scaling", {**small, **overrides})


# what is run


def test_languages_are_trained_on_at_equal_steps_and_at_equal_pairs_per_language() -> None:
    runs = planned(asked(sizes=[], all_languages=True), PLACES)
    assert [run.name for run in runs] == [
        ZERO,
        f"{TWO}, seed 0",
        "2 languages, 2 steps, seed 0",
        f"{FOUR}, seed 0",  # the reference: both budgets are one
        "12 languages, 4 steps, seed 0",
        "12 languages, 12 steps, seed 0",
    ]
    of = {run.group: run.recipe for run in runs}
    assert of[TWO].data.languages == ["en", "ar"]
    assert of[FOUR].data.languages == ["en", "ar", "de", "th"]
    assert of["12 languages, 12 steps"].data.languages is None
    assert of["12 languages, 12 steps"].training.steps == 12
    assert {recipe.batches.strategy for recipe in of.values()} == {"hybrid"}
    assert {run.benchmarks for run in runs} == {(Measured("sample", LANGUAGES),)}


def test_steps_have_a_limit() -> None:
    runs = planned(asked(sizes=[], all_languages=True, max_steps=7), PLACES)
    assert runs[-1].name == "12 languages, 7 steps, seed 0"


def test_batch_sizes_see_as_many_pairs_at_a_rate_of_their_own() -> None:
    experiment = asked(size_measured=["en", "th"])
    runs = planned(experiment, PLACES)
    about_sizes = Measured("sample", ("en", "th"), label="sample, batch sizes")
    found = {run.group: run for run in runs if about_sizes in run.benchmarks}
    assert list(found) == [ZERO, FOUR, "batches of 2", "batches of 8"]  # 4 is that of the languages
    assert found[FOUR].benchmarks == (Measured("sample", LANGUAGES), about_sizes)
    assert found["batches of 8"].benchmarks == (about_sizes,)
    small, large = (found[f"batches of {size}"].recipe for size in (2, 8))
    assert (small.training.steps, large.training.steps) == (8, 2)
    own = experiment.recipe.training
    assert large.training.learning_rate == pytest.approx(own.learning_rate * 2**0.5)
    assert small.training.table_learning_rate == pytest.approx((own.table_learning_rate or 0) / 2**0.5)
    assert (small.training.gradient_cache, large.training.gradient_cache) == (False, True)
    assert small.data.languages == ["en", "ar", "de", "th"]


def test_the_default_sizes_see_the_same_pairs() -> None:
    experiment = read_experiment("scaling")
    pairs = experiment.recipe.batches.size * experiment.recipe.training.steps
    assert all(pairs % size == 0 for size in experiment.grid["sizes"])


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"counts": [2, 5]}, "beyond the 4 languages"),
        ({"languages": ["en", "ar", "en", "th"]}, "twice"),
        ({"languages": ["en", "ar", "de", "fi"]}, "no source has a pair in fi"),
        ({"sizes": [1]}, "grid: sizes.0 is wrong"),
    ],
)
def test_what_cannot_work_is_refused(grid: Mapping[str, Any], message: str) -> None:
    with pytest.raises(PanglotError, match=message):
        planned(asked(**grid), PLACES)


# what is said


def evaluation(ap: Callable[[str, str, int], float], distance: float = 20) -> Evaluation:
    """Twelve items in three languages, with an average precision by query language, pool and item."""
    rows = [
        {
            "query_id": f"{query}-{item}",
            "item": item,
            "query_language": query,
            "pool": pool,
            "AP": ap(query, pool, item),
            "rank_distance": distance if pool == ALL else None,
        }
        for query in LANGUAGES
        for pool in (*LANGUAGES, ALL)
        for item in range(ITEMS)
    ]
    table = pa.Table.from_pylist(rows).cast(
        pa.schema(
            {
                "query_id": pa.string(),
                "item": pa.int64(),
                "query_language": pa.string(),
                "pool": pa.string(),
                "AP": pa.float64(),
                "rank_distance": pa.float64(),
            }
        )
    )
    known = {"AP": 0.0}
    results = {
        "settings": {"monolingual": known, "crosslingual": known, "multilingual": known},
        "benchmark": {"name": "sample", "sha256": "0", "candidate_text": "sentence"},
        "model": {"name": "tiny"},
    }
    return Evaluation(results, table)


def flat(own: float, across: float, every: float, thai: float = 0.0) -> Evaluation:
    """The same figure for all items; ``thai`` is added wherever Thai is."""

    def ap(query: str, pool: str, _: int) -> float:
        base = every if pool == ALL else own if query == pool else across
        return base + thai * ("th" in (query, pool))

    return evaluation(ap)


def wavering(every: float) -> Evaluation:
    """Figures that go up and down from item to item, by so much that small differences are lost in it."""
    return evaluation(lambda _, pool, item: (every if pool == ALL else 0.4) + (0.1 if item % 2 else -0.1))


FINDINGS = {
    "sample": {
        ZERO: [flat(0.3, 0.3, 0.3)],
        TWO: [flat(0.5, 0.4, 0.4)],
        "2 languages, 2 steps": [flat(0.5, 0.4, 0.3)],
        FOUR: [flat(0.5, 0.45, 0.35, thai=0.1)],
    },
    "sample, batch sizes": {
        ZERO: [flat(0.2, 0.2, 0.2)],
        "batches of 2": [flat(0.4, 0.4, 0.3)],
        FOUR: [wavering(0.39)],
        "batches of 8": [flat(0.4, 0.4, 0.4)],
    },
}
COSTS = {
    "2": {"pairs_per_second": 1.0, "memory": 2**30, "peak": 2**31},
    "4": {"pairs_per_second": 2.0, "memory": 2**30, "peak": 2**31},
    "8": {"pairs_per_second": 1.6, "memory": 2**29, "peak": 2**31},
}
NOISE = {
    "start": {
        "2": {
            "size": 2,
            "gradients": 8,
            "squared": 2.0,
            "trace": 20.0,
            "scale": 10.0,
            "low": 5.0,
            "high": 20.0,
        },
        "4": {
            "size": 4,
            "gradients": 4,
            "squared": 1.0,
            "trace": 30.0,
            "scale": 30.0,
            "low": None,
            "high": None,
        },
    },
    "after": {
        "size": 4,
        "gradients": 4,
        "squared": -1.0,
        "trace": 9.0,
        "scale": None,
        "low": None,
        "high": None,
    },
}
PREPARED = {"costs": COSTS, "noise": NOISE, "fills": {k: {"sources": 2, "of": 2} for k in ("2", "4", "8")}}


@pytest.fixture(scope="module")
def answer() -> Any:
    experiment = asked()
    return scaling.answer(experiment, planned(experiment, PLACES), FINDINGS, PREPARED)


def of_sizes(prepared: Mapping[str, Any]) -> tuple[Section, list[str], dict[str, Any]]:
    experiment, title = asked(), "sample, batch sizes"
    return sizes_section(experiment, planned(experiment, PLACES), title, FINDINGS[title], prepared)


def test_a_trade_off_is_named_with_differences_and_corrected_p(answer: Any) -> None:
    # cross-lingual: of 6 pairs of languages 4 have Thai, 0.45 + 4 / 6 * 0.1 = 0.5167, 0.1167 more than 0.4.
    # 12 items can be flipped in 4,096 ways: p = 2 / 4,096; 2 runs, 4 figures: Holm gives at most 8 times that
    found = answer.figures["sample"]["compared"]["equal steps"]["compared"][FOUR]["settings"]
    assert found["crosslingual"]["difference"] == pytest.approx(0.7 / 6)
    assert found["crosslingual"]["p"] == pytest.approx(2 / 4096, rel=1e-6)
    assert found["crosslingual"]["p_holm"] <= 16 / 4096 + 1e-9
    # multilingual: 0.35, and 0.45 for a third of the queries: 0.3833, 0.0167 less than 0.4
    assert found["multilingual"]["difference"] == pytest.approx(-0.05 / 3)
    said = answer.sentences
    assert any(
        s.startswith(
            "sample, at equal steps, cross-lingual mAP: best with 4 languages, 0.5167 against 0.4000 "
            "with 2 (+0.1167"
        )
        for s in said
    )
    assert any(
        s.startswith(
            "sample, at equal steps, multilingual mAP: best with the fewest languages, 2 (0.4000); "
            "with 4, -0.0167"
        )
        for s in said
    )
    assert (
        "sample, at equal steps, from 2 to 4 languages: a trade-off: cross-lingual quality rises and "
        "multilingual "
        "quality falls." in said
    )
    # at equal pairs 2 languages have half the steps, and 0.3 in the multilingual setting
    assert (
        "sample, at equal pairs per language, from 2 to 4 languages: no trade-off: cross-lingual and "
        "multilingual "
        "quality both rise." in said
    )


def test_languages_always_trained_on_are_told_from_the_last_to_be_added(answer: Any) -> None:
    always, late = answer.figures["sample"]["subsets"]
    assert always == "en and ar, always trained on"
    assert late == "th, trained on from 4 languages on"
    of_always = answer.figures["sample"]["subsets"][always]["equal steps"]["compared"]
    assert of_always[FOUR]["settings"]["crosslingual"]["value"] == pytest.approx(0.45)  # en with ar alone
    assert of_always[FOUR]["settings"]["monolingual"]["difference"] == pytest.approx(0)
    of_late = answer.figures["sample"]["subsets"][late]["equal steps"]["compared"]
    assert of_late[FOUR]["settings"]["monolingual"]["value"] == pytest.approx(0.6)
    assert of_late[FOUR]["settings"]["crosslingual"]["value"] == pytest.approx(0.55)
    said = [s for s in answer.sentences if late in s]
    assert said[0].startswith(
        "sample, th, trained on from 4 languages on, at equal steps, monolingual mAP: with 2 languages, none "
        "of them th, 0.5000, +0.2000 against the encoder as it comes (p = "
    )
    assert "with 4, +0.1000 [+0.1000, +0.1000]" in said[0]


def test_what_does_not_change_is_called_not_significant(answer: Any) -> None:
    said = next(s for s in answer.sentences if "at equal steps, rank distance" in s)
    assert said == (
        "sample, at equal steps, rank distance: best with the fewest languages, 2 (20); "
        "with 4, +0 [+0, +0], p = 1, not significant."
    )


def test_pairs_per_language_are_told(answer: Any) -> None:
    assert (
        "sample: equal pairs per language are about 4 pairs of each (2 steps with 2 and 4 steps with "
        "4 languages), so "
        "more languages also mean more training." in answer.sentences
    )


def test_the_cheapest_of_what_is_as_good_as_the_best_is_recommended(answer: Any) -> None:
    found = answer.figures["sample, batch sizes"]
    assert found["against_best"]["multilingual"]["best"] == 8
    assert found["admissible"]["multilingual"] == [4, 8]
    assert found["seconds"] == {"2": 16, "4": 8, "8": 10}
    assert (
        "sample, batch sizes, recommendation: in no setting significantly worse than the best: 4 and 8; "
        "where time counts use batches of 4 (8 s for 16 pairs, 1.0 GiB of peak memory), where memory "
        "counts 8 (10 s for 16 "
        "pairs, 512 MiB of peak memory)." in answer.sentences
    )
    best = next(s for s in answer.sentences if "batch sizes, multilingual mAP" in s)
    assert best.startswith(
        "sample, batch sizes, multilingual mAP: batches of 8 are best, 0.4000 [0.4000, 0.4000]; not "
        "significantly worse: 4; significantly worse: 2 (-0.1000, p = "
    )


def test_one_size_may_be_fastest_and_smallest() -> None:
    costs = COSTS | {"8": {"pairs_per_second": 4.0, "memory": 2**29, "peak": 2**31}}
    _, said, _ = of_sizes(PREPARED | {"costs": costs})
    assert (
        "sample, batch sizes, recommendation: in no setting significantly worse than the best: 4 and "
        "8; use batches "
        "of 8, the fastest and smallest of them (4 s for 16 pairs, 512 MiB of peak memory)." in said
    )


def test_gains_are_given_by_pair_second_and_byte(answer: Any) -> None:
    blocks = {
        block.name: block for section in answer.sections for block in section.blocks if hasattr(block, "name")
    }
    costs = blocks["costs-sample-batch-sizes"]
    assert isinstance(costs, Grid)
    of_eight = dict(zip(costs.columns, costs.rows[2], strict=True))
    # 0.2 more than the encoder as it comes, in 16 pairs, 10 seconds and half a GiB
    assert of_eight["gain"].value == pytest.approx(0.2)
    assert of_eight["gain per 1,000 pairs"].value == pytest.approx(12.5)
    assert of_eight["gain a minute"].value == pytest.approx(1.2)
    assert of_eight["gain a GiB"].value == pytest.approx(0.4)
    assert [row[0].text for row in blocks["sizes-sample-batch-sizes"].rows] == [
        ZERO,
        "batches of 2",
        "batches of 4",
        "batches of 8",
    ]
    assert "than batches of 4," in blocks["sizes-sample-batch-sizes"].note
    pareto = blocks["pareto-sample-batch-sizes"]
    assert isinstance(pareto, Picture)
    rows = [row for layer in walk(pareto.spec) for row in layer]
    assert {(row["label"], row["panel"].split()[0]) for row in rows if row["frontier"]} == {
        ("4", "seconds"),  # 8 s for 0.39
        ("8", "seconds"),  # 10 s for 0.40
        ("8", "peak"),
    }


def walk(spec: Any) -> Any:
    """Find the data of a specification."""
    if isinstance(spec, Mapping):
        if "values" in spec and isinstance(spec["values"], list) and isinstance(spec["values"][0], dict):
            yield spec["values"]
        for part in spec.values():
            yield from walk(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from walk(part)


def test_the_noise_scale_is_told_with_what_it_depends_on(answer: Any) -> None:
    said = answer.sentences
    assert (
        "Gradient-noise scale of batches of 4: 30 pairs before training, and not to be told (the "
        "mean gradient is "
        "lost in the noise) after training with batches of 4." in said
    )
    assert any("from 10 (batches of 2) to 30 (batches of 4)" in s for s in said)


def test_sizes_that_differ_in_their_data_are_told(answer: Any) -> None:
    fills = PREPARED["fills"] | {"8": {"sources": 1, "of": 2}}  # type: ignore[operator]
    _, said, _ = of_sizes(PREPARED | {"fills": fills})
    assert any(
        "batches of 2 across languages can be drawn from 2 sources, those of 8 from 1." in s for s in said
    )
    assert not any("Join the sources" in s for s in answer.sentences)


def test_without_costs_none_are_claimed() -> None:
    section, said, _ = of_sizes({})
    assert any(s.endswith("4 and 8. Costs were not measured.") for s in said)
    assert not any("Gradient-noise" in s for s in said)
    assert not any(isinstance(block, Picture) for block in section.blocks)


def test_how_far_seeds_are_apart_is_told() -> None:
    def seed(value: float) -> Evaluation:
        known = {
            "settings": {"monolingual": None, "crosslingual": {"AP": value}, "multilingual": {"AP": 0.5}}
        }
        return Evaluation(known, FINDINGS["sample"][TWO][0].per_query)

    groups = {"one": [seed(0.4), seed(0.43)], "other": [seed(0.52), seed(0.51)]}
    assert seeds_note("sample", groups, "AP") == (
        "sample: figures are means of 2 seeds. Intervals and tests draw items, not seeds; seeds of one run "
        "are apart in mAP by up to: cross-lingual 0.0300 and multilingual 0.0000."
    )
    assert "1 seed" in seeds_note("sample", {"one": [seed(0.4)]}, "AP")


def test_the_frontier_is_what_nothing_beats() -> None:
    costs = {1: 1.0, 2: 2.0, 3: 2.0, 4: 3.0, 5: 4.0}
    values = {1: 0.1, 2: 0.3, 3: 0.2, 4: 0.3, 5: 0.4}
    assert frontier(costs, values) == {1, 2, 5}


# as a command


def test_the_command_measures_answers_and_repeats_nothing(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def cost(recipe: Any, sources: Any, pairs: int) -> Cost:
        calls.append(recipe.batches.size)
        assert {code for source in sources for code in source.languages} == {"de", "en"}
        return Cost(10.0, pairs, 2**20, 2**21)

    monkeypatch.setattr(scaling, "measure_cost", cost)
    settings = {
        "grid.languages": '["de", "en", "tr"]',
        "grid.counts": "[2, 3]",
        "grid.all_languages": "false",
        "grid.measured": '["de", "en"]',
        "grid.reference": "2",
        "grid.max_steps": "2",
        "grid.sizes": "[4, 8]",
        "grid.size_languages": "2",
        "grid.size_measured": '["de", "en"]',
        "grid.noise_pairs": "8",
        "batches.size": "4",
        "training.steps": "2",
        "training.max_length": "24",
        "training.bf16": "false",
    }
    command = ["experiment", "scaling", "--pairs", TRAIN, "--benchmark", "sample", "--seeds", "1"]
    command += ["--model", str(tiny_checkpoint), "--output", str(tmp_path)]
    command += [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert calls == [4, 8]
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert {run["name"] for run in summary["runs"]} == {
        ZERO,
        "2 languages, 2 steps, seed 0",
        "3 languages, 2 steps, seed 0",
        "batches of 8, seed 0",
    }
    prepared = summary["answer"]["prepared"]
    assert prepared["costs"]["8"] == {"pairs_per_second": 10.0, "pairs": 512, "memory": 2**20, "peak": 2**21}
    assert prepared["noise"]["start"]["8"]["gradients"] == 3
    assert prepared["noise"]["after"]["size"] == 4
    assert prepared["noise"]["after"]["squared"] != prepared["noise"]["start"]["4"]["squared"]
    assert prepared["fills"]["8"] == {"sources": 1, "of": 1}
    assert any("3 languages stop at 2 steps" in sentence for sentence in summary["sentences"])
    assert (tmp_path / "report.html").exists()
    monkeypatch.setattr(scaling, "gradient_products", lambda *_: pytest.fail("measured twice"))
    experiment = read_experiment(
        "scaling",
        {name: json.loads(value) for name, value in settings.items()} | {"model.name": str(tiny_checkpoint)},
    )
    assert scaling.prepare(experiment, PLACES, tmp_path / "runs") == prepared
    assert calls == [4, 8]
