"""Train one model per strategy and seed under one budget, and compare them on benchmarks never trained on."""

import gc
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from panglot.batches import KINDS
from panglot.data import Benchmark, ParallelPairs
from panglot.encoders import load_encoder
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation, describe_run, evaluate
from panglot.evaluation.confidence import interval, resampled_settings
from panglot.files import write_json
from panglot.training import Optimisation, train

BASE = "zero-shot"
STRATEGIES = ("monolingual", "crosslingual", "mixed", "hybrid")


@dataclass(frozen=True)
class Budget:
    """What all strategies get alike."""

    model: str = "use-multilingual"
    batch_size: int = 128
    alpha: float = 0.5
    temperature: float = 0.05
    optimisation: Optimisation = field(default_factory=Optimisation)


def compare_strategies(
    sources: Sequence[ParallelPairs],
    benchmarks: Sequence[Benchmark],
    output: str | Path,
    *,
    budget: Budget,
    strategies: Sequence[str] = STRATEGIES,
    seeds: Sequence[int] = (0, 1, 2),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run every strategy with every seed, and the encoder as it comes; return and write the comparison.

    A finished run is never repeated: its results in ``output`` are read instead, as long as budget, data
    and benchmarks are the same. Models are not kept.

    Returns:
        the content of ``summary.json``: by benchmark, strategy and setting, AP and rank distance averaged
        over seeds with a 95 % bootstrap interval over items, and hybrid's difference to each other strategy.
    """
    folder = Path(output)
    for strategy in strategies:
        if strategy not in KINDS or strategy == "specific":
            raise PanglotError(f"'{strategy}' cannot be compared; use {', '.join(STRATEGIES)} or english.")
    key = {
        "budget": json.loads(json.dumps(asdict(budget))),
        "data": {source.name: source.sha256 for source in sources},
        "benchmarks": {benchmark.name: benchmark.sha256 for benchmark in benchmarks},
    }
    plan = [(BASE, 0), *((strategy, seed) for seed in seeds for strategy in strategies)]
    tables: dict[str, dict[str, list[pa.Table]]] = {b.name: {} for b in benchmarks}
    for number, (strategy, seed) in enumerate(plan, 1):
        name = strategy if strategy == BASE else f"{strategy}-{seed}"
        if not _is_done(folder / name, key, benchmarks):
            say(f"[{number}/{len(plan)}] {name}")
            _run(folder / name, strategy, seed, sources, benchmarks, budget)
            write_json(folder / name / "key.json", key)
            gc.collect()  # trainer and model refer to each other; a gigabyte is free before the next
        for benchmark in benchmarks:
            table = pq.read_table(folder / name / f"{benchmark.name}.parquet")
            tables[benchmark.name].setdefault(strategy, []).append(table)
    summary = {
        **describe_run(),
        **key,
        "seeds": list(seeds),
        "comparison": {name: _compare(found) for name, found in tables.items()},
    }
    write_json(folder / "summary.json", summary)
    return summary


def _run(
    folder: Path,
    strategy: str,
    seed: int,
    sources: Sequence[ParallelPairs],
    benchmarks: Sequence[Benchmark],
    budget: Budget,
) -> None:
    model = load_encoder(budget.model)
    training = None
    if strategy != BASE:
        place = folder / "model"
        if (place / "modules.json").exists():  # stopped while it was measured, or its weights are gone
            shutil.rmtree(place)
        outcome = train(
            model,
            sources,
            place,
            strategy=strategy,
            alpha=budget.alpha,
            batch_size=budget.batch_size,
            temperature=budget.temperature,
            optimisation=replace(budget.optimisation, seed=seed),
            model_name=budget.model,
            resume=(place / "run.json").exists(),
        )
        training = {"strategy": strategy, "seed": seed, "steps": outcome.steps}
        if not outcome.finished:
            raise KeyboardInterrupt
    for benchmark in benchmarks:
        evaluation: Evaluation = evaluate(model, benchmark, name=folder.name, training=training, seed=seed)
        evaluation.save(folder / f"{benchmark.name}.json")
    for path in (folder / "model").glob("*.safetensors"):
        path.unlink()


def _is_done(folder: Path, key: dict[str, Any], benchmarks: Sequence[Benchmark]) -> bool:
    path = folder / "key.json"
    return (
        path.exists()
        and json.loads(path.read_text(encoding="utf-8")) == key
        and all((folder / f"{benchmark.name}.parquet").exists() for benchmark in benchmarks)
    )


def _compare(found: dict[str, list[pa.Table]]) -> dict[str, Any]:
    """Summarise one benchmark: figures by strategy, and hybrid minus the others over the same resamples."""
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
    if "hybrid" in resampled:
        result["hybrid minus"] = {
            strategy: {
                name: asdict(interval(resampled["hybrid"][name] - values)) for name, values in figures.items()
            }
            for strategy, figures in resampled.items()
            if strategy != "hybrid"
        }
    return result
