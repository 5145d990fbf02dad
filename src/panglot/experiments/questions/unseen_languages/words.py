"""What the figures of left-out languages say, in sentences."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from panglot.experiments.charts import PANELS
from panglot.experiments.findings import DISTANCE
from panglot.languages import language_name
from panglot.report.blocks import number
from panglot.report.words import listed, measure_title, p_text

ENOUGH = 3  # seeds for a claim that rests on them
NAMED = 6  # places that a sentence names; it counts the others


def about_seeds(seeds: int) -> str:
    """Say what the intervals and tests speak of."""
    what = f"means over {seeds} seeds" if seeds > 1 else "of one seed"
    few = "" if seeds >= ENOUGH else f" A claim about strategies in general wants {ENOUGH} seeds or more."
    return (
        f"All figures are {what}; intervals and tests (Holm's correction) are over questions, "
        f"and do not speak of other seeds.{few}"
    )


def sentences(benchmark: str, figures: Mapping[str, Any], measure: str) -> list[str]:
    """Say what one benchmark shows; ``figures`` are what ``unseen_figures.reach`` returns."""
    said = []
    for name, one in figures["sets"].items():
        where = f"{benchmark}, without {name}"
        said.append(
            f"{where}: {_names(one['left_out'])} left out, {len(one['seen'])} languages trained on, "
            f"{_names(one['kept']) or 'none'} of them measured."
        )
        said += _gains(where, one, measure)
        said += _harm(where, one)
        said += _pairs(where, one, measure)
        said += _kept(where, one)
        said += _strategies(where, figures["strategies"], name)
    said += _sets(benchmark, figures["against_first"])
    return said


def headlines(benchmark: str, figures: Mapping[str, Any], measure: str) -> list[str]:
    """Say per setting what left-out languages gain without each set, and how sets and strategies differ."""
    sets = figures["sets"]
    first = next(iter(sets.values()))["strategies"]
    said = []
    for setting in next(iter(first.values()))["left out"]:
        parts = []
        for strategy in first:
            places = [one["strategies"][strategy]["left out"][setting] for one in sets.values()]
            gains = listed([_short(found, setting) for found in places], len(sets))
            parts.append(f"{strategy} batches {gains}")
        what = f"{_title(setting, measure)} on left-out languages against the encoder as it comes"
        said.append(
            f"{benchmark}, {what}, without {listed(list(sets), len(sets))}: {'; '.join(parts)}. "
            "In brackets: what remains of the gain with all languages."
        )
    for name, one in sets.items():
        said += [*_harm(f"{benchmark}, without {name}", one)]
        said += _strategies(f"{benchmark}, without {name}", figures["strategies"], name)
    return [*said, *_sets(benchmark, figures["against_first"])]


def _short(found: Mapping[str, Any], setting: str) -> str:
    """Give a gain and, in brackets, the share of the gain with all languages that remains."""
    gain, kept = found["gain"], found["retained"]
    sure = [] if gain["verdict"] else ["not significant"]
    share = "there is no certain one" if kept is None else f"{percent(kept['value'])} %"
    return f"{signed(gain['value'], setting)} ({', '.join([*sure, share])}{_seeds(gain)})"


def setting_title(setting: str, measure: str) -> str:
    """Return what a figure in a setting is called."""
    return PANELS[setting] if setting == DISTANCE else f"{PANELS[setting]} {measure_title(measure)}"


def _title(setting: str, measure: str) -> str:
    title = setting_title(setting, measure)
    return f"{title} (less is better)" if setting == DISTANCE else title


def signed(value: float, setting: str) -> str:
    """Format a difference in a setting."""
    return number(value, "+,.0f" if setting == DISTANCE else "+.4f")


def percent(share: float) -> str:
    """Format a share."""
    return number(100 * share, ".0f")


def _gains(where: str, one: Mapping[str, Any], measure: str) -> Iterator[str]:
    """Say per setting what each strategy gains on left-out languages, and what share of its gain remains."""
    strategies = {strategy: found["left out"] for strategy, found in one["strategies"].items()}
    for setting in next(iter(strategies.values())):
        parts = [f"{name} batches {_gain(found[setting], setting)}" for name, found in strategies.items()]
        what = f"{_title(setting, measure)} on the left-out languages"
        yield f"{where}: {what}, against the encoder as it comes: {'; '.join(parts)}."


def _gain(found: Mapping[str, Any], setting: str) -> str:
    gain, kept = found["gain"], found["retained"]
    sure = p_text(gain["p_holm"]) if gain["verdict"] else f"not significant, {p_text(gain['p_holm'])}"
    rest = "with all languages it has no certain gain"
    if kept is not None:
        value, low, high = (percent(kept[key]) for key in ("value", "low", "high"))
        rest = f"{value} % of its gain with all languages, {low} to {high}"
    return f"{signed(gain['value'], setting)} ({sure}{_seeds(gain)}; {rest})"


def _seeds(found: Mapping[str, Any]) -> str:
    """Say where seeds do not agree with a difference that is significant over questions."""
    same = sum((value > 0) == (found["value"] > 0) for value in found["by_seed"])
    if found["verdict"] is None or same == len(found["by_seed"]):
        return ""
    return f", but in {same} of {len(found['by_seed'])} seeds only"


def _harm(where: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Say which left-out languages are worse off than with the encoder as it comes."""
    worse = [
        f"{language_name(code)} with {strategy} batches, {PANELS[setting]} ({signed(gain['value'], setting)})"
        for strategy, found in one["strategies"].items()
        for code, settings in found["by_language"].items()
        for setting, figures in settings.items()
        if (gain := figures["gain"])["verdict"] == "worse"
    ]
    if worse:
        yield f"{where}: significantly worse than as it comes are {listed(worse, NAMED)}."
    else:
        yield f"{where}: no left-out language is significantly worse than as it comes, in any setting."


