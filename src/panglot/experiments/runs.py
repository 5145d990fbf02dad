"""A run of an experiment: one model, trained or as it comes, measured on benchmarks; kept under its key."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from panglot.batches import make_sampler
from panglot.data import Benchmark, ParallelPairs, Suite, benchmark_from_pairs, merge
from panglot.data.catalogue import load_data
from panglot.errors import PanglotError
from panglot.evaluation import DEFAULT_MEASURES, Evaluation, load_results
from panglot.experiments.one_run import Tell, Wanted, check_wanted, train_and_measure
from panglot.experiments.recipes import load_source, select_languages
from panglot.files import sha256, write_json
from panglot.training import Recipe

ZERO_SHOT = "as it comes"  # what answers call the encoder that is not trained
HELD_OUT = "held-out"  # name of the benchmark that held-out documents of the sources make
OF_MODELS = (".bin", ".json", ".model", ".safetensors", ".txt")  # files that a checkpoint consists of


@dataclass(frozen=True)
class Measured:
    """A benchmark that a run is measured on.

    Attributes:
        name: of the catalogue, or ``held-out`` for the documents of the sources that nothing is trained on.
        languages: only queries and passages in these; None: all.
        perturb: kinds of change of the queries; see ``panglot.data.perturb``.
        centred: with language centring, means of the benchmark's own texts.
        label: what answers call it; by default its name.
    """

    name: str
    languages: tuple[str, ...] | None = None
    perturb: tuple[str, ...] = ()
    centred: bool = False
    label: str = ""

    @property
    def title(self) -> str:
        """What answers call it."""
        return self.label or self.name


@dataclass(frozen=True)
class Run:
    """One model of an experiment.

    Attributes:
        group: what answers call it; runs that differ in their seed only share it.
        recipe: how it is trained, with its seed and, in ``data.languages``, on what. Where it is not
            trained, ``recipe.model.name`` may be ``bm25``.
        benchmarks: what it is measured on.
        trained: False: the encoder as it comes.
    """

    group: str
    recipe: Recipe
    benchmarks: tuple[Measured, ...]
    trained: bool = True

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.group}, seed {self.recipe.training.seed}" if self.trained else self.group


@dataclass(frozen=True)
class Places:
    """Where the data of an experiment lies; small, so that it can be sent to other processes.

    Attributes:
        pairs: sources to train on, as ``load_source`` reads them.
        benchmarks: folder of a benchmark by name; others are searched for as ``load_data`` does.
        held_out: share of every source's documents that no run is trained on.
        bf16: encode in bfloat16 when measuring.
        measures: of every evaluation.
    """

    pairs: tuple[str, ...]
    benchmarks: tuple[tuple[str, str], ...] = ()
    held_out: float = 0.0
    bf16: bool = False
    measures: tuple[str, ...] = field(default=DEFAULT_MEASURES)


@cache
def sources_of(places: Places) -> tuple[list[ParallelPairs], list[ParallelPairs]]:
    """Load the sources, once: what is trained on, and the held-out documents."""
    sources = [load_source(source) for source in places.pairs]
    names = [source.name for source in sources]
    for k, name in enumerate(names):
        if name in names[:k]:  # train.jsonl of two folders
            sources[k] = replace(sources[k], name=f"{name} ({k + 1})")
    if not places.held_out:
        return sources, []
    splits = [source.split(places.held_out) for source in sources]
    return [rest for rest, _ in splits], [out for _, out in splits]


@cache
def benchmark_of(places: Places, name: str, languages: tuple[str, ...] | None = None) -> Benchmark | Suite:
    """Load a benchmark in the wanted languages, once."""
    if name != HELD_OUT:
        return load_data(name, dict(places.benchmarks).get(name), None, languages)
    held_out = sources_of(places)[1]
    if not held_out:
        raise PanglotError("no documents are held out to measure on; name pairs and set --held-out above 0.")
    parts = [benchmark_from_pairs(pairs) for pairs in held_out]
    starts = np.cumsum([0, *(len(pairs) for pairs in held_out)])  # items of two sources are not the same
    apart = [replace(b, query_items=b.query_items + start) for b, start in zip(parts, starts, strict=False)]
    found = merge(Suite(HELD_OUT, tuple(apart)))
    return found if languages is None else found.restrict(languages)


def forget_data() -> None:
    """Forget what was loaded: files may have changed since."""
    for loaded in (sources_of, benchmark_of, _checksum):
        loaded.cache_clear()


@cache
def _checksum(folder: str) -> str:
    """Return the checksum of a checkpoint in a folder."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix in OF_MODELS)
    return _digest([[str(path.relative_to(folder)), sha256(path)] for path in paths])


