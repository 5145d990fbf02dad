"""The evaluation part of a model card: ``model-index`` in the front matter of a README, in the hub's form."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from panglot.errors import PanglotError
from panglot.files import written_whole
from panglot.parse import parse_yaml
from panglot.report.figures import SETTING_NAMES

FENCE = "---"
KEY = "model-index"
NAMES = {
    "AP": "map",
    "nDCG": "ndcg",
    "R": "recall",
    "RR": "mrr",
    "Success": "hit_rate",
    "Complete": "complete",
}
TASK = "sentence-similarity"  # the task that sentence-transformers' models have on the hub
DIGITS = 5


def eval_results(results: Mapping[str, Any], dataset: str | None = None) -> list[EvalResult]:
    """Return a results file's figures in the three settings, and rank distance, as the hub lists them."""
    benchmark = results["benchmark"]
    found = [
        _result(benchmark, dataset, setting, _called(measure), f"{SETTING_NAMES[setting]} {measure}", value)
        for setting, figures in results["settings"].items()
        for measure, value in (figures or {}).items()
    ]
    distance = results["bias"].get("rank_distance")
    if distance is not None:
        name = "rank distance (lower is better)"
        found.append(_result(benchmark, dataset, "multilingual", "rank_distance", name, distance))
    return found


def _result(
    benchmark: Mapping[str, Any], dataset: str | None, setting: str, measure: str, name: str, value: float
) -> EvalResult:
    return EvalResult(
        task_type=TASK,
        task_name=f"{SETTING_NAMES[setting]} retrieval",
        dataset_type=dataset or str(benchmark["name"]),
        dataset_name=f"{benchmark['name']} ({', '.join(benchmark['languages'])})",
        dataset_config=setting,
        dataset_revision=str(benchmark["sha256"]),
        metric_type=measure,
        metric_name=name,
        metric_value=round(float(value), DIGITS),
    )


def _called(measure: str) -> str:
    name, _, cut = measure.partition("@")
    return f"{NAMES[name]}_at_{cut}" if cut else NAMES[name]


def write_model_index(
    card: str | Path,
    results: Sequence[Mapping[str, Any]],
    *,
    name: str | None = None,
    dataset: str | None = None,
) -> None:
    """Write results into the front matter of a model card, and leave everything else as it is.

    Only the lines of ``model-index`` change: its results on the same data, setting and measure are replaced,
    others stay. A card that does not exist, or has no front matter, gets one.

    Args:
        results: the content of one results file or more, of one model.
        dataset: the benchmark's id on the hub. (default: its name)

    Raises:
        PanglotError: results of several models, or front matter that is not what the hub reads.
    """
    card = Path(card)
    models = {str(found["model"]["sha256"]) for found in results}
    if len(models) != 1:
        raise PanglotError(
            "the results are of several models; name those of the model whose card it is."
            if models
            else "there is nothing to export; name one results file or more."
        )
    text = _read(card)
    head, body, newline = _split(text, card)
    known_name, known = _known(head, card)
    found = [result for one in results for result in eval_results(one, dataset)]
    new = {_identity(result) for result in found}
    kept = [result for result in known if _identity(result) not in new]
    called = name or known_name or str(results[0]["model"]["name"]).rstrip("/").rsplit("/", 1)[-1]
    index = eval_results_to_model_index(called, [*kept, *found])
    lines = _with_field(head, KEY, index)
    with written_whole(card) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(newline.join([FENCE, *lines, FENCE, ""]) + body)


def with_license(text: str, name: str, card: Path) -> str:
    """Return the text of a model card with another ``license`` in its front matter; ``card`` is its path."""
    head, body, newline = _split(text, card)
    return newline.join([FENCE, *_with_field(head, "license", name), FENCE, ""]) + body


def has_license(text: str, card: Path) -> bool:
    """Say whether the front matter of a model card names a licence."""
    return any(line.startswith("license:") for line in _split(text, card)[0])


def _with_field(head: Sequence[str], key: str, value: object) -> list[str]:
    """Return lines of YAML with a value for a key at the top; the others stay."""
    block = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=110)
    return [*_without(head, key), *block.splitlines()]


def _identity(result: EvalResult) -> tuple[str, ...]:
    """Say which figure a result is: a later one of the same data, setting and measure replaces it."""
    keys = (result.task_type, result.dataset_type, result.dataset_config, result.dataset_revision)
    return (*map(str, keys), result.metric_type)


def _read(card: Path) -> str:
    if not card.exists():
        return ""
    if card.is_dir():
        raise PanglotError(f"{card}: is a folder; name the card in it, such as {card / 'README.md'}.")
    try:
        with card.open(encoding="utf-8", newline="") as file:
            return file.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise PanglotError(f"{card}: is not UTF-8 text; name a README.md.") from error


def _split(text: str, card: Path) -> tuple[list[str], str, str]:
    """Return the lines of the front matter, what follows it as it is, and how lines end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    if lines[0].rstrip() != FENCE:
        return [], text, newline
    for k, line in enumerate(lines[1:], 1):
        if line.rstrip() == FENCE:
            return lines[1:k], newline.join(lines[k + 1 :]), newline
    raise PanglotError(f"{card}: its front matter has no end; close it with a line of three hyphens.")


def _known(head: Sequence[str], card: Path) -> tuple[str | None, list[EvalResult]]:
    """Return the name and the results that the front matter holds already."""
    found = parse_yaml("\n".join(head), card, first=2) or {}
    if not isinstance(found, dict):
        raise PanglotError(f"{card}: the front matter is not a list of names and values. Fix it.")
    if not found.get(KEY):
        return None, []
    try:
        return model_index_to_eval_results(found[KEY])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PanglotError(f"{card}: its {KEY} is not in the hub's form. Fix it or remove it.") from error


def _without(head: Sequence[str], key: str) -> list[str]:
    """Return lines of YAML without a key at the top and what belongs to it."""
    kept: list[str] = []
    inside = False
    for line in head:
        if line.startswith((f"{key}:", f"'{key}':", f'"{key}":')):
            inside = True
        elif inside and line.strip() and not line.startswith((" ", "\t", "-", "#")):
            inside = False
        if not inside:
            kept.append(line)
    return kept
