"""Results in the front matter of a model card (``model-index``), and models on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CommitOperationAdd, EvalResult, HfApi
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the HTTP library that it uses
)
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from panglot.errors import PanglotError, first_line
from panglot.evaluation.results import check_of_model
from panglot.files import atomic_write
from panglot.parse import parse_yaml
from panglot.report.export.mteb import mteb_name
from panglot.report.figures import SETTING_NAMES
from panglot.training.card import PLACE

CARD, MODULES = "README.md", "modules.json"
LEFT_OUT = ("checkpoints", "parts", "tensorboard")  # what a training run leaves beside the model
FENCE = "---"
KEY = "model-index"
TASK = "sentence-similarity"  # the task that sentence-transformers' models have on the hub
DIGITS = 5


def eval_results(results: Mapping[str, Any], dataset: str | None = None) -> list[EvalResult]:
    """Return a results file's figures in the three settings, and rank distance, as the hub lists them."""
    check_of_model(results)
    benchmark = results["benchmark"]
    dataset = dataset or str(benchmark["name"])

    def result(setting: str, metric: str, name: str, value: float) -> EvalResult:
        return EvalResult(
            task_type=TASK,
            task_name=f"{SETTING_NAMES[setting]} retrieval",
            dataset_type=dataset,
            dataset_name=f"{benchmark['name']} ({', '.join(benchmark['languages'])})",
            dataset_config=setting,
            dataset_revision=str(benchmark["sha256"]),
            metric_type=metric,
            metric_name=name,
            metric_value=round(float(value), DIGITS),
        )

    found = [
        result(setting, mteb_name(measure), f"{SETTING_NAMES[setting]} {measure}", value)
        for setting, figures in results["settings"].items()
        for measure, value in (figures or {}).items()
    ]
    distance = results["bias"].get("rank_distance")
    if distance is not None:
        name = "rank distance (lower is better)"
        found.append(result("multilingual", "rank_distance", name, distance))
    return found


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
        PanglotError: results of several models, two of one benchmark, or front matter that is not what the
            hub reads.
    """
    card = Path(card)
    text = with_results(_read(card), card, results, name=name, dataset=dataset)
    with atomic_write(card) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


def with_results(
    text: str,
    card: Path,
    results: Sequence[Mapping[str, Any]],
    *,
    name: str | None = None,
    dataset: str | None = None,
) -> str:
    """Return the text of a model card with results in its front matter; see ``write_model_index``."""
    # BM25 and mteb's models have no checksum
    models = {str(found["model"]["sha256"] or found["model"]["name"]) for found in results}
    if len(models) != 1:
        raise PanglotError(
            "the results are of several models; name those of the model whose card it is."
            if models
            else "there is nothing to export; name one results file or more."
        )
    known_name, known = _known(_split(text, card)[0], card)
    found = [result for one in results for result in eval_results(one, dataset)]
    new = {_identity(result) for result in found}
    if len(new) < len(found):
        raise PanglotError("two results files are of the same model and benchmark; name one of them.")
    kept = [result for result in known if _identity(result) not in new]
    called = name or known_name or str(results[0]["model"]["name"]).rstrip("/").rsplit("/", 1)[-1]
    return with_field(text, card, KEY, eval_results_to_model_index(called, [*kept, *found]))


def with_field(text: str, card: Path, key: str, value: object) -> str:
    """Return the text of a model card with a field of the front matter replaced; the other lines stay."""
    head, body, newline = _split(text, card)
    kept: list[str] = []
    inside = False
    for line in head:
        if line.startswith((f"{key}:", f"'{key}':", f'"{key}":')):
            inside = True
        elif inside and line.strip() and not line.startswith((" ", "\t", "-", "#")):
            inside = False
        if not inside:
            kept.append(line)
    block = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=110)
    return newline.join([FENCE, *kept, *block.splitlines(), FENCE, ""]) + body


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
    newline = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
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


# the hub


def push_model(
    folder: str | Path,
    repo: str,
    *,
    results: Sequence[Mapping[str, Any]] = (),
    licence: str | None = None,
    private: bool = False,
    revision: str | None = None,
) -> str:
    """Upload a model's folder to the hub in one commit, and make the repository where there is none.

    The card is the folder's README.md, if it has one, with the repository's name where it says how to load
    the model, and with the results as ``model-index``. The folder itself stays as it is.

    Args:
        repo: ``OWNER/NAME``.
        results: contents of results files of this model.
        licence: the hub's name of a licence, such as ``mit``, for the card. (default: what the card says)
        revision: branch to write to; made where there is none. (default: main)

    Returns:
        the address of the commit.

    Raises:
        PanglotError: no finished model, not a name of a repository, results of several models, or the hub
            refuses or cannot be reached.
    """
    folder = Path(folder)
    if not (folder / MODULES).is_file():
        raise PanglotError(
            f"{folder}: holds no finished model ({MODULES} is missing); name a model's folder."
        )
    check_repo(repo)
    own = folder / CARD
    text = _read(own)
    if results:
        text = with_results(text, own, results, name=repo.partition("/")[2])
    if licence is not None:
        text = with_field(text, own, "license", licence)
    files = [CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in model_files(folder)]
    if text:  # else the repository keeps the card that it has
        files.append(CommitOperationAdd(CARD, text.replace(PLACE, repo).encode()))
    api = HfApi()
    try:
        api.create_repo(repo, private=private or None, exist_ok=True)  # None: as the owner prefers
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        message = f"Upload {repo.partition('/')[2]} with panglot"
        return str(api.create_commit(repo, files, commit_message=message, revision=revision).commit_url)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        refused = f"the hub refuses ({first_line(error)}); check the name, and try again."
        if status in (401, 403):
            refused = (
                "the hub refuses to write there; log in with: hf auth login, with a token that may write."
            )
        raise PanglotError(f"{repo}: {refused}") from error
    except (OSError, HTTPError) as error:
        raise PanglotError(
            f"{repo}: the hub cannot be reached ({first_line(error)}); check the network and HF_HUB_OFFLINE."
        ) from error


def check_repo(repo: str) -> None:
    """Raise a ``PanglotError`` where a text is not ``OWNER/NAME``."""
    try:
        validate_repo_id(repo)
        valid = repo.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise PanglotError(f"'{repo}' is not a repository of the hub; write OWNER/NAME, such as me/hybrid.")


def model_files(folder: Path) -> list[Path]:
    """Return the files of a model's folder that are uploaded, the card left out."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts) or path.suffix == ".lock"
        if path.is_file() and not hidden and parts[0] not in LEFT_OUT and parts != (CARD,):
            found.append(path)
    return found


def names_licence(folder: str | Path) -> bool:
    """Say whether the card in a model's folder names a licence."""
    card = Path(folder) / CARD
    return card.is_file() and any(line.startswith("license:") for line in _split(_read(card), card)[0])
