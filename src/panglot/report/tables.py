"""Tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from panglot.languages import language_name

SETTING_NAMES = {
    "monolingual": "monolingual",
    "crosslingual": "cross-lingual",
    "multilingual": "multilingual",
}
MEANINGS = {
    "monolingual": "query and passages in the same language",
    "crosslingual": "passages in one other language",
    "multilingual": "passages in all languages, one list",
}


def settings_table(results: Mapping[str, Any]) -> Table:
    """Show the three settings of one results file, a row each."""
    benchmark = results["benchmark"]
    title = (
        f"{results['model']['name']} on {benchmark['name']}: {benchmark['queries']:,} queries, "
        f"{benchmark['passages']:,} passages, {len(benchmark['languages'])} languages"
    )
    found = {name: figures for name, figures in results["settings"].items() if figures}
    measures = list(next(iter(found.values())))
    table = _table(title)
    table.add_column("setting", no_wrap=True)
    for measure in measures:
        table.add_column(_title(measure), justify="right", no_wrap=True)
    table.add_column("rank\ndistance", justify="right")
    for name, figures in found.items():
        distance = results["bias"]["rank_distance"] if name == "multilingual" else None
        table.add_row(
            SETTING_NAMES[name],
            *(f"{figures[measure]:.4f}" for measure in measures),
            "" if distance is None else f"{distance:,.1f}",
        )
    return table


def perturbed_table(perturbed: Mapping[str, Any], measure: str) -> Table:
    """Show what each kind of change of the queries does to a measure in each setting."""
    table = _table(f"change of {_title(measure)} when queries are changed [95 % interval]")
    table.add_column("change")
    table.add_column("queries\nchanged", justify="right")
    settings = [
        name for name in SETTING_NAMES if any(found["settings"].get(name) for found in perturbed.values())
    ]
    for name in settings:
        table.add_column(SETTING_NAMES[name], justify="right")
    for kind, found in perturbed.items():
        shares = [figures["changed"] for figures in found["by_language"].values() if "changed" in figures]
        cells = []
        for name in settings:
            figure = found["settings"].get(name)
            cells.append(
                f"{figure['change']:+.4f} [{figure['low']:+.4f}, {figure['high']:+.4f}]" if figure else ""
            )
        table.add_row(kind, f"{100 * sum(shares) / max(1, len(shares)):.0f} %", *cells)
    return table


def perturbed_languages_table(perturbed: Mapping[str, Any], measure: str) -> Table:
    """Show what each kind of change costs each query language, in the first setting that there is."""
    changes = list(perturbed.values())
    setting = next(name for name in SETTING_NAMES if any(found["settings"].get(name) for found in changes))
    table = _table(
        f"change of {_title(measure)} by query language, {SETTING_NAMES[setting]} (queries changed)"
    )
    table.add_column("query language")
    for kind in perturbed:
        table.add_column(kind, justify="right")
    for code in dict.fromkeys(code for found in changes for code in found["by_language"]):
        cells = []
        for found in changes:
            figures = found["by_language"].get(code, {})
            figure, share = figures.get(setting), figures.get("changed", 0)
            cells.append(f"{figure['change']:+.4f} ({100 * share:.0f} %)" if figure else "")
        table.add_row(f"{language_name(code)} ({code})", *cells)
    return table


def languages_table(results: Mapping[str, Any], measure: str) -> Table:
    """Show one measure in each setting, and rank distance, by query language."""
    table = _table(f"m{measure} by query language" if measure == "AP" else f"{measure} by query language")
    table.add_column("query language")
    settings = [name for name, figures in results["settings"].items() if figures]
    for name in settings:
        table.add_column(SETTING_NAMES[name], justify="right")
    table.add_column("rank distance", justify="right")
    for code, figures in results["by_language"].items():
        distance = figures["rank_distance"]
        table.add_row(
            f"{language_name(code)} ({code})",
            *("" if figures[name] is None else f"{figures[name][measure]:.4f}" for name in settings),
            "" if distance is None else f"{distance:,.1f}",
        )
    return table


def matrix_table(results: Mapping[str, Any], measure: str) -> Table:
    """Show one measure, times 100, for every query language (rows) and pool language (columns)."""
    matrix = results["matrix"][measure]
    table = _table(f"{_title(measure)} x 100: query language (down), passage language (across)")
    table.add_column("", no_wrap=True)
    for code in matrix:
        table.add_column(code, justify="right", no_wrap=True)
    for code, row in matrix.items():
        cells = [f"{100 * row[other]:.0f}" if other in row else "" for other in matrix]
        table.add_row(
            code, *(Text(c, "bold" if b == code else "") for c, b in zip(cells, matrix, strict=True))
        )
    return table


def _title(measure: str) -> str:
    return "mAP" if measure == "AP" else measure


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
