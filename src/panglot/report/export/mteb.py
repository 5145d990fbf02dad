"""Results as mteb keeps them (``TaskResult``, in folders by model and revision), and benchmarks as its tasks.

mteb averages over the subsets of a task. So each setting is a task of its own, and its subsets are the query
languages (monolingual, multilingual) or the pairs of languages (cross-lingual): mteb's mean is panglot's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import langcodes
import numpy as np

from panglot.data import Benchmark, IntArray, load_benchmark
from panglot.data.suite import SETTINGS
from panglot.errors import PanglotError, needs, of_kind
from panglot.evaluation.mteb_models import SPLIT, task_metadata
from panglot.evaluation.results import check_of_model
from panglot.files import write_json
from panglot.languages import script

if TYPE_CHECKING:
    from mteb.abstasks import AbsTaskRetrieval

Subset = tuple[str, int | None, int | None]  # its name; language of the queries and of the pool, None for all
MTEB = {"AP": "map", "nDCG": "ndcg", "R": "recall", "RR": "mrr", "Success": "hit_rate"}
NAMES = {**MTEB, "Complete": "complete"}  # the last only on the hub
MAIN = "nDCG@10"  # the main score of mteb's retrieval tasks; the first measure where results lack it
DIGITS = 6  # as mteb rounds


def write_mteb(
    results: Sequence[Mapping[str, Any]],
    folder: str | Path,
    *,
    task: str | None = None,
    split: str = "test",
    revision: str | None = None,
) -> list[Path]:
    """Write results into a folder of mteb's results: ``FOLDER/model/revision/task.json``.

    Args:
        results: of any models and benchmarks.
        task: name of the tasks, to which the setting is added. (default: the benchmark's name)
        revision: of the model. (default: the checksum of its weights)

    Returns:
        the files written.

    Raises:
        PanglotError: a name that no file can have, or two results that would be one file; nothing is written.
    """
    files: dict[Path, dict[str, Any]] = {}
    for found in results:
        model = found["model"]
        of_model = revision or str(model.get("sha256") or "no_revision_available")
        place = Path(folder) / str(model["name"]).strip("/").replace("/", "__").replace(" ", "_")
        _check_name(place.name, "model")
        _check_name(of_model, "revision")
        for of_task in task_results(found, task=task, split=split):
            _check_name(of_task["task_name"], "task")
            path = place / of_model / f"{of_task['task_name']}.json"
            if path in files:
                raise PanglotError(
                    f"{path}: two of the results would write this file; export one of them with another "
                    "--output, --revision or --task."
                )
            files[path] = of_task
        files[place / of_model / "model_meta.json"] = _model_meta(model, of_model)
    for path, content in files.items():
        write_json(path, content)
    return list(files)


def task_results(
    results: Mapping[str, Any], *, task: str | None = None, split: str = "test"
) -> list[dict[str, Any]]:
    """Return results as mteb's ``TaskResult`` objects, one a setting that the benchmark has.

    ``mteb_version`` is None, since mteb measured nothing, and so is the time that it took.

    Raises:
        PanglotError: lists that were reranked or balanced are not the model's own.
    """
    check_of_model(results)
    benchmark = results["benchmark"]
    name = task or str(benchmark["name"])
    measured = next((list(figures) for figures in results["settings"].values() if figures), [])
    measures = [name for name in measured if name.partition("@")[0] in MTEB]  # those that mteb has
    main = MAIN if MAIN in measures else measures[0] if measures else None
    created = results.get("created")
    return [
        {
            "dataset_revision": str(benchmark["sha256"]),
            "task_name": f"{name}-{setting}",
            "mteb_version": None,
            "scores": {split: [_scores(*subset, main) for subset in _figures(results, setting, measures)]},
            "evaluation_time": None,
            "kg_co2_emissions": None,
            "date": datetime.fromisoformat(created).timestamp() if created else None,
            "evaluation_phases": None,
        }
        for setting, figures in results["settings"].items()
        if figures and main is not None
    ]


def _figures(
    results: Mapping[str, Any], setting: str, measures: Sequence[str]
) -> Iterator[tuple[str, list[str], dict[str, float]]]:
    """Give name, languages and figures of each subset of a setting."""
    if setting == "crosslingual":
        matrix = results["matrix"]
        for x, row in matrix[measures[0]].items():
            for y in row:
                if y != x:
                    figures = {measure: matrix[measure][x][y] for measure in measures}
                    yield f"{x}-{y}", [with_script(x), with_script(y)], figures
        return
    for code, by_setting in results["by_language"].items():
        if by_setting.get(setting):
            figures = {measure: by_setting[setting][measure] for measure in measures}
            yield code, [with_script(code)], figures


def _scores(
    name: str, languages: list[str], figures: Mapping[str, float], main: str | None
) -> dict[str, Any]:
    scores = {mteb_name(measure): round(float(value), DIGITS) for measure, value in figures.items()}
    return {**scores, "main_score": scores[mteb_name(str(main))], "hf_subset": name, "languages": languages}


def mteb_name(measure: str) -> str:
    """Return what mteb and cards of the hub call a measure: ``ndcg_at_10`` for ``nDCG@10``."""
    name, _, cut = measure.partition("@")
    return f"{NAMES[name]}_at_{cut}" if cut else NAMES[name]


def with_script(code: str) -> str:
    """Return a language as mteb writes it: ``deu-Latn`` for ``de``."""
    return f"{langcodes.Language.get(code, normalize=False).to_alpha3()}-{script(code)}"


def _model_meta(model: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """Return what mteb keeps of a model, as far as results know it."""
    unknown = (
        *("release_date", "languages", "n_parameters", "memory_usage_mb", "embed_dim", "license"),
        *("open_weights", "public_training_code", "public_training_data", "training_datasets"),
    )
    return {
        "loader": None,
        "name": str(model["name"]),
        "revision": revision,
        **dict.fromkeys(unknown),
        "max_tokens": model.get("max_length"),
        "framework": ["Sentence Transformers", "PyTorch"],
        "similarity_fn_name": "cosine",
        "use_instructions": any((model.get("prompts") or {}).values()),
    }


def _check_name(name: str, kind: str) -> None:
    if not re.fullmatch(r"[^/\\\x00]+", name) or name in (".", ".."):
        raise PanglotError(f"'{name}' cannot be the name of a {kind} in mteb's folders; give another one.")


# tasks


def mteb_tasks(benchmark: Benchmark | str, settings: Sequence[str] = SETTINGS) -> list[AbsTaskRetrieval]:
    """Return a benchmark as tasks of mteb 2, one a setting, for ``mteb.evaluate(model, tasks)``.

    The subsets of a task are query languages (monolingual, multilingual) or language pairs (cross-lingual),
    and its score is mteb's mean over them, which is panglot's figure. The pool of the multilingual task holds
    the passages in all languages. mteb's ``map_at_1000`` looks at 1,000 passages, and panglot's AP at all.

    Args:
        benchmark: with Q queries, or the name of one whose data is at hand.
        settings: which tasks; those that the benchmark lacks are left out.

    Raises:
        PanglotError: mteb is not installed, an unknown setting, or a benchmark whose queries leave passages
            out of the pool, which mteb cannot.
    """
    needs("mteb", "mteb")
    if unknown := set(settings) - set(SETTINGS):
        raise PanglotError(f"'{min(unknown)}' is not a setting; use {', '.join(SETTINGS)}.")
    benchmark = of_kind(benchmark, load_benchmark, Benchmark)
    if (benchmark.gains < 0).any():
        raise PanglotError(
            f"{benchmark.name}: some queries leave passages out of the pool, which mteb cannot; "
            "use panglot evaluate."
        )
    found = ((setting, list(_subsets(benchmark, setting))) for setting in settings)
    return [_task(benchmark, setting, subsets) for setting, subsets in found if subsets]


def _subsets(benchmark: Benchmark, setting: str) -> Iterator[Subset]:
    """Yield the subsets of a setting that hold a relevant passage for some query."""
    codes = benchmark.languages
    relevant = benchmark.gains > 0
    asked = benchmark.queries.languages[benchmark.judged_query[relevant]]
    pools = benchmark.passages.languages[benchmark.judged_passage[relevant]]
    cells = set(zip(asked.tolist(), pools.tolist(), strict=True))
    if setting == "multilingual":
        if len(codes) > 1:
            yield from ((codes[x], x, None) for x in sorted({x for x, _ in cells}))
    elif setting == "monolingual":
        yield from ((codes[x], x, x) for x, y in sorted(cells) if x == y)
    else:
        yield from ((f"{codes[x]}-{codes[y]}", x, y) for x, y in sorted(cells) if x != y)


def _task(benchmark: Benchmark, setting: str, subsets: Sequence[Subset]) -> AbsTaskRetrieval:
    """Make a class of mteb's for a setting, as mteb keeps metadata with classes, and an object of it."""
    from mteb.abstasks import AbsTaskRetrieval

    codes = benchmark.languages
    languages = {
        name: [with_script(codes[k]) for k in dict.fromkeys((x, x if y is None else y)) if k is not None]
        for name, x, y in subsets
    }
    what = f"{benchmark.name}, as panglot measures it in the {setting} setting."
    metadata = task_metadata(benchmark, f"{benchmark.name}-{setting}", what, languages)

    def load_data(self: Any, *_: Any, **__: Any) -> None:
        if not self.data_loaded:
            wanted = [subset for subset in subsets if subset[0] in self.hf_subsets]
            self.dataset = {name: {SPLIT: _data(benchmark, x, y)} for name, x, y in wanted}
            self.data_loaded = True

    made = type(
        f"Panglot{setting.title()}", (AbsTaskRetrieval,), {"metadata": metadata, "load_data": load_data}
    )
    return made()


def _data(benchmark: Benchmark, x: int | None, y: int | None) -> dict[str, Any]:
    """Return queries in a language, the pool in another (None: all), and judgements, as mteb has them."""
    from datasets import Dataset

    queries, passages = benchmark.queries, benchmark.passages
    of_query = np.flatnonzero(queries.languages == x)
    of_pool = np.arange(len(passages)) if y is None else np.flatnonzero(passages.languages == y)
    asked = np.isin(benchmark.judged_query, of_query) & np.isin(benchmark.judged_passage, of_pool)
    judged: dict[str, dict[str, int]] = {}
    rows = (benchmark.judged_query, benchmark.judged_passage, benchmark.gains)
    for q, p, gain in zip(*(column[asked & (benchmark.gains > 0)].tolist() for column in rows), strict=True):
        judged.setdefault(queries.ids[q], {})[passages.ids[p]] = gain

    def table(ids: Sequence[str], texts: Sequence[str], kept: IntArray) -> Dataset:
        return Dataset.from_dict({"id": [ids[k] for k in kept], "text": [texts[k] for k in kept]})

    return {
        "queries": table(queries.ids, queries.texts, of_query),
        "corpus": table(passages.ids, passages.titled(), of_pool),
        "relevant_docs": judged,
        "top_ranked": None,
    }
