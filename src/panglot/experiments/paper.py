"""The paper's main experiment from nothing: fetch, translate, train with three kinds of batches, evaluate.

Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536. A public translation model replaces what is not public: it
makes mMARCO's Thai and Turkish, and all languages but English of the other sets. EntityQuestions is left out,
because its files have no passages.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from panglot.data import ParallelPairs
from panglot.data.catalogue import entry_named
from panglot.data.catalogue.entry import whole_copy
from panglot.data.catalogue.training import training_pairs
from panglot.data.fetch.get import get_data, wanted_files
from panglot.data.suite import as_benchmark
from panglot.errors import PanglotError
from panglot.evaluation import compare
from panglot.evaluation.aggregate import align
from panglot.evaluation.measures import DISTANCE
from panglot.experiments import strategies
from panglot.experiments.display import SETTINGS
from panglot.experiments.experiment import Answer, Experiment, Findings, run_experiment
from panglot.experiments.runs import IN_MEMORY, ZERO_SHOT, benchmark_of
from panglot.progress import bar
from panglot.report.figures import beside_published, reference_for
from panglot.report.page import Section
from panglot.training import read_recipe
from panglot.translate.plan import plan as translations

if TYPE_CHECKING:
    from panglot.experiments.sweep import OnProgress
    from panglot.translate import Translator

TITLE = "Three kinds of batches, as the hybrid batch paper compares them"
MODELS = ("xlm-r", "labse")  # by the names of their recipes
PARALLEL = "mmarco-train"
SIZES = {  # training pairs in each language, as published
    PARALLEL: 39_780_811,
    "mfaq": 3_567_659,
    "yahoo-answers": 135_557,
    "natural-questions": 113_535,
    "newsqa": 59_496,
    "duorc": 33_298,
    "mr-tydi-train": 3_547,
    "wiki-qa": 1_469,
}
ITEMS = SIZES | {PARALLEL: 532_761}  # different pairs of question and passage
LANGUAGES = ("ar", "de", "en", "es", "hi", "ru", "th", "tr", "zh")
BENCHMARKS = ("xquad-r", "mlqa-r", "miracl")
VALIDATION = ("squadshifts-new-wiki", "squadshifts-nyt", "squadshifts-reddit", "squadshifts-amazon")
BATCHES = ("monolingual", "crosslingual", "hybrid")
TRANSLATOR = "facebook/nllb-200-distilled-600M"
FEWEST = 1_000  # items of a source, whatever the scale
STEPS, EVALUATIONS = 100_000, 200  # of a run at full scale; how often it is measured
# Tokens a second of one GPU of about 300 TFLOP/s, for the estimates only: assumed, not measured.
TRANSLATED, TRAINED, ENCODED = 5_000, 150_000, 450_000
TOKENS = 120  # of a question and its passage
BYTES = 400  # of a passage, or a question and its passage, on disk; assumed as well
MMARCO_PASSAGES = 8_841_823  # in each language
WEIGHTS = {"xlm-r": 278_000_000, "labse": 471_000_000}
DIMENSION = 768
Grid = strategies.Grid
plan = strategies.plan


@dataclass(frozen=True)
class Reproduction:
    """What is reproduced, and how much of it.

    Attributes:
        model: of ``MODELS``.
        scale: share of the training pairs and steps; 1 is the paper's.
        seeds: runs of each kind of batch.
        sources: of ``SIZES``.
        benchmarks: of ``BENCHMARKS``, or others of the catalogue.
        translator: folder or hub id of a translation model.
        settings: single settings over the recipe.
    """

    model: str = "xlm-r"
    scale: float = 1.0
    seeds: int = 1
    sources: tuple[str, ...] = tuple(SIZES)
    benchmarks: tuple[str, ...] = BENCHMARKS
    translator: str = TRANSLATOR
    settings: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise PanglotError(f"'{self.model}' is not a model of the paper; use {' or '.join(MODELS)}.")
        if not 0 < self.scale <= 1:
            raise PanglotError(f"the scale is {self.scale:g}; use a share of the paper's, above 0 up to 1.")
        for name in self.sources:
            if name not in SIZES:
                raise PanglotError(f"'{name}' is not a training set of the paper; use {', '.join(SIZES)}.")
        for name in self.benchmarks:
            if entry_named(name).kind != "benchmark":
                raise PanglotError(f"'{name}' is a training set; name a benchmark of 'panglot data list'.")

    def items(self, source: str) -> int:
        """Return how many items of a source are used, if it is as large as published."""
        return min(ITEMS[source], max(FEWEST, round(self.scale * ITEMS[source])))

    def pairs_file(self, source: str, output: Path) -> Path:
        """Return the file of a source in all languages; its name is that of the source in the batches."""
        return output / "pairs" / f"{self.scale:g}-{Path(self.translator).name}" / f"{source}.parquet"

    def experiment(self) -> Experiment:
        """Return the sweep: the recipe at this scale, with the sources drawn by their published sizes."""
        steps = max(1, round(self.scale * STEPS))
        scaled: dict[str, Any] = {
            "batches.source_sizes": {name: SIZES[name] for name in self.sources},
            "training.steps": steps,
            "training.eval_steps": max(1, steps // EVALUATIONS),
        }
        recipe = read_recipe(Path("paper") / self.model, scaled | dict(self.settings))
        grid = {"strategies": list(BATCHES), "languages": list(LANGUAGES)}
        return Experiment(
            question="paper",
            benchmarks=list(self.benchmarks),
            seeds=self.seeds,
            bf16="auto",
            recipe=recipe,
            grid=grid,
        )


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        what: in words.
        work: how much.
        hours: on one GPU, about; None: that depends on the network.
        done: whether nothing is left to do.
        gigabytes: of disk, about.
        keeps: whether they are still needed after the step.
    """

    what: str
    work: str
    hours: float | None = None
    done: bool = False
    gigabytes: float = 0.0
    keeps: bool = True


