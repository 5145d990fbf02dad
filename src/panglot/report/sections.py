"""A report: runs on one benchmark, their figures with intervals, tests and failures, and its sections."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panglot.errors import PanglotError
from panglot.evaluation import Comparison
from panglot.evaluation.aggregate import ALL, values_of
from panglot.evaluation.bias import READINGS, TOP
from panglot.evaluation.bootstrap import RESAMPLES, SHARE, intervals
from panglot.evaluation.comparison import (
    ALPHA,
    FLIPS,
    check_comparable,
    check_measure,
    compare_results,
    run_names,
)
from panglot.evaluation.groups import group_figures, language_kinds, training_languages
from panglot.evaluation.measures import DISTANCE
from panglot.evaluation.results import Evaluation, Failure
from panglot.report.charts import check_installed, curves, dots
from panglot.report.failures import failures_by_run
from panglot.report.figures import (
    ACROSS,
    INTERVALS,
    KEYS,
    LANGUAGE,
    MEANINGS,
    SETTING_NAMES,
    beside_published,
    change_matrix_tables,
    comparison_table,
    excess_rows,
    figure_table,
    figures_of,
    heat_tables,
    language_title,
    legend,
    marks,
    measure_title,
    rows_of,
    with_languages,
    with_panels,
    with_texts,
)
from panglot.report.page import (
    Block,
    Cards,
    Facts,
    Failures,
    Picture,
    Section,
    page,
    write_assets,
    write_page,
)
from panglot.report.tables import Table, cell_of, numbers, wide

AGAINST = ["baseline", "difference", "difference_low", "difference_high", "effect", "p_holm", "verdict"]
KINDS = {
    "training": "Seen or unseen in training",
    "script": "Script",
    "family": "Language family",
    "resource": "Resource class",
    "relation": "Distance of the two languages",
}
QUANTILES = {0.05: "low", 0.25: "inner_low", 0.5: "value", 0.75: "inner_high", 0.95: "high"}
RELEVANT = "relevant passages"
# what else columns beside those of runs are called
TAKEN = ("figure", "fair", "without bias", "name", "passage language", RELEVANT)
BELOW = "A table below has the numbers."
WIDTH = 380  # pixels of a chart that has half of a page
POINTS = 101  # of a curve


@dataclass(frozen=True)
class Contents:
    """All that a report shows.

    Attributes:
        runs: one or more on one benchmark, by what the report calls them.
        failures: worst queries, by run.
        measure: the one that tests and matrices are of.
        figures: rows of ``figures_of`` for each ``run``, of all measures that every run has, and
            those of groups of languages; with columns of the comparison where there is one.
        compared: the runs against a baseline; None for a single run.
        settings: resamples, seed and so on, to repeat the report.
    """

    runs: Mapping[str, Evaluation]
    failures: Mapping[str, Sequence[Failure]]
    measure: str
    figures: pd.DataFrame
    compared: Comparison | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def benchmark(self) -> Mapping[str, Any]:
        """What the results files say of the benchmark."""
        found: Mapping[str, Any] = self.first.results["benchmark"]
        return found

    @property
    def first(self) -> Evaluation:
        """The first of the runs."""
        return next(iter(self.runs.values()))

    def rows(self, family: str, *measures: str) -> pd.DataFrame:
        """Return the figures of a family, of some measures or all."""
        return rows_of(self.figures, family, *measures)


def gather(
    evaluations: Sequence[Evaluation],
    *,
    paths: Sequence[Path] | None = None,
    failures: Sequence[Sequence[Failure]] = (),
    measure: str | None = None,
    baseline: int = 0,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    alpha: float = ALPHA,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Contents:
    """Work out all that a report needs. Intervals that the results hold are not computed again.

    Args:
        paths: their files, to name two runs of one model by.
        failures: lists of worst queries; each goes to the run whose figures it has.
        measure: that tests and matrices are of; None: the first that all runs have.
        baseline: position of the run that the others are compared with.
        progress: called with 1 after each run, and after the comparison.

    Raises:
        PanglotError: no runs, other benchmarks, an unknown measure or baseline, or failures of another run.
    """
    if not evaluations:
        raise PanglotError("there is nothing to report; name one results file or more.")
    if len(evaluations) > 1:
        check_comparable(evaluations, baseline)
    elif baseline:
        raise PanglotError(f"there is no run {baseline + 1} to be the baseline; there is one run only.")
    chosen = check_measure(evaluations, measure)
    names = run_names(evaluations, paths)
    given = failures_by_run(evaluations, failures)
    settings = {"resamples": resamples, "flips": flips, "alpha": alpha, "seed": seed}
    shared = [name for name in evaluations[0].measures if all(name in e.measures for e in evaluations)]
    frames = []
    for evaluation, name in zip(evaluations, names, strict=True):
        frames.append(_figures(evaluation, shared, resamples, seed).assign(run=name))
        if progress is not None:
            progress(1)
    figures, compared = pd.concat(frames, ignore_index=True), None
    if len(evaluations) > 1:
        drawn: Any = settings
        compared = compare_results(*evaluations, names=names, measure=chosen, baseline=baseline, **drawn)
        figures = figures.merge(compared.figures[["run", *KEYS, *AGAINST]], how="left", on=["run", *KEYS])
    if progress is not None:
        progress(1)
    runs, worst = dict(zip(names, evaluations, strict=True)), dict(zip(names, given, strict=True))
    return Contents(runs, worst, chosen, figures, compared, settings)


def _figures(evaluation: Evaluation, measures: Sequence[str], resamples: int, seed: int) -> pd.DataFrame:
    """Return the figures of one run with those of groups; stored intervals are used if drawn the same way."""
    results, table = evaluation.results, evaluation.per_query
    stored, groups = results.get("intervals") or {}, results.get("groups")
    wanted = {"share": SHARE, "resamples": resamples, "seed": seed}
    if any(stored.get(name) != value for name, value in wanted.items()) or groups is None:
        size = None if "parts" in results else results["benchmark"]["passages"]  # a suite has several pools
        stored = intervals(table, evaluation.measures, passages=size, resamples=resamples, seed=seed)
        groups = group_figures(results, table, resamples=resamples, seed=seed)
    figures = figures_of(results, stored, groups)
    kept = figures["measure"].isin([*measures, DISTANCE]) | (figures["family"] == "bias")
    return figures[kept]


# sections


def sections(contents: Contents, reference: pd.DataFrame | None = None) -> list[Section]:
    """Return all sections that the runs have something for."""
    settings, matrices = list(_settings(contents, reference)), list(_matrices(contents))
    if len(contents.runs) == 1:  # a single heat map has room beside the tables
        settings, matrices = [*settings[:1], *matrices, *settings[1:]], []
    failures = [
        Failures(f"Worst queries of {name}", worst) for name, worst in contents.failures.items() if worst
    ]
    found = [
        Section("summary", "Summary", list(_summary(contents))),
        Section("settings", "Settings and languages", settings),
        Section("matrix", "Query language by passage language", matrices),
        Section("bias", "Language bias", list(_bias(contents))),
        Section("groups", "Groups of languages", list(_groups(contents))),
        Section("failures", "Worst queries", failures),
        Section("repeat", "To repeat it", list(_facts(contents))),
    ]
    return [section for section in found if section.blocks]


def _summary(contents: Contents) -> Iterator[Block]:
    yield _cards(contents)
    languages = contents.benchmark["languages"]
    if len(languages) < 2:
        return
    yield from heat_tables(
        "excess",
        f"Languages over-represented in the top {TOP}",
        {name: excess_rows(run.results) for name, run in contents.runs.items()},
        signed=True,
        less_is_blue=True,
        form="+.0f",
        note=f"Share of the first {TOP} passages minus share of the relevant ones, in points. Orange: too "
        f"many, blue: too few. {ACROSS}",
    )
    rows = with_panels(contents.rows("by_language", contents.measure))
    one = len(contents.runs) == 1
    rows = with_languages(rows).assign(series=rows["panel" if one else "run"])
    title = f"{measure_title(contents.measure)} by query language"
    names = [language_title(code) for code in languages]
    options: Any = {"width": WIDTH} if one else {"width": 340}
    spec = dots(rows.assign(panel="") if one else rows, title, value="", names=names, **options)
    yield Picture("by-language", title, BELOW, spec)


def _cards(contents: Contents) -> Cards:
    """Show the measure in the three settings, each figure with a bar of its interval on a shared scale."""
    rows = with_panels(with_texts(contents.rows("settings", contents.measure, DISTANCE), form=".3f"))
    shown, distances = (rows[(rows["measure"] == DISTANCE) == d] for d in (False, True))
    low = np.floor(10 * shown[["value", "low"]].min().min()) / 10
    high = max(np.ceil(10 * shown[["value", "high"]].max().max()) / 10, low + 0.1)
    order = list(contents.runs)
    cards = []
    for setting, of_setting in shown.groupby("setting", sort=False):
        lines = [
            {
                "run": row["run"],
                "number": order.index(row["run"]) + 1,
                "cell": cell_of(row["text"]),
                "places": [100 * (row[end] - low) / (high - low) for end in ("low", "value", "high")],
            }
            for row in of_setting.to_dict("records")
        ]
        note = ""
        if setting == "multilingual" and len(distances):
            parts = zip(distances["run"], map(cell_of, distances["text"]), strict=True)
            several = len(order) > 1
            note = "Rank distance: " + ", ".join(
                f"{run} {cell.text} {cell.mark}".strip()
                if several
                else f"{cell.text} ({cell.ends.replace(', ', ' to ')})"
                for run, cell in parts
            )
        cards.append(
            {"title": SETTING_NAMES[setting], "meaning": MEANINGS[setting], "lines": lines, "note": note}
        )
    items = len(contents.first.per_query.column("item").unique())
    note = f"{measure_title(contents.measure)} with 95 % intervals of a bootstrap over {items:,} items."
    if contents.compared is not None:
        marked = marks(contents.compared.baseline, contents.compared.method["alpha"], "settings")
        note = " ".join([note, f"{marked}.", *(f"Note: {text}" for text in contents.compared.notes)])
    few = " With so few items, small differences stay within chance." if items < 100 else ""
    return Cards(cards, (f"{low:.1f}", f"{high:.1f}"), f"{note}{few}")


def _settings(contents: Contents, reference: pd.DataFrame | None) -> Iterator[Block]:
    measure, alpha = contents.measure, contents.settings.get("alpha", ALPHA)
    options: Any = {"form": ".3f", "note": INTERVALS}
    rows = contents.rows("settings")
    rows = with_panels(rows[rows["measure"] != DISTANCE].drop(columns="verdict", errors="ignore"))
    rows = rows.assign(setting_title=rows["panel"], title=rows["measure"].map(measure_title))
    heads = _heads(contents, setting_title="setting")
    measures = figure_table("measures", "All measures", rows, heads, column="title", **options)
    if contents.compared is not None:
        yield comparison_table(contents.compared)
        options["note"] = legend(contents.compared.baseline, "settings", alpha)
    if reference is not None:
        yield beside_published(contents.rows("settings", "AP", DISTANCE), reference)
    yield measures
    title = f"{measure_title(measure)} in each setting"
    rows = contents.rows("settings", measure, DISTANCE)
    yield figure_table("settings", title, rows, {"run": "model"}, folded=True, **options)
    rows = contents.rows("by_language", measure, DISTANCE)
    order = {code: k for k, code in enumerate(contents.benchmark["languages"])}
    rows = rows.sort_values("group", key=lambda codes: codes.map(order), kind="stable")
    heads, rows = _heads(contents, **LANGUAGE), with_languages(rows)
    title = f"{measure_title(measure)} by query language"
    options["note"] = options["note"].replace("over settings", "over languages and settings")
    yield figure_table("languages", title, rows, heads, folded=True, **options)


def _heads(contents: Contents, **first: str) -> dict[str, str]:
    """Return columns that name a row: a first one, and the run where there are several."""
    return {**first, **({"run": "model"} if len(contents.runs) > 1 else {})}


def _named(runs: pd.Series) -> pd.Series:
    """Return names of runs as titles of columns, which differ from the other columns."""
    return runs.where(~runs.isin(TAKEN), runs + " (model)")


def _matrices(contents: Contents) -> Iterator[Block]:
    if len(contents.benchmark["languages"]) < 2:
        return
    rows = contents.rows("matrix", contents.measure)
    rows = rows.drop(columns=[name for name in AGAINST if name in rows])
    frames = {name: rows[rows["run"] == name] for name in contents.runs}
    title = f"{measure_title(contents.measure)} × 100"
    yield from heat_tables("matrix", title, frames, signed=False, note=ACROSS)
    if contents.compared is not None:
        yield from change_matrix_tables(contents.compared)


def _bias(contents: Contents) -> Iterator[Block]:
    rows = contents.rows("bias")
    rows = rows[rows["measure"].isin(READINGS)]
    rows = rows.sort_values("measure", key=lambda names: names.map(list(READINGS).index), kind="stable")
    if not len(rows):
        return
    order = list(dict.fromkeys(rows["measure"]))
    rows = rows.assign(
        figure=[READINGS[name].title for name in rows["measure"]],
        column=_named(rows["run"]),
        fair=[READINGS[name].fair for name in rows["measure"]],
    )
    shown = wide(with_texts(rows, form=".3f"), ["figure"], "column")
    fair = rows.drop_duplicates("measure")["fair"]
    shown["without bias"] = numbers(pd.DataFrame({"fair": fair}), {"fair": "g"})["fair"].to_list()
    yield Table("bias", "In the pool of all languages", shown, rows, note=INTERVALS)
    yield from _distance_blocks(contents)
    yield from _share_blocks(contents)
    readings = {READINGS[n].title: f"{READINGS[n].sentence} Source: {READINGS[n].source}." for n in order}
    yield Facts("How to read these figures", readings)


def _distance_blocks(contents: Contents) -> Iterator[Block]:
    """Draw the rank distances of each run's queries: a cumulative curve, and quantiles by query language."""
    frames = []
    for name, run in contents.runs.items():
        frame = run.per_query.select(["query_language", "pool"]).to_pandas()
        frame = frame.assign(distance=values_of(run.per_query, DISTANCE), series=name)
        frames.append(frame[frame["pool"] == ALL].dropna())
    spread = pd.concat(frames)
    if not len(spread):
        return
    axis = "rank distance (logarithmic)"
    grouped = spread.groupby("series", sort=False)["distance"]
    reached = grouped.quantile(np.linspace(0, 1, POINTS)).rename("x").rename_axis(["series", "value"])
    reached = reached.reset_index().groupby(["series", "x"], sort=False)["value"].max().reset_index()
    reached = reached.assign(value=100 * reached["value"], panel="")
    title = "Share of queries within a rank distance"
    spec = curves(reached, title, x=axis, y="% of queries", scale="distance", width=WIDTH)
    halves = ", ".join(f"{value:,.0f} with {run}" for run, value in grouped.median().items())
    yield Picture("rank-distance", title, f"Half of the queries: at most {halves}.", spec)
    of_language = spread.groupby(["query_language", "series"], sort=False)["distance"]
    frame = of_language.quantile(list(QUANTILES)).unstack().rename(columns=QUANTILES).reset_index()
    names = [language_title(code) for code in contents.benchmark["languages"]]
    frame = with_languages(frame, "query_language").assign(panel="")
    frame = frame.sort_values("name", key=lambda given: given.map(names.index), kind="stable")
    title = "Rank distance by query language: median, quartiles, 5 % and 95 %"
    spec = dots(frame, title, value=axis, names=names, scale="distance", width=WIDTH)
    yield Picture("rank-distance-by-language", title, BELOW, spec)
    columns = {name: f"{100 * share:.0f} %" for share, name in QUANTILES.items()}
    shown = numbers(frame[["name", "series", *columns]], dict.fromkeys(columns, ",.0f"))
    shown = shown.rename(columns={"name": "query language", "series": "model", **columns})
    data = frame.drop(columns="panel")
    yield Table("rank-distance-quantiles", "Quantiles of rank distance", shown, data, 2, folded=True)


