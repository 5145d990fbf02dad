"""The runs of a sweep: what each is, the data that they share, and where a run and its results are kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from panglot.data import Benchmark, ParallelPairs, Suite, benchmark_from_pairs, merge
from panglot.data.catalogue import load_data
from panglot.data.catalogue.training import load_source
from panglot.errors import PanglotError
from panglot.evaluation import DEFAULT_MEASURES, Evaluation, load_results, tidy
from panglot.files import sha256, sha256_of
from panglot.training import TrainingConfig
from panglot.training.config import Precision
from panglot.training.recipes import load_validation, select_languages

ZERO_SHOT = "zero-shot"  # what answers call the encoder that is not trained
HELD_OUT = "held-out"  # name of the benchmark that held-out documents of the sources make
IN_MEMORY = 2_000_000  # passages of a benchmark; those of a larger one are encoded into a store
OF_MODELS = (".bin", ".json", ".model", ".safetensors", ".txt")  # files that a checkpoint consists of

Remedy = Literal["", "centred", "shift", "scores", "turns"]


@dataclass(frozen=True)
class Target:
    """A benchmark that a run is measured on.

    Attributes:
        name: of the catalogue, or ``held-out`` for the documents of the sources that nothing is trained on.
        languages: only queries and passages in these; None: all.
        perturb: kinds of change of the queries; see ``panglot.data.perturb``.
        remedy: against language bias, without training: ``centred`` (language means of the benchmark's own
            texts are subtracted), ``shift`` (passages are moved to where the training pairs have their
            translations), ``scores`` or ``turns`` (lists are balanced by language); "": none.
        label: what answers call it; by default its name.
    """

    name: str
    languages: tuple[str, ...] | None = None
    perturb: tuple[str, ...] = ()
    remedy: Remedy = ""
    label: str = ""

    @property
    def title(self) -> str:
        """What answers call it."""
        return self.label or self.name


@dataclass(frozen=True)
class Run:
    """One model of a sweep.

    Attributes:
        name: what answers call it; runs that differ in their seed only share it.
        recipe: how it is trained, with its seed and, in ``data.languages``, on what. Where it is not
            trained, ``recipe.model.name`` may be ``bm25``.
        targets: what it is measured on.
        trained: False: zero-shot.
    """

    name: str
    recipe: TrainingConfig
    targets: tuple[Target, ...]
    trained: bool = True

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self.name}, seed {self.recipe.training.seed}" if self.trained else self.name


@dataclass(frozen=True)
class Data:
    """Where the data of a sweep lies, and how it is measured; small, to be sent to other processes.

    Attributes:
        pairs: sources to train on, as ``load_source`` reads them.
        benchmarks: folder of a benchmark by name; others are searched for as ``load_data`` does.
        held_out: share of every source's documents that no run is trained on.
        validation: pairs or benchmarks that runs are measured on while they train, as a recipe's
            ``data.validation`` names them.
        bf16: encode in bfloat16 when measuring; ``auto`` until runs begin, see ``with_precisions``.
        measures: of every evaluation.
    """

    pairs: tuple[str, ...]
    benchmarks: tuple[tuple[str, str], ...] = ()
    held_out: float = 0.0
    validation: tuple[str, ...] = ()
    bf16: Precision = False
    measures: tuple[str, ...] = field(default=DEFAULT_MEASURES)


# data, loaded once


@cache
def sources_of(data: Data) -> tuple[list[ParallelPairs], list[ParallelPairs]]:
    """Load the sources, once: what is trained on, and the held-out documents."""
    sources = [load_source(source) for source in data.pairs]
    sources.sort(key=lambda source: (source.name, source.sha256))  # in any order, the same draws and runs
    names = [source.name for source in sources]
    for k, name in enumerate(names):
        if name in names[:k]:  # train.jsonl of two folders
            sources[k] = replace(sources[k], name=f"{name} ({k + 1})")
    if not data.held_out:
        return sources, []
    splits = [source.split(data.held_out) for source in sources]
    return [rest for rest, _ in splits], [out for _, out in splits]


@cache
def validation_of(data: Data) -> list[ParallelPairs]:
    """Load what runs are measured on while they train, once."""
    return [load_validation(source) for source in data.validation]


@cache
def benchmark_of(data: Data, name: str, languages: tuple[str, ...] | None = None) -> Benchmark | Suite:
    """Load a benchmark in the wanted languages, once."""
    if name != HELD_OUT:
        return load_data(name, dict(data.benchmarks).get(name), None, languages)
    held_out = sources_of(data)[1]
    if not held_out:
        raise PanglotError("no documents are held out to measure on; name pairs and set --held-out above 0.")
    parts = [benchmark_from_pairs(pairs) for pairs in held_out]
    starts = np.cumsum([0, *(len(pairs) for pairs in held_out)])  # items of two sources are not the same
    apart = [replace(b, query_items=b.query_items + start) for b, start in zip(parts, starts, strict=False)]
    found = merge(Suite(HELD_OUT, tuple(apart)))
    return found if languages is None else found.restrict(languages)


def forget_data() -> None:
    """Forget what was loaded: files may have changed since."""
    for loaded in (sources_of, validation_of, benchmark_of, _checksum):
        loaded.cache_clear()


def languages_of(data: Data) -> list[str]:
    """Return the languages of the sources."""
    return sorted({code for source in sources_of(data)[0] for code in source.languages})


def chosen_sources(run: Run, data: Data) -> list[ParallelPairs]:
    """Return the sources of a run, in its languages."""
    languages = run.recipe.data.languages
    sources = sources_of(data)[0]
    return sources if languages is None else select_languages(sources, languages)


# where runs and results are kept


def key_of(run: Run, data: Data) -> dict[str, Any]:
    """Return all that a run's model depends on: settings, encoder and checksums of the data."""
    used = [run.recipe.model.name, *([run.recipe.loss.teacher] if run.trained else [])]
    found = {name: _checksum(name) for name in used if name is not None and Path(name).is_dir()}
    local = {"checkpoints": found} if found else {}
    if not run.trained:
        return {"model": run.recipe.model.model_dump(mode="json"), **local}
    values = run.recipe.model_dump(mode="json") | local
    values["batches"]["alpha"] = run.recipe.batches.used_alpha
    values["batches"]["join_sources"] &= len(sources_of(data)[0]) > 1  # one is drawn from alike
    later: list[tuple[dict[str, Any], str, Any]] = [
        (values, "merge", None),
        (values["loss"], "alignment", 0.0),
        (values["loss"], "negatives", True),
        (values["batches"], "source_sizes", {}),
        (values["batches"], "join_sources", False),
    ]
    for part, name, usual in later:
        if part[name] == usual:
            del part[name]  # runs from before these settings keep their places
    values["data"] = {"languages": run.recipe.data.languages}
    sources, held_out = sources_of(data)
    values["sources"] = {source.name: source.sha256 for source in sources}
    values["held_out"] = data.held_out if held_out else 0
    if data.validation:
        values["validation"] = [pairs.sha256 for pairs in validation_of(data)]
    return values