def steps(wanted: Reproduction, output: Path) -> Iterator[Step]:
    """Yield what has to be done, in order; nothing is fetched or computed."""
    for name in (*wanted.sources, *VALIDATION, *wanted.benchmarks):
        count = len(wanted_files(entry_named(name), _languages(name)))
        work = f"{count} file{'' if count == 1 else 's'}"
        yield Step(f"fetch {name}", work, done=_is_there(name), gigabytes=_texts(name) * BYTES / 1e9)
    for name in wanted.sources:
        lacking = [code for code in LANGUAGES if code not in _languages(name)]
        rows = wanted.items(name) * len(lacking)
        done = wanted.pairs_file(name, output).exists()
        work = f"{rows:,} rows into {', '.join(lacking)}"
        stored = (wanted.items(name) * len(LANGUAGES) + rows) * BYTES / 1e9  # and the rows in the part file
        yield Step(f"translate {name}", work, 2 * rows * TOKENS / TRANSLATED / 3600, done, stored)
    recipe = wanted.experiment().recipe
    count, size = recipe.training.steps, recipe.batches.size
    work, hours = f"up to {count:,} steps of {size} pairs", count * size * TOKENS / TRAINED / 3600
    for kind in BATCHES:
        for seed in range(wanted.seeds):
            # weights, and two checkpoints of weights with the optimizer's two moments
            stored = WEIGHTS[wanted.model] * 4 * (1 + 2 * 3) / 1e9
            step = f"train with {kind} batches, seed {seed}"
            yield Step(step, work, hours, gigabytes=stored, keeps=False)
    for name in wanted.benchmarks:
        passages, runs = int(entry_named(name).sizes.get("passages", 0)), 1 + len(BATCHES) * wanted.seeds
        hours = runs * passages * TOKENS / ENCODED / 3600
        work = f"{runs} models, {passages:,} passages each"
        stored = passages * DIMENSION * 2 / 1e9 if passages > IN_MEMORY else 0  # one model's, in float16
        yield Step(f"evaluate on {name}", work, hours, gigabytes=stored, keeps=False)


def disk(found: Sequence[Step]) -> float:
    """Return the gigabytes that steps need at most: what is kept, and the largest of what is not."""
    kept = sum(step.gigabytes for step in found if step.keeps and not step.done)
    return kept + max((step.gigabytes for step in found if not step.keeps), default=0)


def _texts(name: str) -> int:
    """Return how many texts the files of a source or benchmark hold, about."""
    if name == PARALLEL:
        return MMARCO_PASSAGES * len(_languages(name))
    return ITEMS.get(name) or int(entry_named(name).sizes.get("passages", 0))


