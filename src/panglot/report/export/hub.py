"""A model on the hub: its files and its card in one commit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the HTTP library that it uses
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from panglot.errors import PanglotError, first_line
from panglot.report.export.model_index import has_license, with_license, write_model_index
from panglot.training.card import PLACE

CARD, MODULES = "README.md", "modules.json"
LEFT_OUT = ("checkpoints", "tensorboard")  # what a training run leaves beside the model


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

    The card is the folder's README.md, with the repository's name where it says how to load the model, and
    with the results as ``model-index``. The folder itself stays as it is.

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
    card = card_for(folder, repo, results, licence)
    files = [
        CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in model_files(folder)
    ] + [CommitOperationAdd(CARD, card.encode())]
    api = HfApi()
    try:
        api.create_repo(repo, private=private or None, exist_ok=True)  # None: as the owner prefers
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        message = f"Upload {repo.partition('/')[2]} with panglot"
        return str(api.create_commit(repo, files, commit_message=message, revision=revision).commit_url)
    except HfHubHTTPError as error:
        raise PanglotError(f"{repo}: {_refusal(error)}") from error
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


def card_for(folder: Path, repo: str, results: Sequence[Mapping[str, Any]], licence: str | None) -> str:
    """Return the card that goes to the hub; see ``push_model``."""
    own = folder / CARD
    with tempfile.TemporaryDirectory() as place:
        card = Path(place) / CARD
        if own.exists():
            shutil.copyfile(own, card)
        if results:
            write_model_index(card, results, name=repo.partition("/")[2])
        text = card.read_text(encoding="utf-8") if card.exists() else ""
    if licence is not None:
        text = with_license(text, licence, own)
    return text.replace(PLACE, repo)


def names_licence(folder: str | Path) -> bool:
    """Say whether the card in a model's folder names a licence."""
    card = Path(folder) / CARD
    return card.is_file() and has_license(card.read_text(encoding="utf-8"), card)


def _refusal(error: HfHubHTTPError) -> str:
    """Say what the hub refused and what helps."""
    status = error.response.status_code if error.response is not None else 0
    if status in (401, 403):
        return "the hub refuses to write there; log in with: hf auth login, with a token that may write."
    return f"the hub refuses ({first_line(error)}); check the name, and try again."
