"""How languages that were left out of training fare: what they gain, and how much of the gain remains."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from panglot.experiments.charts import PANELS
from panglot.experiments.questions.unseen_languages.values import (
    PAIRS,
    Difference,
    LeftOutSet,
    Values,
    Where,
    figure_of,
    retained,
    tested,
)


def reach(
    values: Values,
    sets: Sequence[LeftOutSet],
    strategies: Sequence[str],
    baseline: str,
    group: Callable[[str, str | None], str],
) -> dict[str, Any]:
    """Say how languages left out of training fare, how kept ones do, and how sets and strategies differ.

    Args:
        values: of one benchmark.
        sets: that it has left-out languages of.
        strategies: each trained with all languages, and without each set.
        baseline: group of the encoder as it comes.
        group: name of a strategy's group without a set, or with all languages (None).

    Returns:
        plain data. ``sets``: by name, ``seen``, ``left_out``, ``kept`` (codes) and, by strategy, ``left out``
        and ``kept`` (by setting), ``by_language`` (by left-out language and setting) and ``pairs`` (by what
        was seen); each place holds the figures of three models, and what ``tested`` says of ``gain`` (over
        the encoder as it comes) and ``change`` (against all languages). ``strategies`` and
        ``against_first``: what ``tested`` says of strategies and of sets. Each of these is a family of
        Holm's correction, gains and changes apart, and so are groups, single languages and pairs.
    """
    families: dict[tuple[str, str], list[tuple[Difference, dict[str, Any]]]] = {}
    found: dict[str, Any] = {}
    for one in sets:
        described = {"seen": list(one.seen), "left_out": list(one.left_out), "kept": list(one.kept)}
        found[one.name] = {**described, "strategies": {}}
        for strategy in strategies:
            without, whole = group(strategy, one.name), group(strategy, None)
            parts: dict[str, Any] = {"left out": {}, "kept": {}, "by_language": {}, "pairs": {}}
            found[one.name]["strategies"][strategy] = parts
            for family, into, where in _places(values, one, parts):
                into[where[1]] = _place(values, without, whole, baseline, where)
                for kind, other in (("gain", baseline), ("change", whole)):
                    member = (Difference(without, other, where), into[where[1]])
                    families.setdefault((family, kind), []).append(member)
    for (_, kind), members in families.items():
        results = tested(values, [difference for difference, _ in members])
        for difference, figures in members:
            figures[kind] = results[difference]
    return {
        "sets": found,
        "strategies": _between_strategies(values, sets, strategies, group),
        "against_first": _between_sets(values, sets, strategies, group),
    }


def reference(strategies: Sequence[str]) -> str:
    """Return the strategy that the others are compared with."""
    return "hybrid" if "hybrid" in strategies else strategies[-1]


def _places(
    values: Values, one: LeftOutSet, parts: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], Where]]:
    """Give the family of each place of a set, the part that it stands in, and the place itself."""
    for part, codes in (("left out", one.left_out), ("kept", one.kept)):
        for where in _having(values, codes, PANELS):
            yield "groups", parts[part], where
    for code in one.left_out:
        for where in _having(values, (code,), PANELS):
            yield "by_language", parts["by_language"].setdefault(code, {}), where
    for where in _having(values, one.seen, PAIRS):
        yield "pairs", parts["pairs"], where


def _having(values: Values, codes: tuple[str, ...], names: Iterable[str]) -> list[Where]:
    return [(codes, name) for name in names if (codes, name) in values.masks]


def _place(values: Values, without: str, whole: str, baseline: str, where: Where) -> dict[str, Any]:
    """Return the figures of a place: of three models, the gain with all languages, and what remains of it."""
    full = values.drawn[whole, where] - values.drawn[baseline, where]
    return {
        baseline: figure_of(values.drawn[baseline, where]),
        "all languages": figure_of(values.drawn[whole, where]),
        "without": figure_of(values.drawn[without, where]),
        "full_gain": figure_of(full),
        "retained": retained(values, without, whole, baseline, where),
    }


def _between_strategies(
    values: Values,
    sets: Sequence[LeftOutSet],
    strategies: Sequence[str],
    group: Callable[[str, str | None], str],
) -> dict[str, Any]:
    """Compare the reference strategy with the others on left-out languages: by set, strategy and setting."""
    first = reference(strategies)
    wanted = {
        Difference(group(first, one.name), group(strategy, one.name), where): (one.name, strategy)
        for one in sets
        for strategy in strategies
        if strategy != first
        for where in _having(values, one.left_out, PANELS)
    }
    return {"reference": first, "against": _nested(values, wanted)}


def _between_sets(
    values: Values,
    sets: Sequence[LeftOutSet],
    strategies: Sequence[str],
    group: Callable[[str, str | None], str],
) -> dict[str, Any]:
    """Compare sets with the first where the same languages are measured: by set, strategy and setting."""
    wanted = {
        Difference(group(strategy, one.name), group(strategy, sets[0].name), where): (one.name, strategy)
        for one in sets[1:]
        if one.left_out == sets[0].left_out
        for strategy in strategies
        for where in _having(values, one.left_out, PANELS)
    }
    return {"first": sets[0].name, "sets": _nested(values, wanted)}


def _nested(values: Values, wanted: Mapping[Difference, tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for difference, figure in tested(values, list(wanted)).items():
        outer, inner = wanted[difference]
        found.setdefault(outer, {}).setdefault(inner, {})[difference.where[1]] = figure
    return found
