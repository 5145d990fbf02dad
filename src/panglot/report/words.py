"""The report's summary: what is best where, how sure that is, and which languages lose."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from panglot.languages import language_name
from panglot.report.blocks import number
from panglot.report.contents import Contents, Run
from panglot.report.tables import SETTING_NAMES

SETTINGS = SETTING_NAMES
NAMED = 6  # languages that a sentence names; it counts the others
PLACES = {
    "monolingual": "Within one language",
    "crosslingual": "Across two languages",
    "multilingual": "With all languages in one list",
}


def summary(contents: Contents) -> list[str]:
    """Say in a few sentences what a report shows."""
    return [*_settings(contents), *_languages(contents), *_bias(contents.runs), _sure(contents)]


def measure_title(measure: str) -> str:
    """Return what people call a measure: the mean of AP is mAP."""
    return "mAP" if measure == "AP" else measure


def listed(names: Sequence[str], most: int = NAMED) -> str:
    """Join names as in a sentence; of many, name the first and count the others."""
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def p_text(p: float) -> str:
    """Return a p as people write it."""
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".") if p < 1 else "p = 1"


def _settings(contents: Contents) -> Iterator[str]:
    """Say which run is best in each setting, and whether that is more than chance."""
    measure = contents.measure
    for setting in SETTINGS:
        having = [run for run in contents.runs if run.results["settings"].get(setting)]
        if not having:
            continue
        best = max(having, key=lambda run: run.results["settings"][setting][measure])
        value = best.results["settings"][setting][measure]
        low, high = best.bounds["settings"][setting][measure]
        figure = f"{measure_title(measure)} {value:.3f} (95 % interval {low:.3f} to {high:.3f})"
        where = f"{PLACES[setting]} ({SETTINGS[setting]})"
        if contents.compared is None:
            yield f"{where}: {figure}."
        else:
            ahead = _ahead(contents.compared, best, setting)
            yield f"{where}, {best.name} has the highest {figure}, {ahead}."


def _ahead(compared: Mapping[str, Any], best: Run, setting: str) -> str:
    """Say whether the best run differs from the baseline, or the others from it where it is the baseline."""
    baseline = compared["baseline"]
    if best.name != baseline:
        found = compared["compared"][best.name]["settings"][setting]
        gain = f"{number(found['difference'], '+.3f')}, {p_text(found['p_holm'])}"
        if found["verdict"] is None:
            return f"but not significantly more than {baseline} ({gain})"
        return f"significantly more than {baseline} ({gain})"
    others = [name for name in compared["runs"] if name != baseline]
    verdicts = {name: compared["compared"][name]["settings"][setting]["verdict"] for name in others}
    behind = [name for name in others if verdicts[name] == "worse"]
    near = [name for name in others if verdicts[name] is None]
    parts = [f"significantly more than {listed(behind)}"] if behind else []
    parts += [f"{'but ' if behind else ''}not significantly more than {listed(near)}"] if near else []
    return ", ".join(parts)


def _languages(contents: Contents) -> Iterator[str]:
    """Say which languages lose against the baseline; of a single run, which are weakest."""
    if contents.compared is None:
        yield from _weakest(contents.runs[0], contents.measure)
        return
    for name in contents.compared["runs"]:
        if name == contents.compared["baseline"]:
            continue
        lost = _lost(contents.compared["compared"][name]["by_language"])
        against = f"against {contents.compared['baseline']}"
        if lost:
            yield f"Losing significantly with {name} {against}: {'; '.join(lost)}."
        else:
            yield f"No language loses significantly in any setting with {name} {against}."


def _lost(by_language: Mapping[str, Any]) -> list[str]:
    found = []
    for setting, title in SETTINGS.items():
        worse = {
            code: figures[setting]["difference"]
            for code, figures in by_language.items()
            if setting in figures and figures[setting]["verdict"] == "worse"
        }
        names = [
            f"{language_name(code)} ({number(worse[code], '+.3f')})"
            for code in sorted(worse, key=worse.__getitem__)
        ]
        if names:
            found.append(f"{listed(names)} in the {title} setting")
    return found


def _weakest(run: Run, measure: str) -> Iterator[str]:
    settings = [name for name in SETTINGS if run.results["settings"].get(name)]
    if not settings:
        return
    figures = {
        code: found[settings[-1]][measure]
        for code, found in run.results["by_language"].items()
        if found[settings[-1]]
    }
    if len(figures) < 2:
        return
    order = sorted(figures, key=figures.__getitem__)
    weak, strong = (
        listed([f"{language_name(code)} ({figures[code]:.3f})" for code in codes])
        for codes in (
            order[: max(1, min(3, len(order) // 2))],
            order[::-1][: max(1, min(3, len(order) // 2))],
        )
    )
    where = f"the {SETTINGS[settings[-1]]} setting"
    yield f"By query language, {where} is hardest for {weak}, easiest for {strong}."


def _bias(runs: Sequence[Run]) -> Iterator[str]:
    """Say how much each run ranks by language."""
    distances = [
        f"{run.results['bias']['rank_distance']:,.0f} with {run.name}"
        for run in runs
        if run.results["bias"].get("rank_distance") is not None
    ]
    if distances:
        size = runs[0].results["benchmark"]["passages"]
        yield (
            f"Rank distance, from the best to the worst rank of a query's right passages, is on average "
            f"{listed(distances)}, in a pool of {size:,} passages."
        )
    wins = [
        f"{100 * run.results['bias']['own_language_wins']:.0f} % of the time with {run.name}"
        for run in runs
        if run.results["bias"].get("own_language_wins") is not None
    ]
    if wins:
        yield (
            "A passage in the query's own language ranks above an equally relevant one in another language "
            f"{listed(wins)}; without preference it would be 50 %."
        )


def _sure(contents: Contents) -> str:
    items = len(contents.runs[0].table.column("item").unique())
    tests = ""
    if contents.compared is not None:
        alpha = contents.compared["method"]["alpha"]
        tests = f", and “significant” means p < {alpha:g} in a paired test after Holm's correction"
    few = " With so few items, small differences cannot be told from chance." if items < 100 else ""
    return (
        f"How sure: intervals and tests draw whole items ({items:,}), since translations of one question are "
        f"not independent{tests}.{few}"
    )
