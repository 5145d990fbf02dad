"""Figures of Elmahdy, Lin and Ahmad (2024) and of LAReQA (Roy et al. 2020), as data of the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd

from panglot.data.catalogue import entry_named
from panglot.errors import PanglotError
from panglot.languages import language_name
from panglot.report.figures import with_panels, with_texts
from panglot.report.tables import Table, wide

SOURCES = {
    "Elmahdy et al.": "Elmahdy, Lin, Ahmad (2024), Synergistic Approach for Simultaneous Optimization of "
    "Monolingual, Cross-lingual, and Multilingual Information Retrieval, arXiv 2408.10536",
    "Roy et al.": "Roy et al. (2020), LAReQA, arXiv 2004.05484; fine-tuned mBERT, mAP in the pool of all "
    "languages",
}


@dataclass(frozen=True)
class Reference:
    """Published figures on one benchmark.

    Attributes:
        figures: a row each: ``model``, ``source``, ``setting``, ``measure`` (AP or rank distance), ``value``.
        sources: in full, by the short form that rows have.
        note: what to keep in mind.
    """

    figures: pd.DataFrame
    sources: Mapping[str, str]
    note: str


def reference_for(benchmark: Mapping[str, Any]) -> Reference:
    """Return what is published on a benchmark: means over its languages.

    Raises:
        PanglotError: nothing is published on it, or on other languages or candidates.
    """
    with files("panglot.report").joinpath("published.csv").open(encoding="utf-8") as file:
        figures = pd.read_csv(file)
    name = str(benchmark["name"])
    found = figures[figures["benchmark"] == name].drop(columns="benchmark").reset_index(drop=True)
    if not len(found):
        raise PanglotError(
            f"the paper has no figures on '{name}'; leave --reference out (it has xquad-r and mlqa-r)."
        )
    languages = sorted(entry_named(name).languages)
    if sorted(benchmark["languages"]) != languages:
        names = ", ".join(map(language_name, languages))
        raise PanglotError(
            f"the paper's figures on {name} cover all its languages ({names}), so the pools differ; "
            "evaluate without --languages, or leave --reference out."
        )
    if benchmark["candidate_text"] != "sentence":
        raise PanglotError(
            f"the paper ranks sentences, but these results rank '{benchmark['candidate_text']}'; leave "
            "--reference out."
        )
    sources = {short: SOURCES[short] for short in dict.fromkeys(found["source"])}
    note = "Trained on other data, with other batches and budgets: no comparison like for like."
    return Reference(found, sources, note)


def beside_published(own: pd.DataFrame, reference: Reference, name: str = "reference") -> Table:
    """Show runs above published figures on the same benchmark.

    Args:
        own: rows with ``run``, ``setting``, ``measure`` (AP or rank distance) and ``value``.
    """
    own = own[["run", "setting", "measure", "value"]].rename(columns={"run": "model"})
    rows = with_panels(pd.concat([own.assign(source="this report"), reference.figures]))
    shown = wide(with_texts(rows, form=".3f", distance=",.1f"), ["model", "source"], "panel")
    note = " ".join([*(f"{short}: {full}." for short, full in reference.sources.items()), reference.note])
    title = "Beside published figures (mAP)"
    return Table(name, title, shown.rename(columns={"source": "from"}), rows, 2, note)
