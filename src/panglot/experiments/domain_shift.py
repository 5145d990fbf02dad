"""One model for all languages, or one model a language: which keeps more of its gain outside its domain?

Specific models are put together into one system, in which the queries of a language are answered by that
language's model, on the same queries and pools as a model of all languages.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from panglot.data.catalogue import entry_named
from panglot.data.perturb import CODE_SWITCH, check_kinds
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import Aligned, Array, align
from panglot.evaluation.bootstrap import Draws, bounds, draw
from panglot.evaluation.comparison import ALPHA, correct
from panglot.evaluation.measures import DISTANCE
from panglot.experiments.display import WHOLE, as_differences, compare_all, picture
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import HELD_OUT, ZERO_SHOT, Data, Run, Target, benchmark_of
from panglot.report.charts import dots
from panglot.report.figures import INTERVALS, SETTING_NAMES, measure_title
from panglot.report.page import Block, Picture, Section
from panglot.report.tables import Table, texts
from panglot.training.config import Part

TITLE = "One model for all languages, or one a language: which keeps more outside its domain?"
AGNOSTIC = "agnostic"
AGNOSTIC_MONOLINGUAL = "agnostic, monolingual"  # differs from specific models in their number alone
MONOLINGUAL, CROSSLINGUAL = "monolingual", "crosslingual"
ALL_LANGUAGES = "all"
SHOWN = {
    "inside": ("inside", ".4f"),
    "outside": ("outside", ".4f"),
    "drop": ("drop", "+.4f"),
    "relative": ("share", ".1%"),
    "gain_inside": ("gain inside", "+.4f"),
    "gain_outside": ("gain outside", "+.4f"),
    "gain_drop": ("drop of the gain", "+.4f"),
    "kept": ("gain kept", ".0%"),
    "further": ("more than agnostic", "+.4f"),
}
NOTE = (
    f"{INTERVALS} Drop: inside minus outside, and its share of what is inside. Gain: over the zero-shot "
    "encoder; kept: the share of it that is left outside. More than agnostic: how much more drops than for "
    f"the agnostic model; ▼ (better) and ▲ (worse): p < {ALPHA} by the normal distribution after Holm's "
    "correction over the table."
)


class Grid(Part):
    """What is compared.

    Attributes:
        languages: trained and measured on; specific models are one a language.
        budgets: of a specific model. ``pairs``: as many pairs of its language as the one model sees of it on
            average (its steps over the number of languages); ``steps``: as many steps as the one model.
        perturb: kinds of change of all queries; see ``panglot.data.perturb``.
    """

    languages: Annotated[list[str], Field(min_length=2)]
    budgets: Annotated[list[Literal["pairs", "steps"]], Field(min_length=1)]
    perturb: list[str] = Field(default_factory=list)


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, specific models by language, budget and seed, and the agnostic ones."""
    if CODE_SWITCH in grid.perturb:
        raise PanglotError(f"grid.perturb has {CODE_SWITCH}, which needs a lexicon; leave it out.")
    check_kinds(grid.perturb)
    if data.pairs:
        _check_held_out(grid, data)
    whole = _targets(experiment, grid, data)
    steps = experiment.recipe.training.steps
    found = [experiment.untrained(whole)]
    for budget in grid.budgets:
        for code in grid.languages:
            settings = {
                "batches.strategy": "specific",
                "batches.language": code,
                "data.languages": [code],
                "training.steps": max(1, round(steps / len(grid.languages))) if budget == "pairs" else steps,
            }
            own = _targets(experiment, grid, data, code)
            found += experiment.seeded(own, {specific(budget, code): settings})
    strategies = {AGNOSTIC: experiment.strategy, AGNOSTIC_MONOLINGUAL: MONOLINGUAL}
    shared = {"data.languages": grid.languages}
    runs = {name: {**shared, "batches.strategy": strategy} for name, strategy in strategies.items()}
    return [*found, *experiment.seeded(whole, runs)]


def specific(budget: str, language: str | None = None) -> str:
    """Name the system of specific models of a budget, or the model of one language in it."""
    return f"specific{'' if language is None else f' {language}'}, equal {budget}"


def _check_held_out(grid: Grid, data: Data) -> None:
    """Refuse to go on without held-out documents in all languages."""
    if not data.held_out:
        raise PanglotError(
            "domain-shift measures inside its domain on documents that nothing is trained on; "
            "hold some out with --held-out 0.1."
        )
    having = benchmark_of(data, HELD_OUT).languages
    if missing := [code for code in grid.languages if code not in having]:
        raise PanglotError(
            f"no held-out document is in '{missing[0]}'; leave it out of grid.languages, or raise --held-out."
        )


