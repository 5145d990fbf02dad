"""Which batch size balances accuracy and cost: per pair seen, per second and per byte of peak memory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from panglot.experiments.charts import PANELS
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import DISTANCE, Groups, by_seed, compare_groups, compared_grid, figure_of
from panglot.experiments.questions.scaling.costs import (
    GIB,
    MIB,
    Size,
    costs_table,
    file_part,
    noise_table,
    pareto_picture,
)
from panglot.experiments.questions.scaling.plan import ABOUT_SIZES
from panglot.experiments.questions.scaling.words import seeds_note
from panglot.experiments.runs import ZERO_SHOT, Run
from panglot.report.blocks import Block, Cell, Grid, Section, Sentences
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title, p_text


def sizes_section(
    experiment: Experiment, runs: Sequence[Run], benchmark: str, groups: Groups, prepared: Mapping[str, Any]
) -> tuple[Section, list[str], dict[str, Any]]:
    """Answer for one benchmark: section, sentences and figures.

    Args:
        experiment: the settings.
        runs: all.
        benchmark: title under which the batch sizes were measured.
        groups: what was found there.
        prepared: ``costs``, ``noise`` and ``fills``, by size; see ``scaling.prepare``.
    """
    measure = experiment.measure
    sizes = sizes_of(runs, benchmark, groups, prepared.get("costs", {}))
    own = experiment.recipe.batches.size
    base = next((size for size in sizes if size.size == own), sizes[0])
    wanted = {name: groups[name] for name in (ZERO_SHOT, *(size.group for size in sizes))}
    compared = compare_groups(wanted, base.group, measure)
    against = best_of(sizes, wanted, compared, measure)
    quality = next(
        s for s in reversed(SETTING_NAMES) if figure_of(compared["compared"][base.group], s) is not None
    )
    said = [
        *_best(benchmark, sizes, against, measure),
        *_recommendation(benchmark, sizes, against),
        *_critical(sizes, base, prepared.get("noise", {})),
        *_fills(sizes, prepared.get("fills", {})),
        _budget(benchmark, sizes),
        seeds_note(benchmark, wanted, measure),
    ]
    title = f"{measure_title(measure)} on {benchmark}"
    blocks: list[Block] = [Sentences(said, listed=True)]
    if all(size.cost is not None for size in sizes):
        blocks.append(pareto_picture(benchmark, sizes, compared, quality, measure))
    names = {size.group: f"batches of {size.size:,}" for size in sizes}
    blocks.append(_renamed(compared_grid(f"sizes-{file_part(benchmark)}", title, compared), names))
    blocks.append(costs_table(benchmark, sizes, compared, quality, measure))
    if noise := prepared.get("noise", {}):
        blocks.append(noise_table(benchmark, noise))
    figures = {
        "sizes": {str(size.size): size.group for size in sizes},
        "compared": compared,
        "against_best": against,
        "admissible": {s: admissible(sizes, found) for s, found in against.items()},
        "quality": quality,
        "seconds": {str(size.size): size.seconds for size in sizes},
        "memory": {str(size.size): size.memory for size in sizes},
        "by_seed": {name: by_seed(found, measure) for name, found in wanted.items()},
    }
    named = f"Batch sizes: {benchmark.removesuffix(f', {ABOUT_SIZES}')}"
    return Section(f"sizes-{file_part(benchmark)}", named, blocks), said, figures


def sizes_of(
    runs: Sequence[Run], benchmark: str, groups: Groups, costs: Mapping[str, Mapping[str, Any]]
) -> list[Size]:
    """Return the batch sizes that were run, ascending."""
    found = {
        run.recipe.batches.size: Size(
            run.recipe.batches.size, run.group, run.recipe, costs.get(str(run.recipe.batches.size))
        )
        for run in runs
        if run.trained and run.group in groups and any(m.title == benchmark for m in run.benchmarks)
    }
    return [found[size] for size in sorted(found)]


def best_of(
    sizes: Sequence[Size], groups: Groups, compared: Mapping[str, Any], measure: str
) -> dict[str, dict[str, Any]]:
    """Compare all sizes, setting by setting, with the one that is best there.

    Returns:
        by setting, ``best`` (a size) and ``of``: by size, figures of a comparison with it.
    """
    found: dict[str, dict[str, Any]] = {}
    comparisons = {sizes[0].group: compared} if len(sizes) == 1 else {}
    trained = {size.group: groups[size.group] for size in sizes}
    for setting in PANELS:
        values = {size.size: figure_of(compared["compared"][size.group], setting) for size in sizes}
        if any(value is None for value in values.values()):
            continue
        sign = -1 if setting == DISTANCE else 1
        best = max(sizes, key=lambda size: sign * values[size.size]["value"])  # type: ignore[index]
        if best.group not in comparisons:
            comparisons[best.group] = compare_groups(trained, best.group, measure)
        runs = comparisons[best.group]["compared"]
        found[setting] = {
            "best": best.size,
            "of": {str(size.size): figure_of(runs[size.group], setting) for size in sizes},
        }
    return found


def admissible(sizes: Sequence[Size], against: Mapping[str, Any]) -> list[int]:
    """Return the sizes that are not significantly worse than the best, which is one of them."""
    return [size.size for size in sizes if against["of"][str(size.size)].get("verdict") != "worse"]


def _best(benchmark: str, sizes: Sequence[Size], against: Mapping[str, Any], measure: str) -> Iterator[str]:
    for setting, found in against.items():
        best = found["of"][str(found["best"])]
        form = ",.0f" if setting == DISTANCE else ".4f"
        what = (
            "rank distance" if setting == DISTANCE else f"{SETTING_NAMES[setting]} {measure_title(measure)}"
        )
        near = [f"{size:,}" for size in admissible(sizes, found) if size != found["best"]]
        worse = [
            f"{size.size:,} ({format(found['of'][str(size.size)]['difference'], f'+{form}')}, "
            f"{p_text(found['of'][str(size.size)]['p_holm'])})"
            for size in sizes
            if found["of"][str(size.size)].get("verdict") == "worse"
        ]
        parts = [f"not significantly worse: {listed(near)}"] if near else []
        parts += [f"significantly worse: {listed(worse)}"] if worse else []
        yield (
            f"{benchmark}, {what}: batches of {found['best']:,} are best, {best['value']:{form}} "
            f"[{best['low']:{form}}, {best['high']:{form}}]{'; ' if parts else ''}{'; '.join(parts)}."
        )


def _recommendation(benchmark: str, sizes: Sequence[Size], against: Mapping[str, Any]) -> Iterator[str]:
    """Recommend the cheapest of those that are in no setting significantly worse than the best."""
    by_setting = {s: set(admissible(sizes, found)) for s, found in against.items() if s != DISTANCE}
    good = [size for size in sizes if all(size.size in found for found in by_setting.values())]
    if not good:
        said = [f"{SETTING_NAMES[s]}: {listed([f'{k:,}' for k in sorted(f)])}" for s, f in by_setting.items()]
        yield (
            f"{benchmark}, recommendation: every batch size is significantly worse than the best in a "
            f"setting ({'; '.join(said)}); choose by the setting that matters."
        )
        return
    names = listed([f"{size.size:,}" for size in good])
    as_good = f"{benchmark}, recommendation: in no setting significantly worse than the best: {names}"
    if any(size.cost is None for size in sizes):
        yield f"{as_good}. Costs were not measured."
        return
    fast = min(good, key=lambda size: size.seconds or 0)
    light = min(good, key=lambda size: size.memory or 0)
    if fast is light:
        yield f"{as_good}; use batches of {fast.size:,}, the fastest and smallest of them ({_price(fast)})."
        return
    yield (
        f"{as_good}; where time counts use batches of {fast.size:,} ({_price(fast)}), where memory counts "
        f"{light.size:,} ({_price(light)})."
    )


def _price(size: Size) -> str:
    return f"{size.seconds:,.0f} s for {size.pairs:,} pairs, {_bytes(size.memory or 0)} of peak memory"


def _bytes(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:,.0f} MiB"


def _critical(sizes: Sequence[Size], base: Size, noise: Mapping[str, Any]) -> Iterator[str]:
    """Say what the gradient-noise scale is, and how it compares with the sizes that were run."""
    start = noise.get("start", {}).get(str(base.size))
    if start is None:
        return
    known = [found for found in noise["start"].values() if found["scale"] is not None]
    after = noise.get("after")
    later = ""
    if after is not None:
        later = f", and {_scale(after)} after training with batches of {after['size']:,}"
    yield f"Gradient-noise scale of batches of {base.size:,}: {_scale(start)} before training{later}."
    if len(known) > 1:
        low, high = (end(known, key=lambda found: found["scale"]) for end in (min, max))
        yield (
            f"It depends on the batch size that it is estimated at, as in-batch negatives make the objective "
            f"depend on it: from {low['scale']:,.0f} (batches of {low['size']:,}) to {high['scale']:,.0f} "
            f"(batches of {high['size']:,}). Well below it larger batches save steps nearly in proportion, "
            "far above it they save almost none; it is a rough guide."
        )


def _scale(found: Mapping[str, Any]) -> str:
    if found["scale"] is None:
        return "not to be told (the mean gradient is lost in the noise)"
    ends = "" if found["low"] is None else f" [{found['low']:,.0f}, {found['high']:,.0f}]"
    return f"{found['scale']:,.0f}{ends} pairs"


def _fills(sizes: Sequence[Size], fills: Mapping[str, Any]) -> Iterator[str]:
    """Say where batch sizes differ in their data too."""
    first = fills.get(str(sizes[0].size))
    short = [
        f"{size.size:,} from {fills[str(size.size)]['sources']}"
        for size in sizes
        if first is not None and fills[str(size.size)]["sources"] < first["sources"]
    ]
    if short and first is not None:
        yield (
            f"Batch sizes differ in their data too: batches of {sizes[0].size:,} across languages can be "
            f"drawn from {first['sources']} sources, those of {listed(short)}. Join the sources in one file "
            "to compare sizes alone."
        )


def _budget(benchmark: str, sizes: Sequence[Size]) -> str:
    """Say what was equal, and what was not."""
    pairs = sorted({size.pairs for size in sizes})
    seen = f"{pairs[0]:,}" if len(pairs) == 1 else f"{pairs[0]:,} to {pairs[-1]:,}"
    few, many = (sizes[k].recipe.training.steps for k in (-1, 0))
    return (
        f"{benchmark}: every batch size saw {seen} pairs, so larger batches made fewer steps ({many:,} down "
        f"to {few:,}); what they would do with more was not tried."
    )


def _renamed(grid: Grid, names: Mapping[str, str]) -> Grid:
    """Call a run that stands for a batch size by that."""
    rows = [[Cell(names.get(row[0].text, row[0].text)), *row[1:]] for row in grid.rows]
    note = grid.note
    for group, name in names.items():
        note = note.replace(f"than {group},", f"than {name},")
    return Grid(grid.name, grid.title, grid.columns, rows, note=note)
