"""Figures of a leaderboard: every line on every benchmark with intervals, and tests of all pairs of lines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from panglot.evaluation.cells import Array, cells_of, setting_masks, stack, values_of
from panglot.evaluation.comparable import aligned_tables, check_comparable, check_known, check_measure
from panglot.evaluation.compare import ALPHA
from panglot.evaluation.confidence import RESAMPLES, bounds, interval, resample
from panglot.evaluation.significance import FLIPS, contributions, holm, sign_flip_test
from panglot.experiments.findings import DISTANCE, Groups, averaged
from panglot.report.tables import SETTING_NAMES

Place = tuple[str, str]  # a benchmark and a setting


@dataclass(frozen=True)
class Difference:
    """One line minus another in one setting.

    Attributes:
        value: the difference.
        low: bound of its 95 % interval.
        high: likewise.
        p: of the paired test over items.
        p_holm: corrected over all pairs of lines and all settings of the benchmark.
        verdict: ``better`` or ``worse``; None where it is not significant.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: str | None

    def reversed(self) -> "Difference":
        """Return the other line minus the one."""
        turned = {"better": "worse", "worse": "better", None: None}
        return Difference(-self.value, -self.high, -self.low, self.p, self.p_holm, turned[self.verdict])


@dataclass(frozen=True)
class Board:
    """One benchmark.

    Attributes:
        benchmark: its title.
        measure: that it is measured in.
        lines: by line and setting (or ``rank_distance``), ``value``, ``low`` and ``high``.
        pairs: by two lines, in the order of ``lines``, and setting: the first minus the second.
        items: that were resampled and whose signs were flipped.
    """

    benchmark: str
    measure: str
    lines: Mapping[str, Mapping[str, Mapping[str, float]]]
    pairs: Mapping[tuple[str, str], Mapping[str, Difference]]
    items: int

    def minus(self, line: str, other: str, setting: str) -> Difference | None:
        """Return one line minus another; None where one of them was not measured."""
        if (line, other) in self.pairs:
            return self.pairs[line, other].get(setting)
        found = self.pairs.get((other, line), {}).get(setting)
        return None if found is None else found.reversed()

    def value(self, line: str, setting: str) -> float | None:
        """Return a line's figure."""
        found = self.lines.get(line, {}).get(setting)
        return None if found is None else found["value"]

    def ranked(self, setting: str) -> list[str]:
        """Return the lines from the best to the worst."""
        values = {line: value for line in self.lines if (value := self.value(line, setting)) is not None}
        return sorted(values, key=values.__getitem__, reverse=setting != DISTANCE)


def make_board(
    benchmark: str, groups: Groups, measure: str, *, resamples: int = RESAMPLES, flips: int = FLIPS
) -> Board:
    """Compare all lines of a benchmark with each other, each averaged over its seeds.

    Intervals are a bootstrap over items, drawn alike for all lines; tests flip the signs of items.

    Args:
        benchmark: its title.
        groups: by line, evaluations of the benchmark, one a seed.
        measure: to compare.
        resamples: of items.
        flips: assignments of signs, at least; there are more where Holm's correction needs them.
    """
    names = list(groups)
    means = [averaged(evaluations, name) for name, evaluations in groups.items()]
    if len(means) > 1:
        check_comparable(means, 0)
    check_measure(means, measure)
    tables = aligned_tables(means, names)
    cells = cells_of(tables[0])
    masks = setting_masks(cells)
    values = {
        column: np.array([values_of(table, column) for table in tables])
        for column in (measure, DISTANCE)
        if column in tables[0].column_names
    }
    check_known(values, names)
    drawn: dict[str, Array] = {}  # by setting, (lines, resamples + 1)
    items: dict[str, Array] = {}  # by setting, (pairs, items): what an item adds to a difference
    pairs = list(combinations(range(len(names)), 2))
    for column, of_lines in values.items():
        kept = masks if column == measure else {"multilingual": masks["multilingual"]}
        chosen = stack(kept, cells)
        resampled = np.array([resample(cells, one, chosen, resamples)[0] for one in of_lines])
        shares = [contributions(cells, of_lines[a] - of_lines[b], chosen).values for a, b in pairs]
        for k, name in enumerate(kept):
            if not np.isnan(resampled[0, 0, k]):
                setting = name if column == measure else DISTANCE
                drawn[setting] = resampled[:, :, k]
                items[setting] = np.array([share[:, k] for share in shares])
    lines = {
        name: {setting: vars(interval(of_setting[k])) for setting, of_setting in drawn.items()}
        for k, name in enumerate(names)
    }
    return Board(benchmark, measure, lines, _differences(names, pairs, drawn, items, flips), len(cells.items))


def _differences(
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    drawn: Mapping[str, Array],
    items: Mapping[str, Array],
    flips: int,
) -> dict[tuple[str, str], dict[str, Difference]]:
    """Test all pairs in all settings as one family."""
    if not pairs:
        return {}
    together = np.concatenate(list(items.values()))  # (settings * pairs, items)
    p = sign_flip_test(together.T, max(flips, math.ceil(len(together) / ALPHA)))
    p_holm = holm(p)
    found: dict[tuple[str, str], dict[str, Difference]] = {}
    for row, (setting, (a, b)) in enumerate((setting, pair) for setting in drawn for pair in pairs):
        change = drawn[setting][a] - drawn[setting][b]
        low, high = (float(end) for end in bounds(change))
        up = (change[0] > 0) == (setting != DISTANCE)
        verdict = ("better" if up else "worse") if p_holm[row] < ALPHA else None
        found.setdefault((names[a], names[b]), {})[setting] = Difference(
            float(change[0]), low, high, float(p[row]), float(p_holm[row]), verdict
        )
    return found


def shared_places(boards: Sequence[Board]) -> list[Place]:
    """Return the benchmarks and settings, without rank distance, that all lines were measured on."""
    lines = all_lines(boards)
    return [
        (board.benchmark, setting)
        for board in boards
        for setting in SETTING_NAMES
        if all(board.value(line, setting) is not None for line in lines)
    ]


def all_lines(boards: Sequence[Board]) -> list[str]:
    """Return the lines of all benchmarks, in order of appearance."""
    return list(dict.fromkeys(line for board in boards for line in board.lines))


def mean_ranks(boards: Sequence[Board], places: Sequence[Place]) -> dict[str, float]:
    """Return each line's rank, averaged over benchmarks and settings; equal figures share the mean of ranks.

    Returns:
        by line, from the best to the worst; NaN without places.
    """
    lines = all_lines(boards)
    if not places:
        return dict.fromkeys(lines, math.nan)
    of_name = {board.benchmark: board for board in boards}
    ranks = np.full((len(places), len(lines)), np.nan)
    for row, (benchmark, setting) in enumerate(places):
        values = np.array([of_name[benchmark].value(line, setting) for line in lines], np.float64)
        above = (values[None, :] > values[:, None]).sum(axis=1)
        equal = (values[None, :] == values[:, None]).sum(axis=1)
        ranks[row] = above + (equal + 1) / 2
    means = ranks.mean(axis=0)
    order = sorted(range(len(lines)), key=lambda k: means[k])
    return {lines[k]: float(means[k]) for k in order}


def as_plain(board: Board) -> dict[str, Any]:
    """Return a board as plain data."""
    return {
        "measure": board.measure,
        "items": board.items,
        "lines": {line: {s: dict(f) for s, f in figures.items()} for line, figures in board.lines.items()},
        "pairs": [
            {"lines": list(pair), "settings": {setting: vars(d) for setting, d in differences.items()}}
            for pair, differences in board.pairs.items()
        ],
    }
