"""Sentences about what hybrid training is ahead of others: by setting, resource class and language pair."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from panglot.experiments.charts import PANELS
from panglot.experiments.findings import DISTANCE, figure_of
from panglot.experiments.questions.low_resource.groups import LOW, Key, pair_class
from panglot.report.blocks import number
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title, p_text

HYBRID = "hybrid"
FLOOR = 0.05  # of a measure: pairs on which nothing reaches it say little of strategies
NAMED = 12  # pairs that a sentence names
Gains = Mapping[Key, Mapping[str, Any]]  # what ``gain_figures`` returns
VERDICTS = {
    "better": "significantly better than",
    "worse": "significantly worse than",
    None: "not significantly different from",
}


def of_question(benchmark: str, found: Gains, measure: str) -> list[str]:
    """Answer the question for a benchmark's low-resource pairs; nothing where it has no pairs."""
    low = found.get(("side", "low"))
    if low is not None:
        what = f"pairs of low-resource languages (class {LOW} or less), {measure_title(measure)}"
        return [f"{benchmark}, {what}: {said(low, low['against'])}."]
    classes = [key[1] for key in found if key[0] == "class"]
    if classes:
        return [f"{benchmark} has no pair of low-resource languages: its lowest class is {min(classes)}."]
    return []


def of_settings(
    benchmark: str,
    compared: Mapping[str, Any],
    by_seed: Mapping[str, Mapping[str, Sequence[float]]],
    measure: str,
) -> Iterator[str]:
    """Say per setting, and of rank distance, where hybrid stands against all others."""
    for setting, title in PANELS.items():
        found = figure_of(compared["compared"][HYBRID], setting)
        if found is None:
            continue
        against = {
            name: _from_hybrid(figure, _gains(by_seed, name, setting))
            for name, parts in compared["compared"].items()
            if name != HYBRID and (figure := figure_of(parts, setting)) is not None
        }
        what = title if setting == DISTANCE else f"{title} {measure_title(measure)}"
        form = ",.0f" if setting == DISTANCE else ".3f"
        yield f"{benchmark}, {what}: {said(found, against, form)}."


def _gains(by_seed: Mapping[str, Mapping[str, Sequence[float]]], name: str, setting: str) -> list[float]:
    """Return what each seed of hybrid is ahead of the same seed, or of the only run, of another."""
    ours, theirs = (by_seed[group].get(setting, []) for group in (HYBRID, name))
    if len(theirs) != len(ours):
        theirs = [sum(theirs) / len(theirs)] * len(ours) if theirs else []
    return [a - b for a, b in zip(ours, theirs, strict=False)]


def _from_hybrid(figure: Mapping[str, Any], gains: Sequence[float]) -> dict[str, Any]:
    """Turn a difference from hybrid into hybrid's difference from the other."""
    turned = {"better": "worse", "worse": "better", None: None}
    return {
        "difference": -figure["difference"],
        "low": -figure["difference_high"],
        "high": -figure["difference_low"],
        "p_holm": figure["p_holm"],
        "by_seed": gains,
        "verdict": turned[figure["verdict"]],
    }


def said(found: Mapping[str, Any], against: Mapping[str, Any], form: str = ".3f") -> str:
    """Say a figure of hybrid, and by verdict what it is ahead of others, with intervals."""
    parts = []
    for verdict, lead in VERDICTS.items():
        named = [f"{n} ({_difference(f, form)})" for n, f in against.items() if f["verdict"] == verdict]
        parts += [f"{lead} {listed(named)}"] if named else []
    return f"hybrid, {number(found['value'], form)} {_ends(found, form)}, is {'; '.join(parts)}"


def _difference(figure: Mapping[str, Any], form: str) -> str:
    text = f"{number(figure['difference'], '+' + form)} {_ends(figure, form)}"
    if figure["verdict"] is None:
        text += f", {p_text(figure['p_holm'])}"
    up, seeds = sum(gain > 0 for gain in figure["by_seed"]), len(figure["by_seed"])
    return f"{text}, above 0 in {up} of {seeds} seeds" if 0 < up < seeds else text