def _pairs(where: str, one: Mapping[str, Any], measure: str) -> Iterator[str]:
    """Say what pairs of languages gain of which neither, one or both were seen."""
    kinds = list(next(iter(one["strategies"].values()))["pairs"])
    if len(kinds) < 2:
        return
    parts = []
    for strategy, found in one["strategies"].items():
        gains = [signed(found["pairs"][kind]["gain"]["value"], "crosslingual") for kind in kinds]
        parts.append(f"{strategy} batches {', '.join(gains)}")
    what = f"cross-lingual {measure_title(measure)}, against the encoder as it comes, of pairs of languages"
    yield f"{where}: {what} with {listed(kinds)}: {'; '.join(parts)}."


def _kept(where: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Say how the kept languages change where the others are left out."""
    if not one["kept"]:
        return
    changes = (
        (f"{PANELS[setting]} with {strategy} batches", setting, figures["change"])
        for strategy, found in one["strategies"].items()
        for setting, figures in found["kept"].items()
    )
    yield f"{where}: on the kept languages, against training on all, {_verdicts(changes)}."


def _strategies(where: str, compared: Mapping[str, Any], name: str) -> Iterator[str]:
    """Say where the reference strategy differs from the others on left-out languages."""
    for strategy, settings in compared["against"].get(name, {}).items():
        changes = ((PANELS[setting], setting, found) for setting, found in settings.items())
        against = f"{compared['reference']} against {strategy} batches"
        yield f"{where}: on the left-out languages, {against}, {_verdicts(changes)}."


def _sets(benchmark: str, compared: Mapping[str, Any]) -> Iterator[str]:
    """Say where a set costs more or less than the first."""
    for name, strategies in compared["sets"].items():
        changes = (
            (f"{PANELS[setting]} with {strategy} batches", setting, found)
            for strategy, settings in strategies.items()
            for setting, found in settings.items()
        )
        place = f"without {name} in place of {compared['first']}"
        yield f"{benchmark}: {place}, on the same left-out languages, {_verdicts(changes)}."


def _verdicts(changes: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    """Say what is significantly better and worse: a name, a setting and a tested difference each."""
    found: dict[str | None, list[str]] = {}
    for name, setting, change in changes:
        sized = f"{name} ({signed(change['value'], setting)}{_seeds(change)})"
        found.setdefault(change["verdict"], []).append(sized)
    said = [
        f"significantly {word} in {listed(found[word], NAMED)}"
        for word in ("better", "worse")
        if word in found
    ]
    return " and ".join(said) or "no significant difference"


def _names(codes: Iterable[str]) -> str:
    return listed([language_name(code) for code in codes])
