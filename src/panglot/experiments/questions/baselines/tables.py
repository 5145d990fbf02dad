"""The tables and the picture of a leaderboard."""

from collections.abc import Mapping, Sequence

from panglot.experiments.charts import PANELS, dots
from panglot.experiments.findings import DISTANCE
from panglot.experiments.questions.baselines.board import Board, Difference, Place, mean_ranks
from panglot.report.blocks import EMPTY, Block, Cell, Grid, Picture, Sentences, figure
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import measure_title

FAMILY = "p < .05 after Holm's correction over all pairs of lines and settings of the benchmark"
BRACKETS = "The ranges are 95 % intervals of a bootstrap over items"


def leaderboard(
    boards: Sequence[Board],
    ranks: Mapping[str, float],
    places: Sequence[Place],
    baseline: str,
    said: Sequence[str],
) -> list[Block]:
    """Show the lines in order of their mean rank: an overview, a picture, a table a setting.

    Args:
        boards: of all benchmarks.
        ranks: by line, in order.
        places: that ranks were averaged over.
        baseline: the line that marks compare with.
        said: the same in sentences.
    """
    order = list(ranks)
    blocks: list[Block] = [Sentences(said, listed=True), _overview(boards, ranks, places, baseline)]
    blocks.append(_picture(boards, order))
    shown = [setting for setting in PANELS if _having(boards, setting)]
    return blocks + [_table(boards, order, setting, baseline) for setting in shown]


def tuning(boards: Sequence[Board], pairs: Mapping[str, str], said: Sequence[str]) -> list[Block]:
    """Show what tuning changes.

    Args:
        boards: of all benchmarks.
        pairs: the tuned line by the untuned one.
        said: the same in sentences.
    """
    shown = [setting for setting in PANELS if _having(boards, setting)]
    columns = ["encoder", "benchmark", *(PANELS[setting] for setting in shown)]
    rows = [
        [
            Cell(untuned),
            Cell(_named(board)),
            *(_change(board.minus(tuned, untuned, setting), setting) for setting in shown),
        ]
        for untuned, tuned in pairs.items()
        for board in boards
    ]
    note = f"{BRACKETS}. ▲ better and ▼ worse than as it comes, {FAMILY}."
    title = "Hybrid-tuned minus as it comes"
    return [Sentences(said, listed=True), Grid("hybrid-tuning", title, columns, rows, heads=2, note=note)]


def _overview(
    boards: Sequence[Board], ranks: Mapping[str, float], places: Sequence[Place], baseline: str
) -> Grid:
    """Show mean ranks, over all and by setting, and how often a line is first, better or worse."""
    settings = [s for s in SETTING_NAMES if any(setting == s for _, setting in places)]
    of_setting = {s: mean_ranks(boards, [place for place in places if place[1] == s]) for s in settings}
    columns = ["line", "mean rank", *(SETTING_NAMES[s] for s in settings)]
    columns += ["first in", "better in", "worse in"]
    rows = []
    for line, rank in ranks.items():
        verdicts = [_verdict(board, line, baseline, s) for board in boards for s in SETTING_NAMES]
        lists = [ranked for b in boards for s in SETTING_NAMES if line in (ranked := b.ranked(s))]
        first = sum(ranked[0] == line for ranked in lists)
        counts = [verdicts.count(verdict) for verdict in ("better", "worse")]
        cells = [figure(rank, form=".2f") if places else EMPTY]
        cells += [figure(of_setting[s][line], form=".2f") for s in settings]
        cells += [Cell(f"{first} of {len(lists)}", value=float(first))]
        cells += [EMPTY if line == baseline else Cell(str(count), value=float(count)) for count in counts]
        rows.append([Cell(line), *cells])
    note = (
        f"Ranks are averaged over the {len(places)} pairs of benchmark and setting that hold every line; "
        f"counts are of all pairs that a line was measured in. Better and worse: than {baseline}, {FAMILY}."
    )
    return Grid("leaderboard", "All lines by mean rank", columns, rows, note=note)


def _table(boards: Sequence[Board], order: Sequence[str], setting: str, baseline: str) -> Grid:
    """Show a setting, or rank distance: lines down, benchmarks across."""
    having = _having(boards, setting)
    distance = setting == DISTANCE
    rows = []
    for line in order:
        cells = []
        for board in having:
            found = board.lines.get(line, {}).get(setting)
            ends = None if found is None else (found["low"], found["high"])
            verdict = _verdict(board, line, baseline, setting)
            value = None if found is None else found["value"]
            cells.append(figure(value, ends, ",.0f" if distance else ".3f", verdict=verdict))
        rows.append([Cell(line), *cells])
    columns = ["line", *(board.benchmark if distance else _named(board) for board in having)]
    less = " Less is better." if distance else ""
    note = f"{BRACKETS}. ▲ better and ▼ worse than {baseline}, {FAMILY}.{less}"
    name = setting.replace("_", "-")
    return Grid(f"leaderboard-{name}", PANELS[setting].capitalize(), columns, rows, note=note)


def _picture(boards: Sequence[Board], order: Sequence[str]) -> Picture:
    rows = [
        {"name": line, "series": title, "panel": _named(board), **found}
        for board in boards
        for line in order
        for setting, title in SETTING_NAMES.items()
        if (found := board.lines.get(line, {}).get(setting)) is not None
    ]
    series = [title for title in SETTING_NAMES.values() if any(row["series"] == title for row in rows)]
    title = "Every line on every benchmark, with 95 % intervals"
    panels = [_named(board) for board in boards]
    spec = dots(rows, title, value="", names=order, series=series, panels=panels)
    alt = f"{title}: a panel a benchmark, a line an encoder, a dot a setting; the numbers are in the tables."
    return Picture("leaderboard-dots", title, alt, spec)


def _having(boards: Sequence[Board], setting: str) -> list[Board]:
    return [board for board in boards if any(setting in figures for figures in board.lines.values())]


def _named(board: Board) -> str:
    return f"{board.benchmark}, {measure_title(board.measure)}"


def _verdict(board: Board, line: str, baseline: str, setting: str) -> str | None:
    found = board.minus(line, baseline, setting)
    return None if found is None else found.verdict


def _change(found: Difference | None, setting: str) -> Cell:
    if found is None:
        return EMPTY
    form = "+,.0f" if setting == DISTANCE else "+.3f"
    return figure(found.value, (found.low, found.high), form, verdict=found.verdict)
