"""One leaderboard: tuned encoders against zero-shot encoders, and BM25."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from huggingface_hub import HfApi, try_to_load_from_cache
from pydantic import BeforeValidator, Field

from panglot.data.catalogue import entry_named
from panglot.data.catalogue.entry import whole_copy
from panglot.encoders import EMBEDDED
from panglot.encoders.names import LASER2
from panglot.errors import PanglotError, hub_refusal
from panglot.evaluation import compare
from panglot.evaluation.comparison import ALPHA, FLIPS, reverse
from panglot.evaluation.measures import DISTANCE
from panglot.experiments.display import SETTINGS, picture, seed_tables
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run
from panglot.report.charts import dots
from panglot.report.figures import (
    SETTING_NAMES,
    difference_table,
    figure_table,
    legend,
    measure_title,
    with_panels,
)
from panglot.report.page import Block, Picture, Section
from panglot.report.tables import Table, numbers
from panglot.search.bm25 import BM25
from panglot.training import TrainingConfig
from panglot.training.config import Part

TITLE = "Tuned encoders against zero-shot encoders, and BM25"
BM25_TITLE = "BM25"
OVER = "all pairs of lines and all settings of the benchmark"
WEIGHTS = (".safetensors", ".bin", ".pt", ".onnx")
TUNED = "tuned"
OLD_WAYS = {"as it comes": ZERO_SHOT, "hybrid": TUNED}  # names in earlier versions
Way = Annotated[Literal["zero-shot", "tuned"], BeforeValidator(lambda way: OLD_WAYS.get(way, way))]


class Encoder(Part):
    """A line of the leaderboard.

    Attributes:
        model: as ``load_encoder`` takes it; None: the recipe's.
        name: what answers call it; by default the last part of ``model``.
        runs: zero-shot, tuned with the recipe's batches, or both.
        optional: left out where it is not on this machine.
        trust_remote_code: let it run code of its own.
        batches: settings of its tuning that differ from the recipe's.
        loss: likewise.
        training: likewise.
    """

    model: str | None = None
    name: str | None = None
    runs: list[Way] = Field(default=["zero-shot", "tuned"], min_length=1)
    optional: bool = False
    trust_remote_code: bool = False
    batches: dict[str, Any] = Field(default_factory=dict)
    loss: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)

    def loaded(self, recipe: TrainingConfig) -> str:
        """Return the name that ``load_encoder`` takes."""
        return self.model or recipe.model.name

    def title(self, recipe: TrainingConfig) -> str:
        """Return what answers call it."""
        return self.name or Path(self.loaded(recipe)).name

    def tuned_title(self, recipe: TrainingConfig) -> str:
        """Return what answers call it once it is tuned."""
        return f"{self.title(recipe)} ({self.batches.get('strategy', recipe.batches.strategy)})"

    def settings(self, recipe: TrainingConfig) -> dict[str, Any]:
        """Return what is laid over the shared recipe to tune it."""
        own = {"batches": self.batches, "loss": self.loss, "training": self.training}
        return {
            "model.name": self.loaded(recipe),
            "model.trust_remote_code": self.trust_remote_code or recipe.model.trust_remote_code,
            **{f"{part}.{key}": value for part, values in own.items() for key, value in values.items()},
        }


class Grid(Part):
    """What is compared.

    Attributes:
        encoders: the lines of the leaderboard.
        bm25: a line more.
        baseline: the line that marks compare with; None: the first.
        languages: tuned on these only; None: all that the pairs have.
        measures: by benchmark, where it is not the experiment's.
        measured_languages: by benchmark; without a line all.
        fetch: also fetch optional encoders that are not on this machine.
    """

    encoders: list[Encoder] = Field(min_length=1)
    bm25: bool = True
    baseline: str | None = None
    languages: list[str] | None = None
    measures: dict[str, str] = Field(default_factory=dict)
    measured_languages: dict[str, list[str]] = Field(default_factory=dict)
    fetch: bool = False


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoders, BM25, and a run for every tuned encoder and seed."""
    targets, recipe = experiment.targets(grid.measured_languages), experiment.recipe
    kept = _kept(grid, recipe)
    found = [
        experiment.untrained(targets, title, encoder.settings(recipe))
        for title, encoder in kept.items()
        if ZERO_SHOT in encoder.runs
    ]
    if grid.bm25:
        found.append(experiment.untrained(targets, BM25_TITLE, {"model.name": BM25}))
    tuned = {
        encoder.tuned_title(recipe): {"data.languages": grid.languages, **encoder.settings(recipe)}
        for encoder in kept.values()
        if TUNED in encoder.runs
    }
    found += experiment.seeded(targets, tuned)
    names = {run.name for run in found}
    if len(names) < 2:
        raise PanglotError("grid: a leaderboard needs two lines or more; add an encoder, or bm25 = true.")
    if grid.baseline is not None and grid.baseline not in names:
        raise PanglotError(
            f"grid: unknown baseline '{grid.baseline}'; use one of {', '.join(sorted(names))}."
        )
    return found


