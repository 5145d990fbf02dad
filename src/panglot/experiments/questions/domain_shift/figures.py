"""The figures of ``domain-shift``: groups lined up query by query, and what each loses outside its domain.

Specific models are put together into one system, in which the queries of a language are answered by that
language's model. It has a row wherever an agnostic model has one, of the same query and pool, so that the two
are compared in pairs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panglot.errors import PanglotError
from panglot.evaluation import ALL, Evaluation
from panglot.evaluation.cells import ROW_COLUMNS, Array, averages, cell_means, cells_of, stack, values_of
from panglot.evaluation.compare import ALPHA
from panglot.evaluation.confidence import RESAMPLES, Interval, interval, resample
from panglot.evaluation.significance import holm, same_rows
from panglot.experiments.findings import Findings, Groups
from panglot.experiments.runs import HELD_OUT, ZERO_SHOT

AGNOSTIC = "agnostic"
AGNOSTIC_MONOLINGUAL = "agnostic, monolingual"  # tells the number of models and the kind of batches apart
PERTURBED = "held-out, perturbed"
MONOLINGUAL, CROSSLINGUAL = "monolingual", "crosslingual"
WHOLE = (ZERO_SHOT, AGNOSTIC, AGNOSTIC_MONOLINGUAL)  # groups of which one model has all languages
WIDTH = 1.96  # standard errors from the middle of a normal 95 % interval to its end


@dataclass(frozen=True)
class Shift:
    """One way out of the domain: what every group reaches inside and outside.

    Attributes:
        title: what is outside, such as ``xquad-r``.
        setting: ``monolingual`` or ``crosslingual``, inside and outside.
        measure: in which both are given.
        scopes: ``*`` for the mean of all languages, then each query language.
        inside: by group ``(R + 1, scopes)``: the figures, then R resamples of items.
        outside: the same; its items are drawn apart from those inside.
    """

    title: str
    setting: str
    measure: str
    scopes: tuple[str, ...]
    inside: Mapping[str, Array]
    outside: Mapping[str, Array]


def specific(budget: str, language: str | None = None) -> str:
    """Name the group of specific models of a budget, or of one language among them."""
    return f"specific{'' if language is None else f' {language}'}, equal {budget}"


def setting_of(groups: Groups) -> str:
    """Return the setting that a benchmark is compared in: monolingual where it has that."""
    table = groups[AGNOSTIC][0].per_query
    own = pc.equal(table["query_language"], table["pool"])
    return MONOLINGUAL if pc.any(own).as_py() else CROSSLINGUAL


def languages_of(groups: Groups) -> tuple[str, ...]:
    """Return the query languages of a benchmark, sorted."""
    return tuple(sorted(pc.unique(groups[AGNOSTIC][0].per_query["query_language"]).to_pylist()))


def line_up(
    groups: Groups, budgets: Sequence[str], setting: str, measure: str, languages: Sequence[str] | None = None
) -> dict[str, list[Evaluation]]:
    """Return evaluations of the same rows for every group, one a seed.

    Args:
        groups: of a benchmark, as findings have them.
        budgets: of specific models; each becomes one group.
        setting: whose rows are kept.
        measure: whose column is kept.
        languages: of queries and pools; None: all.

    Raises:
        PanglotError: specific models were measured on other queries than agnostic ones.
    """
    kept = languages_of(groups) if languages is None else tuple(languages)
    reference = _rows(groups[AGNOSTIC][0], setting, measure, kept)
    tables = {g: [_rows(e, setting, measure, kept) for e in groups[g]] for g in WHOLE if g in groups}
    for budget in budgets:
        of_language = [[(e, x) for e in groups[specific(budget, x)]] for x in kept]
        tables[specific(budget)] = [
            pa.concat_tables([_rows(e, setting, measure, kept, x) for e, x in of_seed])
            for of_seed in zip(*of_language, strict=True)
        ]
    benchmark = groups[AGNOSTIC][0].results["benchmark"]
    return {
        group: [
            _evaluation(_ordered(table, reference, group), group, setting, measure, benchmark)
            for table in of_group
        ]
        for group, of_group in tables.items()
    }


def _rows(
    evaluation: Evaluation, setting: str, measure: str, languages: Sequence[str], only: str | None = None
) -> pa.Table:
    """Return a setting's rows with queries in some languages (or ``only`` one) and pools in those."""
    table = evaluation.per_query.select([*ROW_COLUMNS, measure])
    query, pool = table["query_language"], table["pool"]
    own = pc.equal(query, pool)
    among = pc.is_in(query, pa.array(languages if only is None else [only]))
    kept = pc.and_(among, pc.is_in(pool, pa.array(languages)))
    return table.filter(pc.and_(kept, own if setting == MONOLINGUAL else pc.invert(own)))


