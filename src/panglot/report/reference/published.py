"""Figures of Elmahdy, Lin and Ahmad (2024) and of LAReQA (Roy et al. 2020), as data of the package."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from panglot.errors import PanglotError
from panglot.languages import language_name

MODELS = {"xlm-r": "XLM-R", "labse": "LaBSE"}
STRATEGIES = {
    "monolingual": "monolingual batches",
    "crosslingual": "cross-lingual batches",
    "hybrid": "hybrid batches",
}
PAPER = "Elmahdy et al."
LAREQA = "Roy et al."
LAREQA_SOURCE = (
    "Roy et al. (2020), LAReQA, arXiv 2004.05484; fine-tuned mBERT, mAP in the pool of all languages"
)
LAREQA_NAMES = {
    "english": "mBERT, En-En",
    "mixed": "mBERT, X-X",
    "monolingual": "mBERT, X-X-mono",
    "crosslingual": "mBERT, X-Y",
    "translate_test": "translate-test",
}


@dataclass(frozen=True)
class Published:
    """A row of a published table: mAP by setting, and rank distance (None where it is not given)."""

    model: str
    source: str
    settings: Mapping[str, float]
    rank_distance: float | None


@dataclass(frozen=True)
class Reference:
    """Published figures on one benchmark.

    Attributes:
        rows: a model each.
        sources: in full, by the short form that rows have.
        note: what to keep in mind.
    """

    rows: Sequence[Published]
    sources: Mapping[str, str]
    note: str


def reference_for(benchmark: Mapping[str, Any]) -> Reference:
    """Return what is published on a benchmark.

    Args:
        benchmark: as a results file describes it.

    Raises:
        PanglotError: nothing is published on it, or on other languages or candidates.
    """
    tables = _tables()
    name = str(benchmark["name"])
    if name not in ("xquad-r", "mlqa-r"):
        raise PanglotError(
            f"the paper has no figures on '{name}'; leave --reference out (it has xquad-r and mlqa-r)."
        )
    of_benchmark = tables[name]
    languages = sorted(code for code in of_benchmark["xlm-r"] if code != "mean")
    if sorted(benchmark["languages"]) != languages:
        names = ", ".join(language_name(code) for code in languages)
        raise PanglotError(
            f"the paper's figures on {name} are of all its languages ({names}), so that pools differ; "
            "evaluate without --languages, or leave --reference out."
        )
    if benchmark["candidate_text"] != "sentence":
        raise PanglotError(
            f"the paper ranks sentences and these results are of '{benchmark['candidate_text']}'; leave "
            "--reference out."
        )
    rows = [_published(of_benchmark, model, strategy) for model in MODELS for strategy in STRATEGIES]
    sources = {PAPER: str(tables["source"])}
    if name == "xquad-r":
        rows += [
            Published(LAREQA_NAMES[key], LAREQA, {"multilingual": float(value)}, None)
            for key, value in tables["lareqa_map_xquad_r"].items()
        ]
        sources[LAREQA] = LAREQA_SOURCE
    note = (
        "Trained on other data, with other batches and budgets: a neighbourhood, no comparison like for like."
    )
    return Reference(rows, sources, note)


def _published(of_benchmark: Mapping[str, Any], model: str, strategy: str) -> Published:
    mean = of_benchmark[model]["mean"]
    return Published(
        model=f"{MODELS[model]}, {STRATEGIES[strategy]}",
        source=PAPER,
        settings={
            setting: float(mean[f"map_{setting}"][strategy])
            for setting in ("monolingual", "crosslingual", "multilingual")
        },
        rank_distance=float(of_benchmark["rank_distance"]["mean"][model][strategy]),
    )


@cache
def _tables() -> dict[str, Any]:
    text = files("panglot.report.reference").joinpath("paper_tables.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables
