"""Comparisons of runs as tables: any compared figures, and those of ``panglot compare``; and in words."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from panglot.evaluation import Comparison
from panglot.evaluation.aggregate import ARROW, DISTANCE
from panglot.evaluation.comparison import ALPHA
from panglot.languages import language_name
from panglot.report.blocks import number
from panglot.report.frames import Table, texts, wide
from panglot.report.tables import SETTING_NAMES

INTERVALS = "Brackets hold 95 % intervals of a bootstrap over items."
NAMED = 8  # languages that a sentence names; it counts the others
Figure = Mapping[str, Any]


def measure_title(measure: str) -> str:
    """Return what people call a measure: the mean of AP is mAP."""
    return "mAP" if measure == "AP" else measure


def with_panels(found: pd.DataFrame) -> pd.DataFrame:
    """Add ``panel``: the title of a figure's setting, or rank distance; rows go in that order."""
    order = {**SETTING_NAMES, DISTANCE: "rank distance"}
    name = found["setting"].where(found["measure"] != DISTANCE, DISTANCE)
    found = found.assign(panel=name.map(order), _order=name.map(list(order).index))
    return found.sort_values("_order", kind="stable").drop(columns="_order")


def with_texts(found: pd.DataFrame, value: str = "value", form: str = ".4f") -> pd.DataFrame:
    """Add ``text``: a figure with its interval and mark; rank distance has no decimals."""
    sign = "+" if value == "difference" else ""
    distance = found["measure"] == DISTANCE
    parts = [texts(found[~distance], value, sign + form), texts(found[distance], value, f"{sign},.0f")]
    return found.assign(text=pd.concat(parts).reindex(found.index))


def legend(baseline: str, over: str) -> str:
    """Say what brackets and marks mean."""
    return (
        f"{INTERVALS} ▲ better and ▼ worse than {baseline}, p < {ALPHA} after Holm's correction over {over}."
    )


def figure_table(
    name: str,
    title: str,
    rows: pd.DataFrame,
    heads: Mapping[str, str],
    *,
    value: str = "value",
    form: str = ".4f",
    column: str = "panel",
    note: str = "",
    folded: bool = False,
) -> Table:
    """Show compared figures: rows by some columns, and settings (or another column's values) across."""
    rows = with_panels(rows)
    shown = wide(with_texts(rows, value, form), list(heads), column).rename(columns=heads)
    data = rows.drop(columns="panel")
    return Table(name, title, shown, data, len(heads), note, folded)


def comparison_table(compared: Comparison) -> Table:
    """Show every run in each setting: figure, difference to the baseline with its interval, p and effect."""
    rows = compared.figures[compared.figures["family"] == "settings"]
    rows = with_panels(rows.sort_values("run", key=lambda runs: runs != compared.baseline, kind="stable"))
    distance = rows["measure"] == DISTANCE
    measure, benchmark = measure_title(compared.measure), compared.benchmark["name"]
    shown = pd.DataFrame(
        {
            "setting": rows["panel"],
            "run": rows["run"],
            measure: [
                number(v, ",.0f" if d else ".3f") for v, d in zip(rows["value"], distance, strict=True)
            ],
            "difference": _changes(rows),
            f"{100 * compared.method['share']:g} % interval": [_ends(row) for row in rows.to_dict("records")],
            "p": ["" if np.isnan(p) else _p(p) for p in rows["p_holm"]],
            "d": ["" if np.isnan(d) else number(d, "+.2f") for d in rows["effect"]],
        }
    )
    title = f"{measure} on {benchmark}; baseline: {compared.baseline}"
    note = f"{_marks(compared)}; d: difference in standard deviations of items."
    return Table("settings", title, shown, rows.drop(columns="panel"), 2, note)


def change_by_language_table(compared: Comparison, run: str) -> Table:
    """Show what a run gains and loses against the baseline, by query language."""
    rows = with_panels(_of(compared, run, "by_language"))
    names = [f"{language_name(code)} ({code})" for code in rows["group"]]
    rows = rows.assign(text=_changes(rows), language=names)
    shown = wide(rows, ["language"], "panel")
    shown = shown.rename(columns={"language": "query language"})
    title = f"{run} minus {compared.baseline}: {measure_title(compared.measure)} by query language"
    return Table(
        "languages",
        title,
        shown,
        rows.drop(columns=["panel", "text", "language"]),
        note=f"{_marks(compared)}.",
    )


def change_matrix_table(compared: Comparison, run: str) -> Table:
    """Show what a run gains and loses, times 100: query language (rows), pool language (columns)."""
    rows = _of(compared, run, "matrix")
    pairs = rows["group"].str.split(ARROW, expand=True).reindex(columns=[0, 1])
    text = texts(rows.drop(columns=ENDS), "difference", "+.0f", times=100)
    shown = wide(rows.assign(query=pairs[0], pool=pairs[1], text=text), ["query"], "pool")
    title = (
        f"{run} minus {compared.baseline}: {measure_title(compared.measure)} x 100, "
        "query language (down), passage language (across)"
    )
    return Table("matrix", title, shown.rename(columns={"query": ""}), rows, note=f"{_marks(compared)}.")