def _kept(grid: Grid, recipe: TrainingConfig) -> dict[str, Encoder]:
    """Return the encoders that can be had here, by title."""
    kept: dict[str, Encoder] = {}
    for encoder in grid.encoders:
        model, title = encoder.loaded(recipe), encoder.title(recipe)
        if encoder.optional and (title in kept or not (grid.fetch or on_this_machine(model))):
            continue
        if title in kept or title == BM25_TITLE:
            raise PanglotError(f"grid.encoders: two lines are called '{title}'; give one a name of its own.")
        check_loadable(model)
        kept[title] = encoder
    return kept


def on_this_machine(model: str) -> bool:
    """Say whether an encoder can be loaded without a network: embedded, a path, or in the hub's cache."""
    if model == EMBEDDED or Path(model).exists():
        return True
    if model == LASER2:
        return whole_copy(entry_named(LASER2)) is not None
    if not _of_hub(model):
        return False
    settings = try_to_load_from_cache(model, "config.json")
    if not isinstance(settings, str):
        return False
    return any(path.suffix in WEIGHTS for path in Path(settings).parent.rglob("*"))


def check_loadable(model: str) -> None:
    """Raise a ``PanglotError`` where an encoder is neither on this machine nor to be had from the hub."""
    if on_this_machine(model) or model == LASER2:  # whose files are fetched when a run begins
        return
    if why := _hub_refuses(model) if _of_hub(model) else "there is no such folder or file":
        raise PanglotError(
            f"'{model}' cannot be loaded: it is not on this machine, and {why}; or name the folder of a "
            "checkpoint, or write optional = true beside it to leave it out."
        )


def _of_hub(model: str) -> bool:
    return model.count("/") == 1 and not model.startswith((".", "/", "~"))


@cache
def _hub_refuses(model: str) -> str:
    """Say why the hub does not give a model; nothing where it does."""
    try:
        HfApi().model_info(model, timeout=10)
    except Exception as error:  # each HTTP library has its own errors for a network that is down
        return hub_refusal(error, "model") or "the hub cannot be reached"
    return ""


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show which line leads where, and what tuning changes in each encoder."""
    lines = list(dict.fromkeys(run.name for run in findings.runs))
    baseline, parts, seeds = grid.baseline or lines[0], [], []
    for benchmark, measure, aligned in findings.benchmarks():
        pairs = list(combinations(aligned.runs, 2))
        flips = max(FLIPS, int(np.ceil(4 * len(pairs) / ALPHA)))  # more where Holm's correction needs them
        title = f"{benchmark}, {measure_title(measure)}"
        found = compare(aligned, SETTINGS, pairs, flips=flips)
        parts.append(found.assign(benchmark=benchmark, title=title))
        seeds += seed_tables(f"leaderboard-{benchmark}", title, aligned)
    found = pd.concat(parts, ignore_index=True)
    tested = pd.concat([found[found["baseline"].notna()], reverse(found)])  # either way round
    ranks = mean_ranks(found, lines)
    order = list(ranks["line"])
    own = _against(found, tested, baseline, order)
    blocks: list[Block] = [_overview(own, ranks, baseline), _dots(own, order)]
    blocks += [*_leaderboards(own, baseline), _pairs(found), *seeds]
    sections = [Section("leaderboard", "Leaderboard", blocks)]
    recipe = findings.experiment.recipe
    both = [(encoder.tuned_title(recipe), encoder.title(recipe)) for encoder in grid.encoders]
    tuned = [pair for pair in both if set(pair) <= set(lines)]
    rows = tested[[pair in tuned for pair in zip(tested["run"], tested["baseline"], strict=True)]]
    if len(rows):
        heads, title = {"baseline": "encoder", "title": "benchmark"}, "Tuned minus zero-shot"
        table = difference_table("tuned", title, rows, heads, note=legend(ZERO_SHOT, OVER))
        sections.append(Section("tuning", "What tuning changes", [table]))
    left_out = [pair[1] for pair in both if not set(pair) & set(lines)]
    if left_out:
        shown, note = pd.DataFrame({"encoder": left_out}), "Optional, and not on this machine."
        table = Table("left-out", "Encoders left out", shown, shown, note=note)
        sections.append(Section("left-out", "Left out", [table]))
    return sections


def _against(found: pd.DataFrame, tested: pd.DataFrame, baseline: str, order: Sequence[str]) -> pd.DataFrame:
    """Return each line's figures once, in order, with the verdict of its comparison with the baseline."""
    keys = ["benchmark", "measure", "setting", "run"]
    once = found.drop_duplicates(keys)[[*keys, "title", "value", "low", "high"]]
    verdicts = tested.loc[tested["baseline"] == baseline, [*keys, "verdict"]]
    own = once.merge(verdicts, how="left", on=keys).assign(
        place=once["run"].map(list(order).index).to_numpy()
    )
    return own.sort_values("place", kind="stable").drop(columns="place")