@cache
def _checksum(folder: str) -> str:
    """Return the checksum of a checkpoint in a folder."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix in OF_MODELS)
    return digest([[str(path.relative_to(folder)), sha256(path)] for path in paths])


def digest(value: Any) -> str:
    """Return a short hash of plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return sha256_of(text)[:16]


def folder_of(run: Run, data: Data, folder: Path) -> Path:
    """Return where a run is kept among all runs."""
    return folder / digest(key_of(run, data))


def results_of(run: Run, target: Target, data: Data, folder: Path) -> Path:
    """Return where the results of a run on a benchmark are kept."""
    benchmark = benchmark_of(data, target.name, target.languages)
    checksums = [part.sha256 for part in getattr(benchmark, "parts", [benchmark])]
    remedy = {"": False, "centred": True}.get(target.remedy, target.remedy)  # as earlier results are kept
    how: list[Any] = [checksums, target.languages, target.perturb, remedy, data.bf16, data.measures]
    how += [data.held_out] if target.name == HELD_OUT else []
    if target.remedy == "shift":  # which the pairs say
        how += [[source.sha256 for source in sources_of(data)[0]], data.held_out]
    how += ["per query"] if target.perturb else []  # earlier results lack the rows of changed queries
    name = target.name.replace(":", "-")  # beir-parallel:nfcorpus; Windows has no colons in names
    return folder_of(run, data, folder) / f"{name}-{digest(how)}.json"


def missing_targets(run: Run, data: Data, folder: Path) -> list[Target]:
    """Return the benchmarks that a run was not measured on yet."""
    return [target for target in run.targets if not results_of(run, target, data, folder).exists()]


def unfinished(runs: Sequence[Run], data: Data, folder: Path) -> list[Run]:
    """Return the runs that were not trained, or not measured on all benchmarks, yet."""
    return [run for run in runs if missing_targets(run, data, folder)]


def read_table(runs: Sequence[Run], data: Data, folder: Path, measures: Sequence[str]) -> pd.DataFrame:
    """Return the results of finished runs as one tidy table; see ``evaluation.tidy``.

    ``run`` holds the names of the runs, ``benchmark`` the titles of the targets.
    """

    def read(run: Run, target: Target) -> Evaluation:
        found = load_results(results_of(run, target, data, folder))
        seed = run.recipe.training.seed if run.trained else 0
        named = {"seed": seed, "benchmark": {**found.results["benchmark"], "name": target.title}}
        return replace(found, results={**found.results, **named})

    pairs = [(run, target) for run in runs for target in run.targets]
    evaluations = (read(run, target) for run, target in pairs)  # one at a time is in memory
    return tidy(evaluations, [run.name for run, _ in pairs], measures=measures)
