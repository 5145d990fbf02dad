"""Results as mteb keeps them: one ``TaskResult`` a task, in folders by model and revision.

mteb averages over the subsets of a task. So each setting is a task of its own, and its subsets are the query
languages (monolingual, multilingual) or the pairs of languages (cross-lingual): mteb's mean is panglot's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import langcodes

from panglot.errors import PanglotError
from panglot.files import write_json
from panglot.languages import script

NAMES = {"nDCG": "ndcg", "R": "recall", "RR": "mrr", "Success": "hit_rate"}  # AP is map: it has no cut-off
MAIN = "nDCG@10"  # the main score of mteb's retrieval tasks; the first measure where results lack it
DIGITS = 6  # as mteb rounds


def write_mteb(
    results: Mapping[str, Any],
    folder: str | Path,
    *,
    task: str | None = None,
    split: str = "test",
    revision: str | None = None,
) -> list[Path]:
    """Write results into a folder of mteb's results: ``FOLDER/model/revision/task.json``.

    Args:
        task: name of the tasks, to which the setting is added. (default: the benchmark's name)
        revision: of the model. (default: the checksum of its weights)

    Returns:
        the files written.

    Raises:
        PanglotError: a name that no file can have.
    """
    model = results["model"]
    of_model = revision or str(model.get("sha256") or "no_revision_available")
    place = Path(folder) / str(model["name"]).strip("/").replace("/", "__").replace(" ", "_")
    _check_name(place.name, "model")
    _check_name(of_model, "revision")
    written = []
    for found in task_results(results, task=task, split=split):
        _check_name(found["task_name"], "task")
        path = place / of_model / f"{found['task_name']}.json"
        write_json(path, found)
        written.append(path)
    meta = place / of_model / "model_meta.json"
    write_json(meta, _model_meta(model, of_model))
    return [*written, meta]


def task_results(
    results: Mapping[str, Any], *, task: str | None = None, split: str = "test"
) -> list[dict[str, Any]]:
    """Return results as mteb's ``TaskResult`` objects, one a setting that the benchmark has.

    ``mteb_version`` is None, since mteb measured nothing, and so is the time that it took.
    """
    benchmark = results["benchmark"]
    name = task or str(benchmark["name"])
    measured = next((list(figures) for figures in results["settings"].values() if figures), [])
    measures = [name for name in measured if name.partition("@")[0] in ("AP", *NAMES)]  # those that mteb has
    main = MAIN if MAIN in measures else measures[0] if measures else None
    created = results.get("created")
    return [
        {
            "dataset_revision": str(benchmark["sha256"]),
            "task_name": f"{name}-{setting}",
            "mteb_version": None,
            "scores": {split: [_scores(*subset, main) for subset in _subsets(results, setting, measures)]},
            "evaluation_time": None,
            "kg_co2_emissions": None,
            "date": datetime.fromisoformat(created).timestamp() if created else None,
            "evaluation_phases": None,
        }
        for setting, figures in results["settings"].items()
        if figures and main is not None
    ]


def _subsets(
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
    scores = {_called(measure): round(float(value), DIGITS) for measure, value in figures.items()}
    return {**scores, "main_score": scores[_called(str(main))], "hf_subset": name, "languages": languages}


def _called(measure: str) -> str:
    """Return what mteb calls a measure: ``ndcg_at_10`` for ``nDCG@10``."""
    name, _, cut = measure.partition("@")
    return f"{NAMES[name]}_at_{cut}" if cut else "map"


def with_script(code: str) -> str:
    """Return a language as mteb writes it: ``deu-Latn`` for ``de``."""
    return f"{langcodes.Language.get(code, normalize=False).to_alpha3()}-{script(code)}"


def _model_meta(model: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """Return what mteb keeps of a model, as far as results know it."""
    unknown = (
        "release_date",
        "languages",
        "n_parameters",
        "memory_usage_mb",
        "embed_dim",
        "license",
        "open_weights",
        "public_training_code",
        "public_training_data",
        "training_datasets",
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