def _targets(experiment: Experiment, grid: Grid, data: Data, own: str | None = None) -> tuple[Target, ...]:
    """Return what a model is measured on: in all languages, or for a specific model in its ``own``.

    A specific model is measured in its own language, so that pool and queries are those of the same cell of
    the agnostic model's matrix. It sees the other languages' passages where there is no monolingual setting
    (captions), and on the held-out documents, so that these have that setting too.
    """
    languages, kinds = tuple(sorted(grid.languages)), tuple(grid.perturb)
    found = [Target(HELD_OUT, languages, kinds)]
    for name in experiment.benchmarks:
        if name == HELD_OUT:
            continue
        entry = entry_named(name)
        having = entry.languages or benchmark_of(data, name).languages
        shared = tuple(code for code in languages if code in having)
        if not shared:
            raise PanglotError(f"'{name}' has none of grid.languages; leave it out of benchmarks.")
        if own is None:
            found.append(Target(name, shared, kinds))
        elif own in shared:
            found.append(Target(name, (own,) if MONOLINGUAL in entry.settings else shared, kinds))
    return tuple(found)


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show what one model and one a language reach inside the domain and outside, and what each loses."""
    table, measure = systems(findings.table, grid), findings.experiment.measure
    shifts = list(_shifts(table, measure))
    lost = losses(shifts)
    unchanged = set(table["benchmark"])
    outside = [(shift.title, shift.setting) for shift in shifts if shift.title in unchanged]
    settings = [MONOLINGUAL, *([CROSSLINGUAL] if any(s == CROSSLINGUAL for _, s in outside) else [])]
    places = [*((HELD_OUT, setting) for setting in settings), *outside]
    differences, tables = [], []
    for title, setting in places:
        aligned = _lined_up(_of(table, title), setting, measure)
        panel = f"{title}, {SETTING_NAMES[setting]}"
        name, heading = f"domain-shift-{title}-{setting}", f"{measure_title(measure)}: {panel}"
        found, of_place = compare_all(name, heading, aligned, AGNOSTIC)
        differences.append(found.assign(panel=panel))
        tables += of_place
    rows = as_differences(pd.concat(differences))
    rows = rows[~rows["run"].isin([AGNOSTIC, ZERO_SHOT])]
    rows = rows.assign(name=rows["group"].replace("all", "mean"), series=rows["run"])
    name, heading = "domain-shift-differences", "Difference to the agnostic model, by language of the query"
    names = ["mean", *sorted(grid.languages)]
    drawn = picture(name, heading, dots, rows, value="difference", names=names, zero=True)
    whole, name = lost["language"] == ALL_LANGUAGES, "domain-shift-losses"
    of_shifts: list[Block] = [
        _gains(lost[whole]),
        _table(name, "What is lost, mean of the languages", lost[whole]),
        _table(f"{name}-languages", "What is lost, by language", lost[~whole], folded=True),
    ]
    return [
        Section("shifts", "What is lost outside the domain", of_shifts),
        Section("languages", "One model against one a language", [drawn, *tables]),
    ]


def systems(table: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Put the specific models of each budget together: each answers the queries in its language."""
    runs, asked = table["run"].astype(str), table["query_language"].astype(str)
    names = {specific(b, code): (specific(b), code) for b in grid.budgets for code in grid.languages}
    own = runs.map(lambda run: names.get(run, ("", ""))[1])
    kept = (own == "") | (own == asked)
    return table[kept].assign(run=runs[kept].map(lambda run: names.get(run, (run, ""))[0]))


def _of(table: pd.DataFrame, title: str, perturbation: str = "") -> pd.DataFrame:
    return table[(table["benchmark"] == title) & (table["perturbation"] == perturbation)]


def _lined_up(rows: pd.DataFrame, setting: str, measure: str, like: pd.DataFrame | None = None) -> Aligned:
    """Line up all systems in one setting, with the languages of query and pool of other rows (None: all)."""
    kept = rows[rows["setting"] == setting]
    if like is not None:
        kept = kept.merge(like[["query_language", "pool"]].drop_duplicates())
    return align(kept, [measure])


@dataclass(frozen=True)
class Shift:
    """One way out of the domain: draws of all systems inside and outside, for the same languages."""

    title: str
    setting: str
    measure: str
    inside: Draws
    outside: Draws


def _shifts(table: pd.DataFrame, measure: str) -> Iterator[Shift]:
    """Give every way out of the domain: other benchmarks, and the changed queries of each and of the domain.

    Changed queries are paired with the same ones as they are; other benchmarks have items of their own, drawn
    apart from those inside.
    """
    for place, title in enumerate(dict.fromkeys(table["benchmark"].astype(str)), 1):
        rows = _of(table, title)
        setting = MONOLINGUAL if (rows["setting"] == MONOLINGUAL).any() else CROSSLINGUAL
        if title != HELD_OUT:
            inside = draw(_lined_up(_of(table, HELD_OUT), setting, measure, rows), WHOLE)
            outside = draw(_lined_up(rows, setting, measure), WHOLE, seed=place)
            yield Shift(title, setting, measure, inside, outside)
        changed = table[(table["benchmark"] == title) & (table["perturbation"] != "")]
        for kind in dict.fromkeys(changed["perturbation"].astype(str)):
            after = _of(table, title, kind)
            (held,) = set(after["measure"]) - {DISTANCE}  # changed queries are measured by one measure
            before = draw(_lined_up(rows, setting, held), WHOLE)
            changed_so = draw(_lined_up(after, setting, held), WHOLE)
            yield Shift(f"{title}, {kind}", setting, held, before, changed_so)