def key_of(run: Run, places: Places) -> dict[str, Any]:
    """Return all that a run's model depends on: settings, encoder and checksums of the data."""
    used = [run.recipe.model.name, *([run.recipe.objective.teacher] if run.trained else [])]
    found = {name: _checksum(name) for name in used if name is not None and Path(name).is_dir()}
    local = {"checkpoints": found} if found else {}
    if not run.trained:
        return {"model": run.recipe.model.model_dump(mode="json"), **local}
    values = run.recipe.model_dump(mode="json") | local
    values["data"] = {"languages": run.recipe.data.languages}
    sources, held_out = sources_of(places)
    values["sources"] = {source.name: source.sha256 for source in sources}
    values["held_out"] = places.held_out if held_out else 0
    return values


def folder_of(run: Run, places: Places, folder: Path) -> Path:
    """Return where a run is kept among all runs."""
    return folder / _digest(key_of(run, places))


def results_of(run: Run, measured: Measured, places: Places, folder: Path) -> Path:
    """Return where the results of a run on a benchmark are kept."""
    benchmark = benchmark_of(places, measured.name, measured.languages)
    checksums = [part.sha256 for part in getattr(benchmark, "parts", [benchmark])]
    how: list[Any] = [checksums, measured.languages, measured.perturb, measured.centred]
    how += [places.bf16, places.measures]
    how += [places.held_out] if measured.name == HELD_OUT else []
    return folder_of(run, places, folder) / f"{measured.name}-{_digest(how)}.json"


def missing_results(run: Run, places: Places, folder: Path) -> list[Measured]:
    """Return the benchmarks that a run was not measured on yet."""
    return [m for m in run.benchmarks if not results_of(run, m, places, folder).exists()]


def check_run(run: Run, places: Places, folder: Path) -> None:
    """Refuse, before anything is trained, a run that could not be trained or measured."""
    check_wanted(run.recipe, _wanted(run, places, folder))
    if run.trained:
        how = run.recipe.batches
        sources = _chosen_sources(run, places)
        make_sampler(sources, strategy=how.strategy, batch_size=how.size, language=how.language)


def finish(run: Run, places: Places, folder: Path, tell: Tell | None = None) -> bool:
    """Train and measure a run where that was not done before.

    Returns:
        False where training was interrupted; the same call goes on with it.
    """
    if not missing_results(run, places, folder):
        return True
    place = folder_of(run, places, folder)
    key = json.dumps(key_of(run, places))
    write_json(place / "key.json", json.loads(key, parse_constant=str))  # JSON has no infinity
    with FileLock(place / ".lock"):  # another experiment may be at the same run
        return train_and_measure(
            run.recipe,
            _chosen_sources(run, places) if run.trained else None,
            _wanted(run, places, folder),
            place,
            name=run.name,
            bf16=places.bf16,
            measures=places.measures,
            tell=tell,
        )


def read_results(run: Run, places: Places, folder: Path) -> dict[str, Evaluation]:
    """Read the results of a finished run, by the titles of its benchmarks."""
    return {m.title: load_results(results_of(run, m, places, folder)) for m in run.benchmarks}


def _wanted(run: Run, places: Places, folder: Path) -> list[Wanted]:
    """Return what is still to be measured, loaded."""
    return [
        Wanted(
            benchmark_of(places, m.name, m.languages),
            results_of(run, m, places, folder),
            perturb=m.perturb,
            centred=m.centred,
        )
        for m in missing_results(run, places, folder)
    ]


def _chosen_sources(run: Run, places: Places) -> list[ParallelPairs]:
    sources, _ = sources_of(places)
    languages = run.recipe.data.languages
    return sources if languages is None else select_languages(sources, languages)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
