"""A comparison of runs, in tables and in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from panglot.languages import language_name
from panglot.report.tables import SETTING_NAMES

MARKS = {"better": "▲", "worse": "▼", None: " "}
COLOURS = {"better": "green", "worse": "red", None: ""}
LEGEND = "▲ better and ▼ worse than the baseline, p < {alpha} after Holm's correction"
NAMED = 8  # languages that a sentence names; it counts the others
Figure = Mapping[str, Any]


def runs_table(compared: Mapping[str, Any]) -> Table:
    """Show every run in each setting: figure, difference to the baseline with its interval, p and effect."""
    baseline, measure = compared["baseline"], _title(compared["measure"])
    table = _table(f"{measure} on {compared['benchmark']['name']}; baseline: {baseline}")
    share = f"{100 * compared['method']['share']:g} % interval"
    table.add_column("setting", no_wrap=True)
    table.add_column("run", overflow="fold")
    for name in (measure, "difference", share, "p", "d"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in (*SETTING_NAMES, "rank_distance"):
        shown = False
        for run in _baseline_first(compared):
            figure = _of(compared, run, name)
            if figure is not None:
                label = "" if shown else SETTING_NAMES.get(name, "rank distance")
                table.add_row(label, run, *_row(figure, _form(name)))
                shown = True
        if shown:
            table.add_section()
    table.caption = (
        f"{LEGEND.format(alpha=compared['method']['alpha'])}; d: difference in standard deviations of items"
    )
    return table


def change_by_language_table(compared: Mapping[str, Any], run: str) -> Table:
    """Show what a run gains and loses against the baseline, by query language."""
    table = _table(f"{run} minus {compared['baseline']}: {_title(compared['measure'])} by query language")
    by_language = compared["compared"][run]["by_language"]
    names = [n for n in (*SETTING_NAMES, "rank_distance") if any(n in f for f in by_language.values())]
    table.add_column("query language")
    for name in names:
        table.add_column(SETTING_NAMES.get(name, "rank distance"), justify="right", no_wrap=True)
    for code, figures in by_language.items():
        cells = [_change(figures.get(name), f"+{_form(name)}") for name in names]
        table.add_row(f"{language_name(code)} ({code})", *cells)
    table.caption = LEGEND.format(alpha=compared["method"]["alpha"])
    return table


def change_matrix_table(compared: Mapping[str, Any], run: str) -> Table:
    """Show what a run gains and loses, times 100: query language (rows), pool language (columns)."""
    matrix = compared["compared"][run]["matrix"]
    table = _table(
        f"{run} minus {compared['baseline']}: {_title(compared['measure'])} x 100, "
        "query language (down), passage language (across)"
    )
    pools = sorted({pool for row in matrix.values() for pool in row})
    table.add_column("", no_wrap=True)
    for pool in pools:
        table.add_column(f"{pool} ", justify="right", no_wrap=True)
    for code, row in matrix.items():
        table.add_row(code, *(_change(row.get(pool), "+.0f", 100) for pool in pools))
    table.caption = LEGEND.format(alpha=compared["method"]["alpha"])
    return table


def comparison_in_words(compared: Mapping[str, Any]) -> list[str]:
    """Say in sentences how each run differs from the baseline, and which languages gain and lose."""
    return [
        sentence
        for run in compared["runs"]
        if run != compared["baseline"]
        for sentence in _sentences(compared, run)
    ]


def _sentences(compared: Mapping[str, Any], run: str) -> Iterator[str]:
    measure, baseline = _title(compared["measure"]), compared["baseline"]
    of_run = compared["compared"][run]
    for setting, label in SETTING_NAMES.items():
        figure = of_run["settings"].get(setting)
        if figure is not None:
            verdict = {"better": "is better than", "worse": "is worse than"}.get(
                figure["verdict"], "does not differ significantly from"
            )
            languages = {code: f[setting] for code, f in of_run["by_language"].items() if setting in f}
            yield (
                f"{run} {verdict} {baseline} in the {label} setting: {measure} "
                f"{_number(figure['difference'], '+.3f')} ({_ends(figure, 'difference_', '+.3f')}, "
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
            f"{language_name(code)} {_number(figures[code]['difference'], '+.3f')}" for code in codes
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


def _baseline_first(compared: Mapping[str, Any]) -> list[str]:
    return sorted(compared["runs"], key=lambda run: run != compared["baseline"])


def _of(compared: Mapping[str, Any], run: str, name: str) -> Figure | None:
    of_run = compared["compared"][run]
    found: Figure | None = of_run[name] if name == "rank_distance" else of_run["settings"].get(name)
    return found


def _form(name: str) -> str:
    return ",.0f" if name == "rank_distance" else ".3f"


def _row(figure: Figure, form: str) -> list[str | Text]:
    """Return what a row shows of a figure after the names of setting and run."""
    value = format(figure["value"], form)
    if "difference" not in figure:
        return [value, "", _ends(figure, "", form), "", ""]
    effect = "" if figure["effect"] is None else f"{figure['effect']:+.2f}"
    ends = _ends(figure, "difference_", f"+{form}")
    return [value, _change(figure, f"+{form}"), ends, _p(figure["p_holm"]), effect]


def _ends(figure: Figure, prefix: str, form: str) -> str:
    return f"{_number(figure[f'{prefix}low'], form)} to {_number(figure[f'{prefix}high'], form)}"


def _change(figure: Figure | None, form: str, times: float = 1) -> Text:
    if figure is None:
        return Text("")
    text = _number(times * figure["difference"], form)
    return Text(text + MARKS[figure["verdict"]], style=COLOURS[figure["verdict"]])


def _number(value: float, form: str) -> str:
    """Format a number; what rounds to nothing has no sign."""
    text = format(value, form)
    return text if any(digit in text for digit in "123456789") else text.lstrip("+-")


def _p(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def _title(measure: str) -> str:
    return "mAP" if measure == "AP" else measure


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
