"""The tables and plots of left-out languages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from panglot.experiments.charts import PANELS, dots
from panglot.experiments.findings import DISTANCE
from panglot.experiments.questions.unseen_languages.values import PAIRS
from panglot.experiments.questions.unseen_languages.words import setting_title
from panglot.languages import language_name
from panglot.report.blocks import EMPTY, Block, Cell, Grid, Picture, figure
from panglot.report.words import measure_title

REFERENCE = "nothing left out"
PARTS = (("left-out", "left out", "Left-out languages"), ("kept", "kept", "Kept languages"))
LEGEND = (
    "Gain: over the encoder as it comes; ▲ better, ▼ worse than it. Remains: % of the gain with all "
    "languages, empty where that gain's interval holds zero; ▲ better, ▼ worse than with all languages. "
    "In brackets 95 % intervals of a bootstrap over items; marks stand for p < 0.05 after Holm's correction. "
    "Cross-lingual figures go by the language of the query; passages are in any other language."
)


def blocks(benchmark: str, figures: Mapping[str, Any], measure: str) -> list[Block]:
    """Return plots and tables of one benchmark; ``figures`` are what ``unseen_figures.reach`` returns."""
    sets = figures["sets"]
    return [
        _picture(benchmark, sets, measure),
        *_by_language_pictures(benchmark, sets, measure),
        _grid(
            f"unseen-{benchmark}-left-out",
            f"Left-out languages on {benchmark}",
            _rows(sets, "left out"),
            measure,
        ),
        _grid(f"unseen-{benchmark}-kept", f"Kept languages on {benchmark}", _rows(sets, "kept"), measure),
        *_pair_grid(benchmark, sets, measure),
        _values(benchmark, sets, measure),
        _grid(
            f"unseen-{benchmark}-languages",
            f"Left-out languages on {benchmark}, one by one",
            _language_rows(sets),
            measure,
            folded=True,
        ),
    ]


def _rows(sets: Mapping[str, Any], part: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (name, strategy, found[part])
        for name, one in sets.items()
        for strategy, found in one["strategies"].items()
        if found[part]
    ]


def _language_rows(sets: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (f"{language_name(code)}, {name}", strategy, found["by_language"][code])
        for name, one in sets.items()
        for code in one["left_out"]
        for strategy, found in one["strategies"].items()
    ]


def _grid(
    name: str,
    title: str,
    rows: Sequence[tuple[str, str, Mapping[str, Any]]],
    measure: str,
    *,
    folded: bool = False,
    names: Sequence[str] = tuple(PANELS),
) -> Grid:
    """Show gain and what remains of it, two columns a setting (or a kind of pairs)."""
    shown = [setting for setting in names if any(setting in settings for _, _, settings in rows)]
    columns = ["left out", "strategy"]
    for setting in shown:
        title_of = PANELS.get(setting, setting)
        columns += [f"{title_of}: gain", f"{title_of}: remains"]
    cells = [
        [
            Cell(left_out),
            Cell(strategy),
            *(cell for setting in shown for cell in _cells(settings.get(setting), setting)),
        ]
        for left_out, strategy, settings in rows
    ]
    return Grid(name, f"{title}: gain in {measure_title(measure)}", columns, cells, 2, LEGEND, folded=folded)


def _cells(found: Mapping[str, Any] | None, setting: str) -> tuple[Cell, Cell]:
    if found is None:
        return EMPTY, EMPTY
    gain, kept = found["gain"], found["retained"]
    form = "+,.0f" if setting == DISTANCE else "+.4f"
    first = figure(gain["value"], (gain["low"], gain["high"]), form, verdict=gain["verdict"])
    verdict = found["change"]["verdict"]
    if kept is None:
        return first, Cell("", verdict=verdict)
    return first, figure(kept["value"], (kept["low"], kept["high"]), ".0f", verdict=verdict, times=100)


def _pair_grid(benchmark: str, sets: Mapping[str, Any], measure: str) -> Iterator[Grid]:
    rows = _rows(sets, "pairs")
    if rows:
        title = f"Pairs of languages on {benchmark}, by what was seen in training"
        yield _grid(f"unseen-{benchmark}-pairs", title, rows, measure, names=PAIRS)


def _values(benchmark: str, sets: Mapping[str, Any], measure: str) -> Grid:
    """Show the measure itself on left-out languages: as it comes, with all languages, without the set."""
    rows = _rows(sets, "left out")
    shown = [setting for setting in PANELS if any(setting in settings for _, _, settings in rows)]
    cells = []
    for name, strategy, settings in rows:
        for model in ("as it comes", "all languages", "without"):
            found = [settings[s][model] for s in shown]
            cells.append(
                [
                    Cell(name),
                    Cell(strategy),
                    Cell(model),
                    *(
                        figure(f["value"], (f["low"], f["high"]), ",.0f" if s == DISTANCE else ".4f")
                        for s, f in zip(shown, found, strict=True)
                    ),
                ]
            )
    title = f"{measure_title(measure)} on the left-out languages of {benchmark}"
    columns = ["left out", "strategy", "trained on", *(PANELS[setting] for setting in shown)]
    note = "In brackets 95 % intervals of a bootstrap over items."
    return Grid(f"unseen-{benchmark}-values", title, columns, cells, 3, note, folded=True)


def _picture(benchmark: str, sets: Mapping[str, Any], measure: str) -> Picture:
    """Draw the gain on left-out languages, a line a set, that of training on all languages above them."""
    rows = []
    for name, one in sets.items():
        for strategy, found in one["strategies"].items():
            for setting, figures in found["left out"].items():
                panel = setting_title(setting, measure)
                rows += _ends(figures, _reference(sets, name), name, strategy, panel)
    title = f"What left-out languages gain over the encoder as it comes, {benchmark}"
    return _drawn(f"unseen-{benchmark}-gain", title, rows, sets)


def _by_language_pictures(benchmark: str, sets: Mapping[str, Any], measure: str) -> Iterator[Picture]:
    """Draw the same for each left-out language by itself, a picture a setting."""
    settings = {
        setting
        for one in sets.values()
        for found in one["strategies"].values()
        for figures in found["by_language"].values()
        for setting in figures
    }
    for setting in (setting for setting in PANELS if setting in settings):
        rows = []
        for name, one in sets.items():
            for strategy, found in one["strategies"].items():
                for code, figures in found["by_language"].items():
                    if setting in figures:
                        rows += _ends(
                            figures[setting], _reference(sets, name), name, strategy, language_name(code)
                        )
        what = f"{setting_title(setting, measure)} on {benchmark}"
        title = f"Gain over the encoder as it comes by left-out language, {what}"
        yield _drawn(f"unseen-{benchmark}-{setting.replace('_', '-')}", title, rows, sets)


def _reference(sets: Mapping[str, Any], name: str) -> str:
    """Name the line of training on all languages; one serves all sets of the same measured languages."""
    if len({tuple(one["left_out"]) for one in sets.values()}) == 1:
        return REFERENCE
    return f"{REFERENCE} ({', '.join(sets[name]['left_out'])})"


def _ends(
    figures: Mapping[str, Any], reference: str, name: str, strategy: str, panel: str
) -> list[dict[str, Any]]:
    where = {"series": strategy, "panel": panel}
    return [
        {"name": line, **where, **{key: found[key] for key in ("value", "low", "high")}}
        for line, found in ((reference, figures["full_gain"]), (name, figures["gain"]))
    ]


def _drawn(name: str, title: str, rows: list[dict[str, Any]], sets: Mapping[str, Any]) -> Picture:
    """Draw rows, each once, with the sets in order under the reference of each."""
    once = list({(row["name"], row["series"], row["panel"]): row for row in rows}.values())
    names = list(dict.fromkeys(line for one in sets for line in (_reference(sets, one), one)))
    strategies = list(dict.fromkeys(row["series"] for row in once))
    panels = list(dict.fromkeys(row["panel"] for row in once))
    spec = dots(once, title, value="gain", names=names, series=strategies, panels=panels)
    alt = f"{title}: a line a set that was left out, with 95 % intervals; the numbers are in the tables."
    apart = {"labelFlush": False, "labelOverlap": "parity", "labelSeparation": 4}  # labels that do not touch
    return Picture(name, title, alt, {**spec, "config": {**spec["config"], "axisX": apart}})
