"""Train one model per strategy and seed under one budget, and compare them on benchmarks never trained on."""

import gc
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from panglot.batches import KINDS
from panglot.data import Benchmark, ParallelPairs
from panglot.errors import PanglotError
from panglot.evaluation import describe_run
from panglot.evaluation.confidence import interval, resampled_settings
from panglot.experiments.one_run import Wanted, train_and_measure
from panglot.files import write_json
from panglot.training import Recipe, override

BASE = "zero-shot"
STRATEGIES = ("monolingual", "crosslingual", "mixed", "hybrid")
CENTRED = ", centred"


def compare_strategies(
    sources: Sequence[ParallelPairs],
    benchmarks: Sequence[Benchmark],
    output: str | Path,
    *,
    recipe: Recipe,
    strategies: Sequence[str] = STRATEGIES,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    centred: bool = False,
    bf16: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run every strategy with every seed, and the encoder as it comes; return and write the comparison.

    A finished run is never repeated: its results in ``output`` are read instead, as long as recipe, data
    and benchmarks are the same. Models are not kept.

    Args:
        sources: what all are trained on.
        benchmarks: what all are measured on.
        output: folder of the runs.
        recipe: the budget that all share; its data part and seed are not used.
        strategies: by name; each is the recipe with this strategy.
        variants: more runs, by name: settings to lay over the recipe, such as ``{"objective.pull": 10}``.
        seeds: a run for each.
        centred: measure every model a second time with language centring, means from the benchmark's texts.
        bf16: encode in bfloat16 when measuring.
        say: told what runs.

    Returns:
        the content of ``summary.json``: by benchmark, strategy and setting, AP and rank distance averaged
        over seeds with a 95 % bootstrap interval over items, and the difference of hybrid, and of each
        variant, to all others.
    """
    folder = Path(output)
    for strategy in strategies:
        if strategy not in KINDS or strategy == "specific":
            raise PanglotError(f"'{strategy}' cannot be compared; use {', '.join(STRATEGIES)} or english.")
    recipes = {strategy: override(recipe, {"batches.strategy": strategy}) for strategy in strategies}
    recipes |= {name: override(recipe, settings) for name, settings in (variants or {}).items()}
    shared = {
        "data": {source.name: source.sha256 for source in sources},
        "benchmarks": {benchmark.name: benchmark.sha256 for benchmark in benchmarks},
        "evaluation": {"centred": centred, "bf16": bf16},
    }
    plan = [(BASE, 0), *((name, seed) for seed in seeds for name in recipes)]
    tables: dict[str, dict[str, list[pa.Table]]] = {b.name: {} for b in benchmarks}
    for number, (name, seed) in enumerate(plan, 1):
        run = name if name == BASE else f"{name}-{seed}"
        chosen = override(recipes.get(name, recipe), {"training.seed": seed})
        wanted = [
            Wanted(benchmark, folder / run / f"{benchmark.name}{ending}.json", centred=bool(ending))
            for benchmark in benchmarks
            for ending in (("", CENTRED) if centred else ("",))
        ]
        _begin(folder / run, {"recipe": _key(chosen, trained=name != BASE), **shared}, wanted)
        if missing := [one for one in wanted if not one.path.exists()]:
            say(f"[{number}/{len(plan)}] {run}")
            data = None if name == BASE else sources
            if not train_and_measure(chosen, data, missing, folder / run, name=run, bf16=bf16):
                raise KeyboardInterrupt
            gc.collect()  # trainer and model refer to each other; gigabytes are free before the next
        for one in wanted:
            table = pq.read_table(one.path.with_suffix(".parquet"))
            called = name + (CENTRED if one.centred else "")
            tables[one.benchmark.name].setdefault(called, []).append(table)
    summary = {
        **describe_run(),
        "recipes": {name: _key(chosen, trained=True) for name, chosen in recipes.items()},
        **shared,
        "seeds": list(seeds),
        "comparison": {
            name: _compare(found, [n for n in found if n == "hybrid" or n in (variants or {})])
            for name, found in tables.items()
        },
    }
    write_json(folder / "summary.json", summary)
    return summary


def _key(recipe: Recipe, *, trained: bool) -> dict[str, Any]:
    """Return what a run's result depends on, beside data and benchmarks."""
    values = recipe.model_dump(mode="json", exclude={"data"})
    return values if trained else {"model": values["model"]}


def _begin(folder: Path, key: dict[str, Any], wanted: Sequence[Wanted]) -> None:
    """Note what a run's results depend on, and remove those that depend on something else."""
    path = folder / "key.json"
    begun = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if begun != json.loads(json.dumps(key)):
        for stale in (folder / "trained.json", *(one.path for one in wanted)):
            stale.unlink(missing_ok=True)
        write_json(path, key)


def _compare(found: dict[str, list[pa.Table]], references: Sequence[str]) -> dict[str, Any]:
    """Summarise one benchmark: figures by strategy, and references minus others over the same resamples."""
    resampled = {}
    for strategy, tables in found.items():
        resampled[strategy] = resampled_settings(tables, "AP")
        distance = resampled_settings(tables, "rank_distance")
        if distance:  # a benchmark of one language has none
            resampled[strategy]["rank_distance"] = distance["multilingual"]
    result: dict[str, Any] = {
        strategy: {name: asdict(interval(values)) for name, values in figures.items()}
        for strategy, figures in resampled.items()
    }
    for strategy, tables in found.items():
        if len(tables) > 1:
            singles = [resampled_settings([table], "AP", resamples=1) for table in tables]
            result[strategy]["by_seed"] = {
                name: [float(single[name][0]) for single in singles] for name in singles[0]
            }
    for reference in references:
        result[f"{reference} minus"] = {
            strategy: {
                name: asdict(interval(resampled[reference][name] - values))
                for name, values in figures.items()
            }
            for strategy, figures in resampled.items()
            if strategy != reference
        }
    return result
