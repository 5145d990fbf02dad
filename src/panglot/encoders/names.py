"""What a model's name and card say; nothing here imports torch, so that wrong input is refused at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from panglot.data.catalogue.entry import entry_named, whole_copy
from panglot.encoders.embedded import EMBEDDED
from panglot.errors import PanglotError
from panglot.files import read_whole
from panglot.parse import LARGEST_SETTINGS, parse_yaml

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LASER2 = "laser2"  # an encoder of the catalogue
LOADS = "panglot_name"  # attribute of an encoder: what loads it again
UNNAMED = "unnamed encoder"


def located(name: str) -> str:
    """Return the folder of an encoder of the catalogue; any other name as it is.

    Raises:
        PanglotError: it was not fetched.
    """
    if name != LASER2 or Path(name).exists():
        return name
    if (found := whole_copy(entry_named(LASER2))) is None:
        raise PanglotError(f"'{LASER2}' is not here; fetch it with 'panglot data get {LASER2}'.")
    return str(found)


def check_name(name: str) -> None:
    """Refuse what is neither the embedded encoder, nor a folder or file, nor can be a hub id.

    Raises:
        PanglotError: it is not a model.
    """
    name = located(name)
    path = Path(name)
    in_a_folder = path.parent != Path() and path.parent.is_dir()  # runs/seed-0, where runs exists
    looks_like_a_path = name.count("/") != 1 or name.startswith((".", "/", "~")) or in_a_folder
    if name != EMBEDDED and looks_like_a_path and not path.exists():
        raise PanglotError(
            f"'{name}' is not a model: there is no such folder. "
            f"Name a checkpoint's folder, a hub id (organisation/model) or {EMBEDDED}."
        )


def set_name(model: "SentenceTransformer", name: str) -> None:
    """Note what loads an encoder again, since it was loaded from there or saved to it."""
    setattr(model, LOADS, name)


def name_of(model: "SentenceTransformer") -> str:
    """Return what loads an encoder again; of one that panglot neither loaded nor saved, its base model."""
    return str(getattr(model, LOADS, None) or model.model_card_data.base_model or UNNAMED)


def known_names(name: str) -> list[str]:
    """Return the end of a model's name, and of those that its card names as its base, in lower case.

    Nothing is fetched: only the card in a folder is read.
    """
    card = Path(name) / "README.md"
    return [last_part(name), *map(last_part, base_models(str(card) if card.is_file() else None))]


def last_part(name: str) -> str:
    """Return the last part of a path or hub id, in lower case."""
    return name.rstrip("/").rsplit("/", 1)[-1].lower()


def base_models(card: str | None) -> list[str]:
    """Return the ``base_model`` of a model card: one name, several, or none."""
    if card is None:
        return []
    text = read_whole(Path(card), LARGEST_SETTINGS).decode("utf-8", "replace")
    try:  # a card that cannot be read names nothing
        head = parse_yaml(text.split("\n---")[0].removeprefix("---"), card) if text.startswith("---") else {}
    except PanglotError:
        return []
    base = head.get("base_model") if isinstance(head, dict) else None
    return [str(one) for one in (base if isinstance(base, list) else [base] if base else [])]


def card_head(languages: Sequence[str], tags: Sequence[str], base_model: str | None = None) -> str:
    """Return the front matter of a model card: YAML, in which the language no has to be quoted."""
    head = {
        **({"language": list(languages)} if languages else {}),
        **({"base_model": base_model} if base_model else {}),
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["sentence-transformers", *tags],
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"