def _ordered(table: pa.Table, reference: pa.Table, group: str) -> pa.Table:
    """Put rows in the order of the reference, with its item numbers: a language read alone has its own."""
    keys = [zip(t["query_id"].to_pylist(), t["pool"].to_pylist(), strict=True) for t in (reference, table)]
    items = dict(zip(keys[0], reference["item"].to_pylist(), strict=True))
    found = pa.array([items.get(key) for key in keys[1]], pa.int64())
    if not found.null_count:
        table = table.set_column(table.column_names.index("item"), "item", found)
        ordered = same_rows(reference, table)
        if ordered is not None:
            return ordered
    raise PanglotError(f"{group}: was measured on other queries than {AGNOSTIC}; run it again.")


def _evaluation(
    table: pa.Table, group: str, setting: str, measure: str, benchmark: Mapping[str, Any]
) -> Evaluation:
    cells = cells_of(table)
    mean = averages(cell_means(cells, values_of(table, measure)), np.ones((1, len(cells)), bool))
    settings = {setting: {measure: float(mean[0])}}
    return Evaluation({"benchmark": benchmark, "model": {"name": group}, "settings": settings}, table)


def shifts(findings: Findings, budgets: Sequence[str], measure: str) -> list[Shift]:
    """Return every way out of the domain: changed queries, then benchmarks, each with all groups."""
    inside = findings[HELD_OUT]
    found = []
    if PERTURBED in findings:
        found += _perturbed(findings[PERTURBED], budgets)
    for place, (title, groups) in enumerate(findings.items(), 1):
        if title in (HELD_OUT, PERTURBED):
            continue
        setting, languages = setting_of(groups), languages_of(groups)
        found.append(
            Shift(
                title,
                setting,
                measure,
                (ALL, *languages),
                _drawn(line_up(inside, budgets, setting, measure, languages), 0),
                _drawn(line_up(groups, budgets, setting, measure), place),
            )
        )
    return found


def _drawn(lined: Groups, seed: int) -> dict[str, Array]:
    """Return every group's mean and that of each query language, again and again over resampled items."""
    cells = cells_of(lined[AGNOSTIC][0].per_query)
    languages = np.unique(cells.query_language)
    masks = {ALL: np.ones(len(cells), bool), **{x: cells.query_language == x for x in languages}}
    found = {}
    for group, evaluations in lined.items():
        column = evaluations[0].per_query.column_names[-1]
        values = np.mean([values_of(e.per_query, column) for e in evaluations], axis=0)
        found[group] = resample(cells, values, stack(masks, cells), RESAMPLES, seed)[0]
    return found


def _perturbed(groups: Groups, budgets: Sequence[str]) -> list[Shift]:
    """Return a shift for each kind of change.

    Results hold no figures of changed queries one by one, but the change of each language with its interval.
    So resamples of the change are normal ones, by these intervals. The error of a mean over languages and
    seeds is taken as the mean of their errors, and groups as independent though they have the same queries:
    both make intervals wider than they need be.
    """
    first = groups[AGNOSTIC][0].results["perturbed"]
    measure = str(next(iter(first.values()))["measure"])
    languages = languages_of(groups)
    inside = _drawn(line_up(groups, budgets, MONOLINGUAL, measure), 0)
    found = []
    for place, kind in enumerate(first):
        outside = {}
        for number, group in enumerate(inside):
            normal = np.random.default_rng([place, number]).standard_normal(RESAMPLES)
            change = np.array([_change(_models(groups, group, x), kind, x) for x in languages])
            change = np.concatenate([change.mean(axis=0, keepdims=True), change])
            drawn = change[:, 0] + np.concatenate([[0.0], normal])[:, None] * change[:, 1]
            outside[group] = inside[group] + drawn
        scopes = (ALL, *languages)
        found.append(Shift(f"{HELD_OUT}, {kind}", MONOLINGUAL, measure, scopes, inside, outside))
    return found


