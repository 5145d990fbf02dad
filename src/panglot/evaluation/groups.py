"""Figures by group of languages: seen in training, script, family, resource class, distance of pairs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.evaluation.cells import (
    ALL,
    Cells,
    Mask,
    cells_of,
    setting_masks,
    stack,
    values_of,
)
from panglot.evaluation.confidence import RESAMPLES, SHARE, bias_columns, bounds, resample
from panglot.languages import family, is_seen, relation, resource_class, writing

Kind = Callable[[str], str | None]
PairKind = Callable[[str, str], str | None]
DISTANCE = "rank_distance"


def training_languages(results: Mapping[str, Any]) -> list[str] | None:
    """Return the languages that a model was fine-tuned on, as its ``run.json`` says; None if it does not.

    What the checkpoint that training began with had seen is another matter, and not known here.
    """
    data = (results["model"].get("training") or {}).get("data")
    if not isinstance(data, list) or not all("languages" in source for source in data):
        return None
    return sorted({code for source in data for code in source["languages"]})


def group_figures(
    results: Mapping[str, Any],
    table: pa.Table,
    *,
    trained_on: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    share: float = SHARE,
    seed: int = 0,
) -> dict[str, Any]:
    """Average figures over groups of languages, with intervals of a bootstrap over items.

    A language stands in one group of each kind; a language that a kind knows nothing of stands in none.
    Monolingual and multilingual figures of a group are means over its query languages; the cross-lingual one
    is the mean over ordered pairs of different languages whose query is in it. Groups of pairs average
    those pairs themselves.

    Args:
        results: of an evaluation; ``model.training`` says what was seen.
        table: its ``per_query`` table.
        trained_on: languages of the training data, where the results do not say.
        resamples: of items.
        share: of the resamples that lie between the bounds.
        seed: of the items drawn.

    Returns:
        ``languages``: by kind (``training``, ``script``, ``family``, ``resource``) and group: ``languages``,
        ``settings`` (by setting and measure) and ``rank_distance``; ``pairs``: by kind (``training``,
        ``script``, ``relation``) and group: the number of ``pairs`` and ``crosslingual`` by measure;
        ``unknown``: by kind, languages without a group. Each figure is ``value``, ``low``, ``high``. The
        kind ``training`` is left out where it is not known what a model was trained on.
    """
    measures = list(next((figures for figures in results["settings"].values() if figures), {}))
    seen = training_languages(results) if trained_on is None else sorted(set(trained_on))
    cells = cells_of(table)
    codes = [str(code) for code in np.unique(cells.query_language)]
    grouped = {name: _grouped(codes, kind) for name, kind in language_kinds(seen).items()}
    paired = {name: _pair_masks(cells, kind) for name, kind in pair_kinds(seen).items()}
    masks: dict[Any, Mask] = {}
    for name, groups in grouped.items():
        for group, members in groups.items():
            own = np.isin(cells.query_language, members)
            masks |= {(name, group, setting): own & mask for setting, mask in setting_masks(cells).items()}
    masks |= {(name, group): mask for name, groups in paired.items() for group, mask in groups.items()}
    columns = [*measures, *(c for c in bias_columns(table, measures) if c == DISTANCE)]
    figures = {column: _figures(cells, table, column, masks, resamples, share, seed) for column in columns}

    def of(key: Any) -> dict[str, Any]:
        return {m: figures[m][key] for m in measures if key in figures[m]}

    distances = figures.get(DISTANCE, {})
    return {
        "languages": {
            name: {
                group: {
                    "languages": members,
                    "settings": {s: of((name, group, s)) or None for s in setting_masks(cells)},
                    DISTANCE: distances.get((name, group, "multilingual")),
                }
                for group, members in groups.items()
            }
            for name, groups in grouped.items()
        },
        "pairs": {
            name: {
                group: {"pairs": int(mask.sum()), "crosslingual": of((name, group))}
                for group, mask in groups.items()
            }
            for name, groups in paired.items()
        },
        "unknown": {
            name: [code for code in codes if not any(code in members for members in groups.values())]
            for name, groups in grouped.items()
        },
    }


def language_kinds(seen: Sequence[str] | None) -> dict[str, Kind]:
    """Return the kinds of groups that a language can stand in."""
    kinds: dict[str, Kind] = {
        "script": writing,
        "family": family,
        "resource": lambda code: None if resource_class(code) is None else str(resource_class(code)),
    }
    if seen is None:
        return kinds
    return {"training": lambda code: "seen" if is_seen(code, seen) else "unseen", **kinds}


def pair_kinds(seen: Sequence[str] | None) -> dict[str, PairKind]:
    """Return the kinds of groups that a pair of query language and pool language can stand in."""
    kinds: dict[str, PairKind] = {
        "relation": relation,
        "script": lambda x, y: "same script" if writing(x) == writing(y) else "other script",
    }
    if seen is None:
        return kinds
    named = ("neither seen", "one seen", "both seen")
    return {"training": lambda x, y: named[is_seen(x, seen) + is_seen(y, seen)], **kinds}


def _grouped(codes: Sequence[str], kind: Kind) -> dict[str, list[str]]:
    """Put languages into groups, the largest group first."""
    groups: dict[str, list[str]] = {}
    for code in codes:
        group = kind(code)
        if group is not None:
            groups.setdefault(group, []).append(code)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def _pair_masks(cells: Cells, kind: PairKind) -> dict[str, Mask]:
    """Say which cells the pairs of each group are, ``(C,)``."""
    groups: dict[str, Mask] = {}
    for place, (x, y) in enumerate(zip(cells.query_language.tolist(), cells.pool.tolist(), strict=True)):
        group = None if y in (x, ALL) else kind(x, y)
        if group is not None:
            groups.setdefault(group, np.zeros(len(cells), bool))[place] = True
    return dict(sorted(groups.items()))


def _figures(
    cells: Cells,
    table: pa.Table,
    column: str,
    masks: Mapping[Any, Mask],
    resamples: int,
    share: float,
    seed: int,
) -> dict[Any, dict[str, float]]:
    """Return value, low and high of each figure that a column has."""
    found, _ = resample(cells, values_of(table, column), stack(masks, cells), resamples, seed)
    low, high = bounds(found, share)
    return {
        key: {"value": float(found[0, k]), "low": float(low[k]), "high": float(high[k])}
        for k, key in enumerate(masks)
        if not np.isnan(found[0, k])
    }