def _leaderboards(own: pd.DataFrame, baseline: str) -> Iterator[Table]:
    """Give a table for each setting, and for rank distance: lines down, benchmarks across."""
    for panel, rows in with_panels(own).groupby("panel", sort=False):
        title = str(panel).capitalize() + (", less is better" if panel == "rank distance" else "")
        name, note = f"leaderboard-{str(panel).replace(' ', '-')}", legend(baseline, OVER)
        yield figure_table(name, title, rows, {"run": "line"}, form=".3f", column="title", note=note)


def _dots(own: pd.DataFrame, order: Sequence[str]) -> Picture:
    rows = with_panels(own[own["measure"] != DISTANCE])
    rows = rows.assign(name=rows["run"], series=rows["panel"], panel=rows["title"])
    return picture("leaderboard-dots", "Every line on every benchmark", dots, rows, value="", names=order)


def _pairs(found: pd.DataFrame) -> Table:
    rows = found[found["baseline"].notna()]
    heads = {"title": "benchmark", "run": "line", "baseline": "minus"}
    note = legend("the other", OVER)
    return difference_table("leaderboard-pairs", "All pairs of lines", rows, heads, note=note, folded=True)


def mean_ranks(found: pd.DataFrame, lines: Sequence[str]) -> pd.DataFrame:
    """Return each line's rank, averaged over the benchmarks and settings that hold all lines.

    Equal figures share the mean of their ranks.

    Returns:
        ``line``, ``mean rank``, the same by setting, and ``of``, the number of benchmarks and settings.
    """
    rows = found[found["measure"] != DISTANCE].drop_duplicates(["benchmark", "setting", "run"])
    values = rows.pivot(index=["benchmark", "setting"], columns="run", values="value")
    values = values.reindex(columns=list(lines)).dropna()
    ranks = values.rank(axis=1, ascending=False)
    by_setting = ranks.groupby("setting").mean().T
    shown = {SETTING_NAMES[name]: by_setting[name] for name in SETTING_NAMES if name in by_setting}
    means = pd.DataFrame({"mean rank": ranks.mean(), **shown, "of": len(ranks)})
    return means.sort_values("mean rank", kind="stable").rename_axis("line").reset_index()


def _overview(own: pd.DataFrame, ranks: pd.DataFrame, baseline: str) -> Table:
    """Show mean ranks, over all and by setting, and how often a line is first, better or worse."""
    rows = own[own["measure"] != DISTANCE]
    best = rows.groupby(["benchmark", "setting"])["value"].transform("max")
    counts = rows.assign(
        first=rows["value"] == best, better=rows["verdict"] == "better", worse=rows["verdict"] == "worse"
    )
    counted = counts.groupby("run")[["first", "better", "worse"]].sum()
    data = ranks.join(counted, on="line").rename(
        columns={"first": "first in", "better": "better in", "worse": "worse in"}
    )
    shown = numbers(data.drop(columns="of"), dict.fromkeys(["mean rank", *SETTING_NAMES.values()], ".2f"))
    note = (
        f"Ranks are averaged over the {ranks['of'].iloc[0]} pairs of benchmark and setting that hold every "
        f"line; counts are of all that a line was measured in. Better and worse: than {baseline}, "
        f"p < {ALPHA} after Holm's correction over {OVER}."
    )
    return Table("leaderboard", "All lines by mean rank", shown, data, note=note)