def _share_blocks(contents: Contents) -> Iterator[Block]:
    """Draw the share of each language among the first passages against its share of the relevant ones."""
    found = pd.concat([excess_rows(run.results).assign(series=n) for n, run in contents.runs.items()])
    found = found.assign(series=_named(found["series"]))
    if not len(found):
        return
    means = found.groupby(["series", "passage_language"], sort=False)[["share", "fair"]].mean().reset_index()
    fair = means.drop_duplicates("passage_language").assign(series=RELEVANT, share=lambda f: f["fair"])
    rows = pd.concat([means, fair]).assign(value=lambda f: 100 * f["share"], panel="")
    names = [language_title(code) for code in contents.benchmark["languages"]]
    rows = with_languages(rows, "passage_language")
    title = f"Share of languages in the first {TOP} passages and in the relevant ones, %"
    spec = dots(rows, title, value="%", names=names, width=WIDTH)
    yield Picture("shares", title, BELOW, spec)
    text = numbers(rows.assign(text=rows["value"]), {"text": ".1f"})
    shown = wide(text, ["name"], "series").rename(columns={"name": "passage language"})
    data = rows.drop(columns=["panel", "value", "fair"])
    yield Table("shares", "Shares of languages, %", shown, data, folded=True)


def _groups(contents: Contents) -> Iterator[Block]:
    kinds = language_kinds(training_languages(contents.first.results))
    heads = _heads(contents, group="group")
    for part in ("languages", "pairs"):
        for kind, title in KINDS.items():
            rows = contents.rows(f"{part} {kind}", contents.measure, DISTANCE)
            if rows["group"].nunique() < 2:
                continue
            known = kinds.get(kind) if part == "languages" else None
            lacking = [code for code in contents.benchmark["languages"] if known and known(code) is None]
            notes = ["Joshi et al. 2020: from 0, hardly any data, to 5, most."] if kind == "resource" else []
            notes += [f"In no group, since it is not known: {', '.join(lacking)}."] if lacking else []
            title = title if part == "languages" else f"Pairs of languages: {title[0].lower()}{title[1:]}"
            note = " ".join([INTERVALS, *notes])
            order = list(dict.fromkeys(rows["group"]))
            rows = rows.sort_values("group", key=lambda names: names.map(order.index), kind="stable")
            name = f"{'groups' if part == 'languages' else part}-{kind}"
            yield figure_table(name, title, rows, heads, form=".3f", note=note, folded=True)


