"""What ``domain-shift`` says: sentences that follow from its figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from panglot.evaluation import ALL
from panglot.experiments.questions.domain_shift.figures import AGNOSTIC, AGNOSTIC_MONOLINGUAL, specific
from panglot.experiments.runs import HELD_OUT, ZERO_SHOT
from panglot.report.blocks import number
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title, p_text

FORM = ".4f"
FEW = 3  # seeds below which small differences are open
Compared = Mapping[tuple[str, str], Mapping[str, Any]]  # by benchmark and setting
BySeed = Mapping[tuple[str, str], Mapping[str, Sequence[float]]]
Losses = Sequence[Mapping[str, Any]]


def said(compared: Compared, seeds: BySeed, lost: Losses, budgets: Sequence[str]) -> list[str]:
    """Say who is better inside and outside, who loses more on the way, and how sure that is."""
    groups = [specific(budget) for budget in budgets]
    found = [_headline(group, compared) for group in [*groups, AGNOSTIC_MONOLINGUAL]]
    found += [_count(group, lost) for group in groups]
    found += _cautions(seeds, lost)
    found += [_level(key, parts, seeds[key]) for key, parts in compared.items()]
    found += [_loss(shift) for shift in lost]
    found += [line for key, parts in compared.items() for line in _languages(key, parts, groups)]
    return found


def _headline(group: str, compared: Compared) -> str:
    """Say where the agnostic model is better than a group, where worse, and where neither shows."""
    where: dict[str | None, list[str]] = {"worse": [], "better": [], None: []}
    for key, parts in compared.items():
        where[parts["compared"][group]["settings"][key[1]]["verdict"]].append(place(*key))
    words = {
        "worse": "significantly better",
        "better": "significantly worse",
        None: "not significantly different",
    }
    said_so = [f"{words[verdict]} on {listed(places)}" for verdict, places in where.items() if places]
    return f"Against '{group}', the agnostic model is {'; '.join(said_so)}."


def _level(key: tuple[str, str], compared: Mapping[str, Any], seeds: Mapping[str, Sequence[float]]) -> str:
    """Say what every group reaches on a benchmark, and whether it differs from the agnostic model."""
    runs = {group: parts["settings"][key[1]] for group, parts in compared["compared"].items()}
    parts = [f"agnostic {number(runs[AGNOSTIC]['value'], FORM)}"]
    for group, found in runs.items():
        if group == AGNOSTIC:
            continue
        change = f"{number(found['difference'], '+' + FORM)}, {p_text(found['p_holm'])}"
        steady = _steady(seeds[group], seeds[AGNOSTIC], found["difference"])
        verdict = found["verdict"] or "not significant"
        doubt = ", not in every seed" if found["verdict"] and not steady else ""
        parts.append(f"'{group}' {number(found['value'], FORM)} ({change}: {verdict}{doubt})")
    measure = measure_title(compared["measure"])
    return f"{place(*key)}, {measure} over {_codes(compared)}: {'; '.join(parts)}."


def _steady(of_group: Sequence[float], of_agnostic: Sequence[float], difference: float) -> bool:
    """Say whether seed by seed the difference has the sign of the mean's; one figure stands for all seeds."""
    count = max(len(of_group), len(of_agnostic))
    one, other = (list(v) * count if len(v) == 1 else list(v) for v in (of_group, of_agnostic))
    return all((a - b) * difference > 0 for a, b in zip(one, other, strict=True))


def _loss(shift: Mapping[str, Any]) -> str:
    """Say what every group reaches inside and outside, what of its gain is left, and who loses more."""
    parts = []
    for group, scopes in shift["groups"].items():
        found = scopes[ALL]
        text = f"'{group}' {_way(found['inside'], found['outside'])}"
        if found["relative"] is not None:
            text += f" ({number(-found['relative']['value'], '+.1%')})"
        if group != ZERO_SHOT:
            text += f", gain {_way(found['gain_inside'], found['gain_outside'], '+')}"
            text += f" ({number(found['kept']['value'], '.0%')} kept)" if found["kept"] else ""
        if found["further"] is not None:
            text += f", {_further(found['further'])}"
        parts.append(text)
    languages = listed(shift["languages"])
    way = f"From {place(HELD_OUT, shift['setting'])} to {shift['title']}, over {languages}"
    what = f"{measure_title(shift['measure'])} and its gain over the encoder as it comes"
    return f"{way}: {what} are, for {'; '.join(parts)}."


def _way(inside: Mapping[str, float], outside: Mapping[str, float], sign: str = "") -> str:
    return f"{number(inside['value'], sign + FORM)} to {number(outside['value'], sign + FORM)}"


def _further(further: Mapping[str, Any]) -> str:
    p = p_text(further["p_holm"])
    if further["verdict"] is None:
        change = number(further["value"], "+" + FORM)
        return f"a drop not significantly other than agnostic's ({change}, {p})"
    word = "more" if further["value"] > 0 else "less"
    return f"a drop {number(abs(further['value']), FORM)} {word} than agnostic's ({p})"


def _count(group: str, lost: Losses) -> str:
    """Count the shifts in which a group loses less, or more, than the agnostic model."""
    found = [(shift["title"], shift["groups"][group][ALL]["further"]["verdict"]) for shift in lost]
    parts = []
    for verdict, words in (("better", "significantly less"), ("worse", "significantly more")):
        titles = [title for title, its in found if its == verdict]
        parts.append(f"{words} in {len(titles)}{f' ({listed(titles)})' if titles else ''}")
    return f"Of {len(found)} shifts, '{group}' drops {' and '.join(parts)} than the agnostic model."


def _languages(key: tuple[str, str], compared: Mapping[str, Any], groups: Sequence[str]) -> Iterator[str]:
    """Say in which languages specific models differ from the agnostic one, where there is more than one."""
    for group in groups:
        of_language = compared["compared"][group]["by_language"]
        if len(of_language) < 2:
            continue
        parts = [
            f"significantly {verdict} in "
            f"{listed(codes, len(codes)) if len(codes) < len(of_language) else 'every language'}"
            for verdict in ("better", "worse")
            if (codes := [x for x, found in of_language.items() if found[key[1]]["verdict"] == verdict])
        ]
        said_so = " and ".join(parts) or "not significantly different in any language"
        yield f"{place(*key)}: '{group}' is {said_so} against agnostic."


def _cautions(seeds: BySeed, lost: Losses) -> Iterator[str]:
    """Say what the figures do not carry."""
    count = min(len(of[AGNOSTIC]) for of in seeds.values())
    few = " With so few, small differences stay open." if count < FEW else ""
    yield (
        f"Every trained model is a mean over {count} seed{'' if count == 1 else 's'}; "
        f"intervals and tests are over items, not over seeds.{few}"
    )
    yield (
        "A model that gains less inside the domain has less to lose: a smaller drop is a merit only where "
        "what is reached outside is not less."
    )
    narrow = [f"{s['title']} ({s['languages'][0]})" for s in lost if len(s["languages"]) == 1]
    if narrow:
        yield f"Of one language only, and so of one specific model: {listed(narrow)}."


def place(title: str, setting: str) -> str:
    """Name a benchmark and the setting that is looked at."""
    return f"{title} ({SETTING_NAMES[setting]})"


def _codes(compared: Mapping[str, Any]) -> str:
    return listed(list(compared["compared"][AGNOSTIC]["by_language"]))