def _ends(figure: Mapping[str, Any], form: str) -> str:
    return f"[{number(figure['low'], form)}, {number(figure['high'], form)}]"


def of_classes(benchmark: str, found: Gains, measure: str) -> Iterator[str]:
    """Say by resource class of pairs, and of query languages, where hybrid stands."""
    name = measure_title(measure)
    for key, gain in found.items():
        if key[0] == "class":
            pairs = [pair_name(k) for k in found if k[0] == "pair" and class_text(k) == key[1]]
            what = f"{name} of pairs of class {key[1]} ({listed(pairs, NAMED)})"
            yield f"{benchmark}, {what}: {said(gain, gain['against'])}."
    for key, gain in found.items():
        if key[0] == "language" and key[2] != "crosslingual":
            what = f"{SETTING_NAMES[key[2]]} {name} of queries in languages of class {key[1]}"
            yield f"{benchmark}, {what}: hybrid is {_briefly(gain['against'])}."


def _briefly(against: Mapping[str, Any]) -> str:
    named = {verdict: [n for n, f in against.items() if f["verdict"] == verdict] for verdict in VERDICTS}
    return "; ".join(f"{VERDICTS[verdict]} {listed(names)}" for verdict, names in named.items() if names)


def of_contrast(benchmark: str, contrast: Mapping[str, Any], measure: str) -> Iterator[str]:
    """Say whether hybrid gains more on low-resource pairs than on others."""
    if not contrast:
        return
    figures = [
        f"{number(gain['difference'], '+.3f')} {_ends(gain, '.3f')} against {name}"
        for name, gain in contrast.items()
    ]
    sure = [name for name, gain in contrast.items() if gain["low"] > 0 or gain["high"] < 0]
    yield (
        f"{benchmark}, {measure_title(measure)}: what hybrid gains on low-resource pairs minus what it "
        f"gains on all others is {listed(figures)}; the 95 % interval leaves out 0 against "
        f"{listed(sure) or 'none'}."
    )


def of_pairs(benchmark: str, found: Gains, measure: str) -> Iterator[str]:
    """Say against each strategy on which pairs hybrid is ahead, and which pairs none can do."""
    pairs = {pair_name(key): gain for key, gain in found.items() if key[0] == "pair"}
    if not pairs:
        return
    title = measure_title(measure)
    for name in next(iter(pairs.values()))["against"]:
        of = {
            verdict: [pair for pair, gain in pairs.items() if gain["against"][name]["verdict"] == verdict]
            for verdict in VERDICTS
        }
        parts = [f"significantly {v} on {_which(of[v], pairs)}" for v in ("better", "worse") if of[v]]
        parts += [f"not significantly different on {len(of[None])} of {len(pairs)}"] if of[None] else []
        yield f"{benchmark}, {title} pair by pair, hybrid against {name}: {'; '.join(parts)}."
    poor = [pair for pair, gain in pairs.items() if _highest(gain) < FLOOR]
    if poor:
        yield (
            f"{benchmark}: no model reaches {title} {FLOOR} on {listed(poor, NAMED)}; strategies can "
            "hardly differ there."
        )


def _which(chosen: Sequence[str], pairs: Collection[str]) -> str:
    return f"all {len(pairs)}" if len(chosen) == len(pairs) > 1 else listed(chosen, NAMED)


def _highest(gain: Mapping[str, Any]) -> float:
    """Return the best value of all that were compared."""
    return max(
        float(gain["value"] - f["difference"]) for f in ({"difference": 0.0}, *gain["against"].values())
    )


def pair_name(key: Key) -> str:
    """Return what people call a pair of languages."""
    return "–".join(key[1:])


def class_text(key: Key) -> str:
    """Return the lower resource class of a pair as people read it."""
    found = pair_class(key[1], key[2])
    return "unknown" if found is None else str(found)
