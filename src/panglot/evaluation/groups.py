"""Groups of languages: seen in training, script, family, resource class, distance of pairs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from panglot.data.suite import SETTINGS
from panglot.evaluation.aggregate import ALL, Grouping, Mask, cells_of
from panglot.evaluation.bootstrap import RESAMPLES, estimates
from panglot.evaluation.measures import DISTANCE
from panglot.languages import family, is_seen, relation, resource_class, writing

Kind = Callable[[str], str | None]
PairKind = Callable[[str, str], str | None]
SEEN = ("neither seen", "one seen", "both seen")


def training_languages(results: Mapping[str, Any]) -> list[str] | None:
    """Return the languages that a model was fine-tuned on, as its ``run.json`` says; None if it does not.

    What the checkpoint that training began with had seen is another matter, and not known here.
    """
    data = (results["model"].get("training") or {}).get("data")
    if not isinstance(data, list) or not all("languages" in source for source in data):
        return None
    return sorted({code for source in data for code in source["languages"]})


def language_kinds(seen: Sequence[str] | None) -> dict[str, Kind]:
    """Return the kinds of groups that a language can be in."""
    kinds: dict[str, Kind] = {
        "script": writing,
        "family": family,
        "resource": lambda code: None if resource_class(code) is None else str(resource_class(code)),
    }
    if seen is None:
        return kinds
    return {"training": lambda code: "seen" if is_seen(code, seen) else "unseen", **kinds}


def pair_kinds(seen: Sequence[str] | None) -> dict[str, PairKind]:
    """Return the kinds of groups that a pair of query language and pool language can be in."""
    kinds: dict[str, PairKind] = {
        "relation": relation,
        "script": lambda x, y: "same script" if writing(x) == writing(y) else "other script",
    }
    if seen is None:
        return kinds
    return {"training": lambda x, y: SEEN[is_seen(x, seen) + is_seen(y, seen)], **kinds}


def query_groups(kind: Kind) -> Grouping:
    """Group cells by a kind of the query's language; a language without a group is left out."""

    def grouping(cells: pd.DataFrame) -> dict[str, Mask]:
        return _masks([kind(code) for code in cells["query_language"]])

    return grouping


def pair_groups(kind: PairKind) -> Grouping:
    """Group cells of two different languages by a kind of the pair."""

    def grouping(cells: pd.DataFrame) -> dict[str, Mask]:
        pairs = zip(cells["query_language"], cells["pool"], strict=True)
        return _masks([None if y in (x, ALL) else kind(x, y) for x, y in pairs])

    return grouping


def named_languages(groups: Mapping[str, Sequence[str]]) -> Grouping:
    """Group cells whose query is in some languages, by the name of each set of languages."""

    def grouping(cells: pd.DataFrame) -> dict[str, Mask]:
        return {name: cells["query_language"].isin(codes).to_numpy() for name, codes in groups.items()}

    return grouping


def _masks(names: Sequence[str | None]) -> dict[str, Mask]:
    of_cells = np.array(names, dtype=object)
    return {name: of_cells == name for name in sorted({name for name in names if name is not None})}


def group_figures(
    results: Mapping[str, Any],
    table: pa.Table,
    *,
    trained_on: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Average figures over groups of languages, with intervals of a bootstrap over items.

    A language is in one group of each kind; a language that a kind knows nothing of is in none.
    Monolingual and multilingual figures of a group are means over its query languages; the cross-lingual one
    is the mean over ordered pairs of different languages whose query is in it. Groups of pairs average
    those pairs themselves.

    Args:
        trained_on: languages of the training data, where the results do not say.

    Returns:
        ``languages``: by kind (``training``, ``script``, ``family``, ``resource``) and group: ``languages``,
        ``settings`` (by setting and measure) and ``rank_distance``; ``pairs``: by kind (``training``,
        ``script``, ``relation``) and group: the number of ``pairs`` and ``crosslingual`` by measure;
        ``unknown``: by kind, languages without a group. Each figure is ``value``, ``low``, ``high``. The
        kind ``training`` is left out where it is not known what a model was trained on.
    """
    measures = list(next((figures for figures in results["settings"].values() if figures), {}))
    seen = training_languages(results) if trained_on is None else sorted(set(trained_on))
    columns = [*measures, *([DISTANCE] if DISTANCE in table.column_names else [])]
    of_languages, of_pairs = language_kinds(seen), pair_kinds(seen)
    groupings = {f"languages {name}": query_groups(kind) for name, kind in of_languages.items()}
    groupings |= {f"pairs {name}": pair_groups(kind) for name, kind in of_pairs.items()}
    found = estimates(table, columns, groupings, resamples=resamples, seed=seed)
    named = found.set_index(["family", "group", "setting", "measure"])[["value", "low", "high"]]
    figures: dict[Any, dict[str, float]] = named.to_dict("index")

    def of(*key: str) -> dict[str, Any]:
        return {name: figures[*key, name] for name in measures if (*key, name) in figures}

    frame = cells_of(table).frame
    codes = sorted(set(frame["query_language"]))
    grouped = {
        name: {group: [c for c in codes if kind(c) == group] for group in {kind(c) for c in codes} - {None}}
        for name, kind in of_languages.items()
    }
    return {
        "languages": {
            name: {
                str(group): {
                    "languages": members,
                    "settings": {s: of(f"languages {name}", str(group), s) or None for s in SETTINGS},
                    DISTANCE: figures.get((f"languages {name}", str(group), "multilingual", DISTANCE)),
                }
                for group, members in sorted(groups.items(), key=lambda one: (-len(one[1]), str(one[0])))
            }
            for name, groups in grouped.items()
        },
        "pairs": {
            name: {
                group: {"pairs": int(mask.sum()), "crosslingual": of(f"pairs {name}", group, "crosslingual")}
                for group, mask in groupings[f"pairs {name}"](frame).items()
            }
            for name in of_pairs
        },
        "unknown": {
            name: [code for code in codes if not any(code in members for members in groups.values())]
            for name, groups in grouped.items()
        },
    }