def reproduce(
    wanted: Reproduction,
    output: Path,
    *,
    workers: int = 1,
    progress: "OnProgress | None" = None,
    say: Callable[[str], None] | None = None,
) -> Answer:
    """Do everything and write the report, with the published figures beside it.

    It may be stopped at any time: the same call goes on.

    Args:
        wanted: what is reproduced.
        output: folder of the translated pairs, the runs and the report.
        workers: runs at once; see ``sweep``.
        progress: called with how far the runs are.
        say: called with what goes on before that.

    Raises:
        PanglotError: data or models that cannot be had, or settings that cannot work.
    """
    say = say or (lambda _: None)
    experiment = wanted.experiment()  # a mistake is found before anything is fetched
    from panglot.translate import load_translator  # with torch, which a list of steps needs not

    for name in (*wanted.sources, *VALIDATION, *wanted.benchmarks):
        if not _is_there(name):
            say(f"fetching {name}")
            languages = _languages(name) if name in SIZES else None
            get_data(entry_named(name), languages=languages, say=say, bar=bar)
    translator = cache(partial(load_translator, wanted.translator))  # when a source lacks something
    pairs = [_translated(wanted, name, output, translator, say) for name in wanted.sources]
    data = experiment.data(pairs, validation=VALIDATION)
    return run_experiment(experiment, data, output, workers=workers, progress=progress)


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show every kind of batch in every setting, and the published figures beside them."""
    return [_with_published(one, findings) for one in strategies.answer(grid, findings)]


def _with_published(section: Section, findings: Findings) -> Section:
    """Add the published figures of a benchmark, where there are some."""
    benchmark = as_benchmark(benchmark_of(findings.data, section.name))
    described = {name: getattr(benchmark, name) for name in ("name", "languages", "candidate_text")}
    try:
        reference = reference_for(described)
    except PanglotError:  # nothing is published on it
        return section
    rows = findings.table[findings.table["benchmark"] == section.name]
    aligned = align(rows, ["AP", DISTANCE])
    found = compare(aligned, SETTINGS, ZERO_SHOT, resamples=1, flips=1)  # for the values alone
    published = beside_published(found, reference, f"published-{section.name}")
    return replace(section, blocks=[*section.blocks, published])


def _languages(name: str) -> list[str]:
    """Return the languages that a source is used in before it is translated."""
    entry = entry_named(name)
    wanted = LANGUAGES if name == PARALLEL else ("en",) if name in SIZES else entry.languages
    return [code for code in wanted if code in entry.languages]


def _is_there(name: str) -> bool:
    return whole_copy(entry_named(name)) is not None


def _translated(
    wanted: Reproduction,
    name: str,
    output: Path,
    translator: "Callable[[], Translator]",
    say: Callable[[str], None],
) -> Path:
    """Return the file of a source's items in all languages; what it lacks is translated."""
    path = wanted.pairs_file(name, output)
    if path.exists():
        from panglot.translate.translate import read_note

        made_by = ((read_note(path) or {}).get("settings") or {}).get("model", wanted.translator)
        if made_by != wanted.translator:  # the folder has the last part of its name alone
            raise PanglotError(f"{path}: was translated by {made_by}; use that, or another --output.")
        return path
    pairs = _share(training_pairs(name, languages=_languages(name)), wanted)
    rows = sum(len(job.rows) for job in translations(pairs, LANGUAGES))
    say(f"translating {name}: {rows:,} rows")
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = ("query", "passage")  # the paper's batches have no hard negatives
    from panglot.translate import translate_pairs

    with bar(f"translating {name}", rows) as advance:
        translate_pairs(translator(), pairs, LANGUAGES, path, fields=fields, progress=advance)
    return path


def _share(pairs: ParallelPairs, wanted: Reproduction) -> ParallelPairs:
    """Return a share of a source's items that depends on nothing but their number."""
    count = max(FEWEST, round(wanted.scale * len(pairs)))
    if count >= len(pairs):
        return pairs
    chosen = np.random.default_rng(0).choice(len(pairs), count, replace=False)
    return pairs.select(items=np.sort(chosen))
