"""What batch sizes cost: tables of gains by pair, second and byte, of noise scales, and the Pareto plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panglot.experiments.charts import pareto
from panglot.experiments.findings import figure_of
from panglot.experiments.runs import ZERO_SHOT
from panglot.report.blocks import Cell, Grid, Picture, figure, number
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import measure_title
from panglot.training import Recipe

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Size:
    """A batch size that was run.

    Attributes:
        size: pairs in a batch.
        group: what findings call its runs.
        recipe: of one of its runs.
        cost: ``pairs_per_second``, ``memory`` and ``peak``, as ``Cost`` has them; None: not measured.
    """

    size: int
    group: str
    recipe: Recipe
    cost: Mapping[str, Any] | None

    @property
    def pairs(self) -> int:
        """Pairs seen in training."""
        return self.size * self.recipe.training.steps

    @property
    def seconds(self) -> float | None:
        """Of training, at the measured pairs a second."""
        return None if self.cost is None else self.pairs / float(self.cost["pairs_per_second"])

    @property
    def memory(self) -> int | None:
        """Bytes of peak memory beyond model and data."""
        return None if self.cost is None else int(self.cost["memory"])


def frontier(costs: Mapping[int, float], values: Mapping[int, float]) -> set[int]:
    """Return the keys that no other beats: as good for less, or better for as much."""
    return {
        key
        for key, cost in costs.items()
        if not any(
            costs[other] <= cost
            and values[other] >= values[key]
            and (costs[other] < cost or values[other] > values[key])
            for other in costs
        )
    }


def costs_table(
    benchmark: str, sizes: Sequence[Size], compared: Mapping[str, Any], quality: str, measure: str
) -> Grid:
    """Show what each batch size gains on the encoder as it comes: by pair, by second and by byte."""
    plain = figure_of(compared["compared"][ZERO_SHOT], quality)
    rows = []
    for size in sizes:
        found = figure_of(compared["compared"][size.group], quality)
        assert found is not None
        assert plain is not None
        gain = found["value"] - plain["value"]
        row = [
            Cell(f"{size.size:,}"),
            _plain(size.recipe.training.steps, ",d"),
            _plain(size.recipe.training.learning_rate, ".2g"),
            Cell("yes" if size.recipe.training.gradient_cache else "no"),
            figure(gain, form="+.4f"),
            figure(1000 * gain / size.pairs, form="+.4f"),
        ]
        if size.cost is not None and size.seconds:
            memory = size.memory or 0
            row += [
                figure(float(size.cost["pairs_per_second"]), form=",.1f"),
                figure(size.seconds, form=",.0f"),
                figure(60 * gain / size.seconds, form="+.4f"),
                figure(memory / MIB, form=",.0f"),
                figure(GIB * gain / memory, form="+.4f") if memory else figure(None),
            ]
        else:
            row += [figure(None)] * 5
        rows.append(row)
    columns = [
        "batch size",
        "steps",
        "learning rate",
        "cached",
        "gain",
        "gain per 1,000 pairs",
        "pairs a second",
        "seconds",
        "gain a minute",
        "peak memory, MiB",
        "gain a GiB",
    ]
    note = (
        f"Gain: {SETTING_NAMES[quality]} {measure_title(measure)} beyond the encoder as it comes. Peak "
        "memory: beyond model and data, of a fresh process. Seconds: of training, at the pairs a second."
    )
    return Grid(
        f"costs-{file_part(benchmark)}", f"Batch sizes and their cost: {benchmark}", columns, rows, note=note
    )


def _plain(value: float, form: str) -> Cell:
    return Cell(number(value, form), value=float(value))


def noise_table(benchmark: str, noise: Mapping[str, Any]) -> Grid:
    """Show the noise scales, before and after training."""
    found = [("before training", one) for one in noise["start"].values()]
    found += [("after training", noise["after"])] if noise.get("after") else []
    rows = []
    for when, one in found:
        ends = None if one["low"] is None else (one["low"], one["high"])
        scale = Cell("lost in the noise") if one["scale"] is None else figure(one["scale"], ends, ",.0f")
        rows.append(
            [
                Cell(f"{one['size']:,}"),
                Cell(when),
                _plain(one["gradients"], "d"),
                _plain(one["squared"], ".3g"),
                _plain(one["trace"], ".3g"),
                scale,
            ]
        )
    columns = ["batch size", "", "batches", "|G|²", "tr Σ", "noise scale, pairs"]
    note = (
        "Simple noise scale tr Σ / |G|² (McCandlish et al. 2018): Σ of the gradient of one pair, as batch "
        "size times the covariance of a batch's gradient. In brackets 95 % intervals of a jackknife over "
        "batches. With in-batch negatives, and languages that a batch shares, it holds for its size alone."
    )
    return Grid(
        f"noise-{file_part(benchmark)}",
        "Gradient-noise scale by batch size",
        columns,
        rows,
        heads=2,
        note=note,
    )


def pareto_picture(
    benchmark: str, sizes: Sequence[Size], compared: Mapping[str, Any], quality: str, measure: str
) -> Picture:
    """Draw a setting of each batch size against seconds and memory."""
    found = {size.size: figure_of(compared["compared"][size.group], quality) for size in sizes}
    values = {size: one["value"] for size, one in found.items() if one is not None}
    panels = {
        "seconds of training": {size.size: float(size.seconds or 0) for size in sizes},
        "peak memory beyond model and data, MiB": {size.size: (size.memory or 0) / MIB for size in sizes},
    }
    rows = []
    for panel, costs in panels.items():
        on = frontier(costs, values)
        for size, one in found.items():
            if one is not None:
                ends = {key: one[key] for key in ("value", "low", "high")}
                rows.append(
                    {"x": costs[size], "label": f"{size:,}", "panel": panel, "frontier": size in on, **ends}
                )
    title = (
        f"{SETTING_NAMES[quality]} {measure_title(measure)} on {benchmark} against cost, a point a batch size"
    )
    alt = f"{title}, with 95 % intervals and the Pareto frontier; the numbers are in the tables."
    return Picture(
        f"pareto-{file_part(benchmark)}", title, alt, pareto(rows, title, y="", panels=list(panels))
    )


def file_part(benchmark: str) -> str:
    """Return a benchmark's title as a part of file names."""
    return benchmark.replace(", ", "-").replace(" ", "-")