def _models(groups: Groups, group: str, language: str) -> Sequence[Evaluation]:
    """Return the evaluations, one a seed, of the model that answers a language's queries."""
    return groups[group if group in groups else group.replace("specific", f"specific {language}", 1)]


def _change(evaluations: Sequence[Evaluation], kind: str, language: str) -> tuple[float, float]:
    """Return what a kind of change does to a language's figure, and its standard error; means over seeds."""
    found = [e.results["perturbed"][kind]["by_language"][language][MONOLINGUAL] for e in evaluations]
    errors = [(figure["high"] - figure["low"]) / (2 * WIDTH) for figure in found]
    return float(np.mean([figure["change"] for figure in found])), float(np.mean(errors))


def losses(found: Sequence[Shift]) -> list[dict[str, Any]]:
    """Say what each group loses in each shift, as plain data.

    Returns:
        a shift each: ``title``, ``setting``, ``measure``, ``languages`` and, in ``groups``, by group and
        scope: ``inside``, ``outside``, ``drop`` (inside minus outside) and ``relative`` (the drop as a share
        of inside). But for the encoder as it comes: ``gain_inside`` and ``gain_outside`` over it,
        ``gain_drop``, and ``kept``, the share of the gain that there is outside (None where the interval of
        the gain inside does not lie above 0). But for the agnostic model: ``further``, how much more drops
        than for that, with ``p`` (normal, by the spread of the resamples), ``p_holm`` (over all shifts and
        groups, for all languages together and for single ones apart) and ``verdict``.
    """
    shown: list[dict[str, Any]] = [
        {
            "title": shift.title,
            "setting": shift.setting,
            "measure": shift.measure,
            "languages": list(shift.scopes[1:]),
            "groups": {
                group: {scope: _loss(shift, group, k) for k, scope in enumerate(shift.scopes)}
                for group in shift.inside
            },
        }
        for shift in found
    ]
    tested = [
        (scope == ALL, figures["further"])
        for shift in shown
        for of_group in shift["groups"].values()
        for scope, figures in of_group.items()
        if figures["further"] is not None
    ]
    for whole in (True, False):
        family = [further for is_whole, further in tested if is_whole == whole]
        corrected = holm(np.array([further["p"] for further in family]))
        for further, p in zip(family, corrected.tolist(), strict=True):
            further["p_holm"] = p
            verdict = "worse" if further["value"] > 0 else "better"
            further["verdict"] = verdict if p < ALPHA else None
    return shown


def _loss(shift: Shift, group: str, k: int) -> dict[str, Any]:
    inside, outside = shift.inside[group][:, k], shift.outside[group][:, k]
    base_inside, base_outside = shift.inside[ZERO_SHOT][:, k], shift.outside[ZERO_SHOT][:, k]
    drop = inside - outside
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = drop / inside
    figures: dict[str, Any] = {
        "inside": _plain(interval(inside)),
        "outside": _plain(interval(outside)),
        "drop": _plain(interval(drop)),
        "relative": _plain(interval(relative)) if inside[0] > 0 else None,
        "further": None,
    }
    if group == ZERO_SHOT:
        return figures
    gain_inside, gain_outside = inside - base_inside, outside - base_outside
    figures["gain_inside"] = _plain(interval(gain_inside))
    figures["gain_outside"] = _plain(interval(gain_outside))
    some = figures["gain_inside"]["low"] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        figures["kept"] = _plain(interval(gain_outside / gain_inside)) if some else None
    figures["gain_drop"] = _plain(interval(gain_inside - gain_outside))
    if group != AGNOSTIC:
        further = drop - (shift.inside[AGNOSTIC][:, k] - shift.outside[AGNOSTIC][:, k])
        figures["further"] = {**_plain(interval(further)), "p": _normal_p(further)}
    return figures


def _normal_p(drawn: Array) -> float:
    """Return the two-sided p of a difference whose resamples follow it in an array."""
    spread = float(np.nanstd(drawn[1:]))
    value = abs(float(drawn[0]))
    if spread <= 1e-12:
        return 1.0 if value <= 1e-12 else 0.0
    return math.erfc(value / (spread * math.sqrt(2)))


def _plain(found: Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}