def losses(shifts: Sequence[Shift]) -> pd.DataFrame:
    """Say what each system loses in each shift.

    Returns:
        a row for each ``shift``, ``language`` (or all) and ``run``, with columns for what ``SHOWN`` names and
        their bounds. But for zero-shot: gains over it, and ``kept``, the share of the gain that is left
        outside (missing where the interval of the gain inside is not above 0). But for the agnostic model:
        ``further``, how much more drops than for that, with ``p`` (normal, by the spread of the resamples),
        ``p_holm`` (over all shifts and systems, for all languages together and for single ones apart) and
        ``verdict``.
    """
    found = pd.concat([_loss(shift) for shift in shifts], ignore_index=True)
    whole = found["language"] == ALL_LANGUAGES
    found = correct(found.assign(whole=whole, difference=-found["further"]), ["whole"])
    return found.drop(columns=["whole", "difference"])


def _loss(shift: Shift) -> pd.DataFrame:
    """Return the rows of one shift; arrays are ``(resamples + 1, runs, groups)``."""
    runs, groups = list(shift.inside.runs), list(shift.outside.figures["group"])
    inside, outside = shift.inside.values, shift.outside.values
    base, agnostic = ([runs.index(name)] for name in (ZERO_SHOT, AGNOSTIC))
    with np.errstate(invalid="ignore", divide="ignore"):
        drop, gain, rest = inside - outside, inside - inside[:, base], outside - outside[:, base]
        relative, kept = drop / np.where(inside[0] > 0, inside, np.nan), rest / gain
    kept[:, bounds(gain)[0] <= 0] = np.nan
    further = drop - drop[:, agnostic]
    gain[:, base] = rest[:, base] = np.nan  # nothing is compared with itself
    further[:, [*base, *agnostic]] = np.nan
    draws = {"inside": inside, "outside": outside, "drop": drop, "relative": relative, "kept": kept}
    draws |= {"gain_inside": gain, "gain_outside": rest, "gain_drop": gain - rest, "further": further}
    figures: dict[str, Array] = {}
    for name in SHOWN:
        low, high = bounds(draws[name])
        figures |= {name: draws[name][0], f"{name}_low": low, f"{name}_high": high}
    named = [(shift.title, shift.setting, shift.measure, code, run) for run in runs for code in groups]
    found = pd.DataFrame(named, columns=["shift", "setting", "measure", "language", "run"])
    p = [_normal_p(further[:, k, g]) for k in range(len(runs)) for g in range(len(groups))]
    return found.assign(**{name: values.reshape(-1) for name, values in figures.items()}, p=p)


def _normal_p(drawn: Array) -> float:
    """Return the two-sided p of a difference whose resamples follow it in an array; NaN of none."""
    if np.isnan(drawn[0]):
        return math.nan
    spread = float(np.nanstd(drawn[1:]))
    value = abs(float(drawn[0]))
    if spread <= 1e-12:
        return 1.0 if value <= 1e-12 else 0.0
    return math.erfc(value / (spread * math.sqrt(2)))


def _gains(lost: pd.DataFrame) -> Picture:
    """Draw the gain over the zero-shot encoder inside and outside, a panel a shift."""
    parts = []
    for series in ("inside", "outside"):
        ends = {"value": "", "low": "_low", "high": "_high"}
        figures = {name: lost[f"gain_{series}{end}"] for name, end in ends.items()}
        parts.append(lost.assign(name=lost["run"], panel=lost["shift"], series=series, **figures))
    rows = pd.concat(parts)
    rows = rows[rows["run"] != ZERO_SHOT]
    title = "Gain over the zero-shot encoder, inside the domain and outside"
    names = list(dict.fromkeys(rows["run"]))
    return picture("domain-shift-gains", title, dots, rows, value="gain", names=names, zero=True)


def _table(name: str, title: str, lost: pd.DataFrame, folded: bool = False) -> Table:
    heads = ["shift", *(["language"] if folded else []), "run"]
    shown = lost[heads].copy()
    for column, (heading, form) in SHOWN.items():
        rows = lost if column == "further" else lost.drop(columns="verdict")
        shown[heading] = texts(rows, column, form, less_is_better=True)
    return Table(name, title, shown, lost, len(heads), NOTE, folded)
