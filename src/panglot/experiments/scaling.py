"""What do more training languages and larger batches buy, and what do they cost?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from panglot.batches import make_sampler
from panglot.data import ParallelPairs
from panglot.errors import PanglotError
from panglot.evaluation import ALL, compare
from panglot.evaluation.aggregate import Aligned, Grouping
from panglot.evaluation.measures import DISTANCE
from panglot.experiments.display import SETTINGS, compare_all, picture
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run, digest, key_of, languages_of, sources_of
from panglot.files import write_json
from panglot.parse import read_form
from panglot.progress import say
from panglot.report.charts import curves, pareto
from panglot.report.figures import figure_table, legend, measure_title, with_panels
from panglot.report.page import Block, Picture, Section
from panglot.report.tables import Table, numbers, texts
from panglot.training import TrainingConfig, override
from panglot.training.config import Part
from panglot.training.recipes import select_languages, train_recipe

TITLE = "What do more training languages and larger batches buy, and what do they cost?"
ABOUT_SIZES = "batch sizes"
STEPS, PAIRS = "equal steps", "equal pairs per language"
FEWEST, MOST = 3, 16  # batches that a noise scale is estimated from
MIB, GIB = 2**20, 2**30
MEASURED = {  # what is measured apart from the runs
    "cost": "the cost of",
    "noise": "the gradient noise of",
    "noise-after": "the gradient noise after training with",
}
COSTS = {  # columns of costs, and what their panels are called
    "seconds": "seconds of training",
    "peak memory, MiB": "peak memory beyond model and data, MiB",
}
Count = Annotated[int, Field(ge=2)]


class Grid(Part):
    """What is compared.

    Attributes:
        languages: to train on, in the order in which they are added.
        counts: the first so many are trained on.
        all_languages: also train on all that the pairs have.
        measured: measured in these languages.
        reference: at equal pairs per language, so many languages have the recipe's steps; n have
            n / reference of them.
        max_steps: but never more.
        sizes: of batches, each over as many pairs as the recipe's steps have.
        size_languages: trained on the first so many in the comparison of sizes.
        size_measured: measured in these in the comparison of sizes; None: as ``measured``.
        rate_power: learning rates are multiplied by (size / the recipe's size) to this power.
        cached_above: batches above this size are computed with gradient caching.
        cost_pairs: the cost of a batch size is measured over so many pairs at least; 0: not measured.
        noise_pairs: the gradient-noise scale of a batch size is estimated from gradients of about so many
            pairs, and at least 3 and at most 16 batches; 0: not estimated.
        noise_after: also estimate it after training with the recipe's own batch size.
    """

    languages: Annotated[list[str], Field(min_length=2)]
    counts: Annotated[list[Count], Field(min_length=1)]
    all_languages: bool = True
    measured: Annotated[list[str], Field(min_length=2)]
    reference: Count
    max_steps: Annotated[int, Field(ge=1)] = 400
    sizes: list[Count] = Field(default_factory=list)
    size_languages: Count = 2
    size_measured: list[str] | None = None
    rate_power: float = 0.5
    cached_above: Annotated[int, Field(ge=0)] = 128
    cost_pairs: Annotated[int, Field(ge=0)] = 512
    noise_pairs: Annotated[int, Field(ge=0)] = 1024
    noise_after: bool = True


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, and a run for every set of languages, budget, batch size and seed."""
    _check(grid, data)
    targets = experiment.targets(grid.measured)
    of_sizes = experiment.targets(grid.size_measured or grid.measured, added=ABOUT_SIZES)
    found = [experiment.untrained((*targets, *(of_sizes if grid.sizes else ())))]
    for seed in range(experiment.seeds):
        seeded = override(experiment.recipe, {"training.seed": seed})
        runs: list[Run] = []
        for count, languages in sets_of_languages(grid, data).items():
            for steps in dict.fromkeys(_steps(experiment, grid, count).values()):
                of_run = override(seeded, {"data.languages": languages, "training.steps": steps})
                runs.append(Run(languages_name(count, steps), of_run, targets))
        for size in dict.fromkeys(grid.sizes):
            of_run = sized(seeded, grid, size)
            same = next((k for k, run in enumerate(runs) if run.recipe == of_run), None)
            if same is None:
                runs.append(Run(size_name(size), of_run, of_sizes))
            else:  # the recipe's own size: one run, measured for both
                runs[same] = replace(runs[same], targets=(*targets, *of_sizes))
        found += runs
    return found


def _check(grid: Grid, data: Data) -> None:
    if max([*grid.counts, grid.size_languages]) > len(grid.languages):
        raise PanglotError(f"grid: counts go beyond the {len(grid.languages)} languages named; name more.")
    if len(set(grid.languages)) < len(grid.languages):
        raise PanglotError("grid: languages names one language twice; leave one out.")
    having = set(languages_of(data))
    if lacking := [code for code in grid.languages if code not in having] if data.pairs else []:
        raise PanglotError(
            f"grid: no source has a pair in {', '.join(lacking)}; leave them out of grid.languages."
        )


def sets_of_languages(grid: Grid, data: Data) -> dict[int, list[str] | None]:
    """Return nested sets of languages by their size; None means all that the pairs have."""
    found: dict[int, list[str] | None] = {count: grid.languages[:count] for count in sorted(set(grid.counts))}
    having = len(languages_of(data))
    if grid.all_languages and having > max(found):
        found[having] = None
    return found


def _steps(experiment: Experiment, grid: Grid, count: int) -> dict[str, int]:
    """Return the steps of so many languages, by budget."""
    steps = experiment.recipe.training.steps
    return {STEPS: steps, PAIRS: min(grid.max_steps, max(1, round(steps * count / grid.reference)))}


def languages_name(count: int, steps: int) -> str:
    """Return what a set of languages is called."""
    return f"{count} languages, {steps:,} step{'' if steps == 1 else 's'}"


def size_name(size: int) -> str:
    """Return what a batch size is called."""
    return f"batches of {size:,}"


def sized(recipe: TrainingConfig, grid: Grid, size: int) -> TrainingConfig:
    """Return a recipe with another batch size over as many pairs; learning rates go with the size."""
    training, own = recipe.training, recipe.batches.size
    times = (size / own) ** grid.rate_power
    table = training.embedding_learning_rate
    return override(
        recipe,
        {
            "data.languages": grid.languages[: grid.size_languages],
            "batches.size": size,
            "training.steps": max(1, round(training.steps * own / size)),
            "training.learning_rate": training.learning_rate * times,
            "training.embedding_learning_rate": None if table is None else table * times,
            "training.gradient_cache": training.gradient_cache or size > grid.cached_above,
        },
    )


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show what more languages do at equal steps and equal pairs, and which batch size is worth its cost."""
    measured = measure_batches(findings.experiment, grid, findings.data, findings.folder)
    sections = []
    for benchmark, measure, aligned in findings.benchmarks():
        about_sizes = benchmark.endswith(f", {ABOUT_SIZES}")
        name = benchmark.replace(", ", "-").replace(" ", "-")
        title = f"{measure_title(measure)} on {benchmark}"
        if about_sizes:
            heading, blocks = "Batch sizes", [*_sizes(findings, name, title, aligned, measured)]
        else:
            heading, blocks = "Training languages", [*_languages(grid, findings, name, title, aligned)]
        sections.append(Section(name, f"{heading}: {benchmark}", blocks))
    return sections


# languages


def _languages(grid: Grid, findings: Findings, name: str, title: str, aligned: Aligned) -> Iterator[Block]:
    """Give tables of both budgets, and plots over the number of languages, of all measured and of subsets."""
    counts = list(sets_of_languages(grid, findings.data))
    steps = {count: _steps(findings.experiment, grid, count) for count in counts}
    budgets = {b: {languages_name(c, steps[c][b]): c for c in counts} for b in (STEPS, PAIRS)}
    lined = {budget: aligned.only([ZERO_SHOT, *names]) for budget, names in budgets.items()}
    heading = f"{title} by number of training languages"
    tables, wholes = [], []
    for budget, names in budgets.items():
        own, few = f"languages-{name}-{budget.split()[1]}", next(iter(names))
        found, of_budget = compare_all(own, f"{title} at {budget}", lined[budget], few)
        tables += of_budget
        wholes.append(found[found["family"] == "settings"].assign(budget=budget))
    yield _curve(f"languages-{name}", heading, pd.concat(wholes), budgets)
    yield from tables
    for k, (of, grouping, baseline) in enumerate(subsets(grid, counts), 1):
        found = pd.concat(
            compare(lined[b], {"settings": grouping}, languages_name(baseline, of_baseline)).assign(budget=b)
            for b, of_baseline in steps[baseline].items()
        )
        found = found[found["measure"] != DISTANCE]
        own, about = f"languages-{name}-{k}", f"{heading}: {of}"
        yield _curve(own, about, found, budgets)
        heads = {"budget": "", "run": ""}
        note = legend(f"{baseline} languages at the same budget", "settings")
        yield figure_table(own, about, found, heads, note=note, folded=True)


def subsets(grid: Grid, counts: Sequence[int]) -> Iterator[tuple[str, Grouping, int]]:
    """Give the measured languages that all runs were trained on, and those that were added last.

    Returns:
        a title, the cells (of the former both languages, of the latter one of the two), and the number of
        languages to compare with.
    """
    place = {
        code: grid.languages.index(code) if code in grid.languages else max(counts) for code in grid.measured
    }
    enters = {c: next((count for count in counts if count > place[c]), max(counts)) for c in grid.measured}
    last = max(enters.values())
    always = [code for code in grid.measured if enters[code] == counts[0]]
    late = [code for code in grid.measured if enters[code] == last]
    if always:
        yield f"{', '.join(always)}, always trained on", _about(always, np.logical_and), counts[0]
    if last > counts[0]:
        before = max(count for count in counts if count < last)
        yield f"{', '.join(late)}, trained on from {last} languages on", _about(late, np.logical_or), before


def _about(codes: Sequence[str], both: Callable[..., Any]) -> Grouping:
    """Keep queries of some languages in the pool of all, and pairs of which both (or one) are among them."""

    def grouping(cells: pd.DataFrame) -> dict[str, Any]:
        asked, found = (cells[column].isin(codes).to_numpy() for column in ("query_language", "pool"))
        return {"all": np.where(cells["pool"] == ALL, asked, both(asked, found))}

    return grouping


def _curve(name: str, title: str, found: pd.DataFrame, budgets: Mapping[str, Mapping[str, int]]) -> Picture:
    """Draw both budgets over the number of languages, and the zero-shot encoder as a level line."""
    rows = with_panels(found)
    counts = [budgets[b].get(run) for b, run in zip(rows["budget"], rows["run"], strict=True)]
    trained = rows.assign(x=counts, series=rows["budget"]).dropna(subset="x")
    level = rows[(rows["run"] == ZERO_SHOT) & (rows["budget"] == STEPS)].assign(series=ZERO_SHOT)
    ends = [level.assign(x=end(trained["x"])) for end in (min, max)]
    rows, x = pd.concat([trained, *ends]), "training languages (logarithmic)"
    return picture(f"{name}-curve", title, curves, rows, x=x, scale="log")


# batch sizes


def _sizes(
    findings: Findings, name: str, title: str, aligned: Aligned, measured: Mapping[str, Any]
) -> Iterator[Block]:
    """Give a table of all sizes, of their costs and noise scales, and the Pareto plot."""
    trained = [run for run in findings.runs if run.trained and run.name in aligned.runs]
    recipes = {size_name(run.recipe.batches.size): run.recipe for run in trained}
    recipes = dict(sorted(recipes.items(), key=lambda one: one[1].batches.size))
    names = {run.name: size_name(run.recipe.batches.size) for run in trained}
    columns = [(names.get(run, run), seed) for run, seed in aligned.columns]
    lined = Aligned(aligned.cells, columns, aligned.values).only([ZERO_SHOT, *recipes])
    own = size_name(findings.experiment.recipe.batches.size)
    base = own if own in recipes else next(iter(recipes))
    found, tables = compare_all(f"sizes-{name}", title, lined, base)
    settings = found[found["family"] == "settings"]
    best = best_of(lined.only(list(recipes)), settings)
    quality = settings[settings["measure"] != DISTANCE]["setting"].iloc[-1]  # the last: multilingual if any
    costs = _costs(settings[settings["setting"] == quality], best, recipes, measured)
    if "seconds" in costs:
        heading = f"{quality} {title} against cost, a point a batch size"
        yield picture(f"pareto-{name}", heading, pareto, _frontiers(costs))
    yield from tables
    shown = costs.drop(columns=["value", "low", "high"])
    forms = {head: "+.4f" if head.startswith("gain") else ",.4g" for head in shown.columns[1:]}
    shown = numbers(shown, forms)
    note = (
        f"Gain: {quality}, beyond the zero-shot encoder. Peak memory: beyond model and data, of a fresh "
        "process. Seconds: of training, at the pairs a second. Good in: settings in which a size is "
        "the best or not significantly worse (p < 0.05 after Holm's correction)."
    )
    yield Table(f"costs-{name}", f"Batch sizes and their cost: {title}", shown, costs, note=note)
    heading, note = f"{title}: minus the best size of each setting", legend("the best", "the settings")
    yield figure_table(f"best-{name}", heading, best, {"run": ""}, value="difference", note=note, folded=True)
    if noise := measured.get("noise"):
        yield _noise_table(f"noise-{name}", noise)


def best_of(aligned: Aligned, settings: pd.DataFrame) -> pd.DataFrame:
    """Compare all sizes, setting by setting, with the one that is best there (whose difference is 0)."""
    rows = []
    found = settings[settings["run"].isin(aligned.runs)]
    for (measure, setting), group in found.groupby(["measure", "setting"], sort=False):
        ordered = group.sort_values("value", ascending=measure == DISTANCE, kind="stable")
        best = compare(aligned, SETTINGS, ordered["run"].iloc[0])
        rows.append(best[(best["measure"] == measure) & (best["setting"] == setting)])
    best = pd.concat(rows, ignore_index=True)
    return best.assign(difference=best["difference"].astype(float).fillna(0))


def _costs(
    quality: pd.DataFrame,
    best: pd.DataFrame,
    recipes: Mapping[str, TrainingConfig],
    measured: Mapping[str, Any],
) -> pd.DataFrame:
    """Return what each batch size gains on the zero-shot encoder: by pair, by second and by byte."""
    of = {row["run"]: row for row in quality[quality["measure"] != DISTANCE].to_dict("records")}
    good = best[best["verdict"] != "worse"]
    rows = []
    panels = list(dict.fromkeys(with_panels(best)["panel"]))
    for run, recipe in recipes.items():
        size, figure = recipe.batches.size, of[run]
        fine = list(with_panels(good[good["run"] == run])["panel"])
        gain, pairs = figure["value"] - of[ZERO_SHOT]["value"], size * recipe.training.steps
        row = {
            "batch size": size,
            "steps": recipe.training.steps,
            "learning rate": recipe.training.learning_rate,
            "cached": "yes" if recipe.training.gradient_cache else "no",
            "gain": gain,
            "gain per 1,000 pairs": 1000 * gain / pairs,
            "good in": "all" if fine == panels else ", ".join(fine) or "none",
            **{end: figure[end] for end in ("value", "low", "high")},
        }
        if measured.get("costs"):
            cost = measured["costs"][str(size)]
            speed, seconds = cost["pairs_per_second"], pairs / cost["pairs_per_second"]
            row |= {"pairs a second": speed, "seconds": seconds, "gain a minute": 60 * gain / seconds}
            per_byte = gain / cost["memory"] if cost["memory"] else float("nan")
            row |= {"peak memory, MiB": cost["memory"] / MIB, "gain a GiB": GIB * per_byte}
        if measured.get("fills"):
            row["sources that fill it"] = measured["fills"][str(size)]["sources"]
        rows.append(row)
    return pd.DataFrame(rows)


def _frontiers(costs: pd.DataFrame) -> pd.DataFrame:
    """Return points for the Pareto plot: a panel a cost."""
    label = [f"{size:,}" for size in costs["batch size"]]
    parts = []
    for column, panel in COSTS.items():
        on = frontier(costs[column].to_numpy(), costs["value"].to_numpy())
        parts.append(costs.assign(x=costs[column], label=label, panel=panel, frontier=on))
    return pd.concat(parts)


def frontier(costs: Any, values: Any) -> Any:
    """Say of each point whether no other is as good for less, or better for as much."""
    cheaper, better = costs[:, None] <= costs, values[:, None] >= values
    strictly = (costs[:, None] < costs) | (values[:, None] > values)
    return ~(cheaper & better & strictly).any(axis=0)


def _noise_table(name: str, noise: Mapping[str, Any]) -> Table:
    """Show the noise scales, before and after training."""
    rows = [{"when": "before training", **one} for one in noise["start"].values()]
    rows += [{"when": "after training", **noise["after"]}] if noise.get("after") else []
    data = pd.DataFrame(rows).rename(columns={"low": "scale_low", "high": "scale_high"})
    scale = texts(data, "scale", ",.0f").replace("", "lost in the noise")
    shown = numbers(data.assign(scale=scale), {"squared": ".3g", "trace": ".3g"})
    names = {"size": "batch size", "when": "", "gradients": "batches", "squared": "|G|²", "trace": "tr Σ"}
    shown = shown[[*names, "scale"]].rename(columns={**names, "scale": "noise scale, pairs"})
    note = (
        "Simple noise scale tr Σ / |G|² (McCandlish et al. 2018): Σ of the gradient of one pair, as batch "
        "size times the covariance of a batch's gradient. Ranges are 95 % intervals of a jackknife over "
        "batches. With in-batch negatives, and languages that a batch shares, it holds for its size alone."
    )
    return Table(name, "Gradient-noise scale by batch size", shown, data, 2, note)


# what batches cost, measured once


def measure_batches(experiment: Experiment, grid: Grid, data: Data, folder: Path) -> dict[str, Any]:
    """Measure what batch sizes cost, and their gradient-noise scales; nothing is measured twice.

    Measurements are kept in ``prepared`` in the folder of the runs, under a hash of what they depend on.

    Returns:
        plain data, all by batch size: ``costs``, ``noise`` (``start``, and ``after`` training with the
        recipe's own size) and ``fills``: how many sources can fill a batch.
    """
    if not grid.sizes:
        return {}
    from panglot.experiments.cost import machine  # loads torch; a mistake in the grid is answered without

    seeded = override(experiment.recipe, {"training.seed": 0})
    recipes = {size: sized(seeded, grid, size) for size in sorted(set(grid.sizes))}
    own = sized(seeded, grid, seeded.batches.size)
    chosen = select_languages(sources_of(data)[0], grid.languages[: grid.size_languages])
    sources = seeded.batches.drawn_from(chosen)

    def kept(
        kind: str, recipe: TrainingConfig, more: Mapping[str, Any], make: Callable[[TrainingConfig], Any]
    ) -> Any:
        key = {"kind": kind, "of": key_of(Run(kind, recipe, ()), data), **more}
        path = folder / "prepared" / f"{kind}-{digest(key)}.json"
        if not path.exists():
            say(f"measuring {MEASURED[kind]} batches of {recipe.batches.size:,}")
            write_json(path, {"key": key, "found": make(recipe)})
        return read_form(path, dict[str, Any], fix="remove it")["found"]

    found: dict[str, Any] = {"fills": {str(size): _fills(sources, size) for size in recipes}}
    if grid.cost_pairs:
        more = {"pairs": grid.cost_pairs, **machine()}
        cost = partial(_cost, sources=sources, pairs=grid.cost_pairs)
        found["costs"] = {str(size): kept("cost", recipe, more, cost) for size, recipe in recipes.items()}
    if grid.noise_pairs:
        noise = partial(_noise, sources=sources, grid=grid)
        start = {str(s): kept("noise", recipe, _batches(grid, s), noise) for s, recipe in recipes.items()}
        found["noise"] = {"start": start}
        if grid.noise_after:
            after = partial(_noise, sources=sources, grid=grid, trained=True)
            found["noise"]["after"] = kept("noise-after", own, _batches(grid, own.batches.size), after)
    return found


def _cost(recipe: TrainingConfig, sources: Sequence[ParallelPairs], pairs: int) -> dict[str, Any]:
    from panglot.experiments.cost import measure_cost

    return asdict(measure_cost(recipe, sources, pairs))


def _noise(
    recipe: TrainingConfig, sources: Sequence[ParallelPairs], grid: Grid, trained: bool = False
) -> dict[str, Any]:
    """Estimate the noise scale of a recipe's batch size, before training or after.

    The training is done for this alone, as the models of runs are not kept.
    """
    from panglot.encoders import load_encoder
    from panglot.experiments.noise_scale import gradient_products, noise_scale

    model = load_encoder(recipe.model.name, trust_remote_code=recipe.model.trust_remote_code)
    if trained:
        with TemporaryDirectory() as folder:
            if not train_recipe(recipe, model, sources, Path(folder) / "model").finished:
                raise KeyboardInterrupt
    size = recipe.batches.size
    products = gradient_products(model, sources, recipe, _batches(grid, size)["batches"])
    return asdict(noise_scale(products, size))


def _batches(grid: Grid, size: int) -> dict[str, int]:
    return {"batches": min(MOST, max(FEWEST, grid.noise_pairs // size))}


def _fills(sources: Sequence[ParallelPairs], size: int) -> dict[str, int]:
    """Count the sources that can fill a batch across languages, and all."""
    able = 0
    for source in sources:
        try:
            make_sampler([source], strategy="crosslingual", batch_size=size)
        except PanglotError:
            continue
        able += 1
    return {"sources": able, "of": len(sources)}
