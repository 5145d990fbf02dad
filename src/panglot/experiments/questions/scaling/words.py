"""What is said of more training languages: changes, trade-offs, languages before and after they are added."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panglot.experiments.charts import PANELS
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import DISTANCE, Groups, by_seed, figure_of
from panglot.experiments.questions.scaling.plan import Grid, equal_pairs
from panglot.experiments.runs import ZERO_SHOT
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title, p_text

STEPS, PAIRS = "equal steps", "equal pairs per language"
MOVES = {"better": "rises", "worse": "falls", None: "does not change significantly"}


@dataclass(frozen=True)
class Subset:
    """Some of the measured languages.

    Attributes:
        title: what answers call it.
        languages: of it.
        inside: only passages in these languages too; False: in all, from and to these languages.
        baseline: how many languages the run has that the others are compared with.
    """

    title: str
    languages: tuple[str, ...]
    inside: bool
    baseline: int


def whole_words(
    benchmark: str, budget: str, compared: Mapping[str, Any], names: Mapping[int, str], measure: str
) -> Iterator[str]:
    """Say where each setting is best, what the most languages do to it, and whether settings trade off."""
    few, many = min(names), max(names)
    runs = compared["compared"]
    for setting, title in PANELS.items():
        start = figure_of(runs[names[few]], setting)
        if start is None or len(names) < 2:
            continue
        sign, form = (-1, ",.0f") if setting == DISTANCE else (1, ".4f")
        values = {count: figure_of(runs[name], setting) for count, name in names.items()}
        best = max(values, key=lambda count: sign * values[count]["value"])  # type: ignore[index]
        what = title if setting == DISTANCE else f"{title} {measure_title(measure)}"
        if best == few:
            top = f"best with the fewest languages, {few} ({start['value']:{form}})"
        else:
            top = (
                f"best with {best} languages, {values[best]['value']:{form}} "  # type: ignore[index]
                f"against {start['value']:{form}} with {few} ({_change(values[best], form)})"
            )
        end = "" if best == many else f"; with {many}, {_change(values[many], form)}"
        yield f"{benchmark}, at {budget}, {what}: {top}{end}."
    both = [figure_of(runs[names[many]], setting) for setting in ("crosslingual", "multilingual")]
    if len(names) > 1 and all(both):
        yield f"{benchmark}, at {budget}, from {few} to {many} languages: {_trade(*both)}"


def _trade(cross: Any, multi: Any) -> str:
    """Say whether cross-lingual and multilingual quality trade off."""
    if {cross["verdict"], multi["verdict"]} == {"better", "worse"}:
        return (
            f"a trade-off: cross-lingual quality {MOVES[cross['verdict']]} and multilingual quality "
            f"{MOVES[multi['verdict']]}."
        )
    if cross["verdict"] == multi["verdict"]:
        if cross["verdict"] is None:
            return (
                "neither cross-lingual nor multilingual quality changes significantly; no trade-off is seen."
            )
        return f"no trade-off: cross-lingual and multilingual quality both {MOVES[cross['verdict']][:-1]}."
    return (
        f"no trade-off is seen: cross-lingual quality {MOVES[cross['verdict']]}, "
        f"multilingual quality {MOVES[multi['verdict']]}."
    )


def _change(found: Any, form: str) -> str:
    """Give a difference to the baseline with its interval and corrected p."""
    low, high = (format(found[f"difference_{end}"], f"+{form}") for end in ("low", "high"))
    change = format(found["difference"], f"+{form}")
    sure = "" if found["verdict"] else ", not significant"
    return f"{change} [{low}, {high}], {p_text(found['p_holm'])}{sure}"


def subset_words(
    benchmark: str, subset: Subset, compared: Mapping[str, Any], names: Mapping[int, str], measure: str
) -> Iterator[str]:
    """Say, at equal steps, what more languages do to those always trained on, or to one before and after."""
    runs = compared["compared"]
    many, base = max(names), subset.baseline
    for setting in ("monolingual", "crosslingual"):
        start = figure_of(runs[names[base]], setting)
        if start is None:
            continue
        what = f"{SETTING_NAMES[setting]} {measure_title(measure)}"
        where = f"{benchmark}, {subset.title}, at {STEPS}, {what}"
        end = figure_of(runs[names[many]], setting)
        if subset.inside:
            if many != base:
                began = f"{start['value']:.4f} with {base} languages"
                yield f"{where}: {began}; with {many}, {_change(end, '.4f')}."
            continue
        after = min(count for count in names if count > base)
        plain = figure_of(runs[ZERO_SHOT], setting)
        assert plain is not None
        gained = -plain["difference"]
        sure = "" if plain["verdict"] else ", not significant"
        yield (
            f"{where}: with {base} languages, none of them {listed(subset.languages)}, {start['value']:.4f}, "
            f"{gained:+.4f} against the encoder as it comes ({p_text(plain['p_holm'])}{sure}); with {after}, "
            f"{_change(figure_of(runs[names[after]], setting), '.4f')}."
        )


def budget_words(benchmark: str, grid: Grid, experiment: Experiment, counts: Sequence[int]) -> Iterator[str]:
    """Say what equal pairs per language means, and where it does not hold."""
    size = experiment.recipe.batches.size
    wanted = {count: experiment.recipe.training.steps * count / grid.reference for count in counts}
    having = {count: equal_pairs(grid, experiment, count) for count in counts}
    ends = [f"{having[count]:,} steps with {count}" for count in (counts[0], counts[-1])]
    each = size * experiment.recipe.training.steps / grid.reference
    yield (
        f"{benchmark}: equal pairs per language are about {each:,.0f} pairs of each ({listed(ends)} "
        "languages), so more languages also mean more training."
    )
    short = [f"{count}" for count in counts if wanted[count] > grid.max_steps]
    if short:
        yield (
            f"{benchmark}: {listed(short)} languages stop at {grid.max_steps:,} steps, so they have fewer "
            "pairs per language than the others."
        )


def seeds_note(benchmark: str, groups: Groups, measure: str) -> str:
    """Say how far seeds of one run are apart, which intervals and tests do not know of."""
    seeds = max(len(found) for found in groups.values())
    if seeds < 2:
        return f"{benchmark}: figures are of 1 seed; how far another would be from it is not known."
    apart: dict[str, float] = {}
    for found in groups.values():
        for setting, values in by_seed(found, measure).items():
            apart[setting] = max(apart.get(setting, 0.0), max(values) - min(values))
    said = [f"{SETTING_NAMES[s]} {value:.4f}" for s, value in apart.items()]
    return (
        f"{benchmark}: figures are means of {seeds} seeds. Intervals and tests draw items, not seeds; seeds "
        f"of one run are apart in {measure_title(measure)} by up to: {listed(said)}."
    )