def _facts(contents: Contents) -> Iterator[Block]:
    yield Facts("Benchmark and method", _plain({**contents.benchmark, **contents.settings}))
    for name, run in contents.runs.items():
        made = {key: run.results.get(key) for key in ("command", "created", "panglot", "seed", "versions")}
        yield Facts(name, _plain({**made, **run.results["model"]}))


def _plain(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is there as text: names with values as JSON."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(map(text, value))
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)

    return {name: text(value) for name, value in values.items() if value not in (None, "", {}, [])}


def write_report(
    contents: Contents,
    output: str | Path,
    *,
    assets: str | Path | None = None,
    reference: pd.DataFrame | None = None,
    title: str | None = None,
) -> list[Path]:
    """Write a report as one HTML page, and what is in it as files of their own.

    Args:
        assets: a folder for each chart and heat map as SVG and PNG, and each table as CSV, LaTeX and
            Markdown.
        reference: published figures to show beside; see ``reference_for``.

    Returns:
        the files written, the page first.

    Raises:
        PanglotError: what draws is not installed, or a file cannot be written.
    """
    check_installed()
    found, benchmark = sections(contents, reference), contents.benchmark
    names = list(contents.runs)
    languages = len(benchmark["languages"])
    subtitle = (
        f"{benchmark['queries']:,} queries, {benchmark['passages']:,} passages, "
        f"{languages} language{'' if languages == 1 else 's'}"
        + (f"; {len(names)} models" if len(names) > 1 else "")
    )
    heading = title or f"{', '.join(names)} on {benchmark['name']}"
    write_page(Path(output), page(heading, subtitle, found, names))
    return [Path(output), *(write_assets(found, Path(assets)) if assets is not None else [])]