ENDS = ["difference_low", "difference_high"]


def _of(compared: Comparison, run: str, family: str) -> pd.DataFrame:
    figures = compared.figures
    return figures[(figures["run"] == run) & (figures["family"] == family)]


def _changes(rows: pd.DataFrame) -> pd.Series:
    """Write differences with their marks, without intervals."""
    return with_texts(rows.drop(columns=ENDS), "difference", ".3f")["text"]


def _ends(row: Figure) -> str:
    """Return the interval of a difference, or of a figure that is compared with none."""
    form = ",.0f" if row["measure"] == DISTANCE else ".3f"
    names, form = (("low", "high"), form) if pd.isna(row["difference"]) else (ENDS, f"+{form}")
    return " to ".join(number(row[name], form) for name in names)


def _marks(compared: Comparison) -> str:
    alpha = compared.method["alpha"]
    return f"▲ better and ▼ worse than the baseline, p < {alpha} after Holm's correction"


def comparison_in_words(compared: Mapping[str, Any]) -> list[str]:
    """Say in sentences how each run differs from the baseline, and which languages gain and lose."""
    return [
        sentence
        for run in compared["runs"]
        if run != compared["baseline"]
        for sentence in _sentences(compared, run)
    ]


def _sentences(compared: Mapping[str, Any], run: str) -> Iterator[str]:
    measure, baseline = measure_title(compared["measure"]), compared["baseline"]
    of_run = compared["compared"][run]
    for setting, label in SETTING_NAMES.items():
        figure = of_run["settings"].get(setting)
        if figure is not None:
            verdict = {"better": "is better than", "worse": "is worse than"}.get(
                figure["verdict"], "does not differ significantly from"
            )
            languages = {code: f[setting] for code, f in of_run["by_language"].items() if setting in f}
            ends = _ends({**figure, "measure": compared["measure"]})
            yield (
                f"{run} {verdict} {baseline} in the {label} setting: {measure} "
                f"{number(figure['difference'], '+.3f')} ({ends}, "
                f"p {_p(figure['p_holm'])}). {_gains_and_losses(languages)}"
            )
    pairs = {
        f"{x}-{y}": figure
        for x, row in of_run["matrix"].items()
        for y, figure in row.items()
        if "verdict" in figure
    }
    if len(pairs) > 1:
        gained, lost = (
            [pair for pair, figure in pairs.items() if figure["verdict"] == verdict]
            for verdict in ("better", "worse")
        )
        yield (
            f"Of {len(pairs):,} pairs of query and passage language, {_count(gained)} "
            f"gain{'' if len(gained) > 1 else 's'} significantly and {_count(lost)} "
            f"lose{'' if len(lost) > 1 else 's'}{f' ({_listed(lost)})' if lost else ''}."
        )
    distance = of_run["rank_distance"]
    if distance is not None:
        verdict = {"better": "falls", "worse": "rises"}.get(
            distance["verdict"], "does not change significantly"
        )
        yield (
            f"Rank distance {verdict}: {distance['value'] - distance['difference']:,.0f} to "
            f"{distance['value']:,.0f} (p {_p(distance['p_holm'])})."
        )


def _gains_and_losses(figures: Mapping[str, Figure]) -> str:
    """Name the languages that gain and lose significantly, the largest change first."""
    named = {}
    for verdict in ("better", "worse"):
        codes = [code for code, figure in figures.items() if figure["verdict"] == verdict]
        codes.sort(key=lambda code: -abs(figures[code]["difference"]))
        named[verdict] = [
            f"{language_name(code)} {number(figures[code]['difference'], '+.3f')}" for code in codes
        ]
    gained, lost = named["better"], named["worse"]
    if not gained and not lost:
        return "No language by itself gains or loses significantly."
    gains = f"{_listed(gained)} gain{'' if len(gained) > 1 else 's'}" if gained else "No language gains"
    losses = f"{_listed(lost)} lose{'' if len(lost) > 1 else 's'}" if lost else "no language loses"
    rest = [language_name(code) for code, figure in figures.items() if figure["verdict"] is None]
    ending = f"; no significant difference in {_listed(rest)}" if rest else ""
    return f"{gains}; {losses}{ending}."


def _count(found: list[str]) -> str:
    return f"{len(found):,}" if found else "none"


def _listed(names: list[str]) -> str:
    """Join names as in a sentence; of many, name the first and count the others."""
    if len(names) > NAMED + 1:
        names = [*names[:NAMED], f"{len(names) - NAMED} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _p(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"
