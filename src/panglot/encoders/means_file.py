"""The mean embeddings of a model's languages, and the file that keeps them beside the model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

from panglot.data import IntArray
from panglot.encoders.encode import FloatArray
from panglot.encoders.load import model_sha256, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.files import written_whole

MEANS_FILE = "language_means.safetensors"
FORMAT = 1


@dataclass(frozen=True)
class RoleMeans:
    """Mean embeddings of queries or of passages, language by language.

    Attributes:
        languages: L codes, sorted.
        vectors: ``(L, d)`` float32, the plain means of unit vectors.
        texts: ``(L,)`` how many texts each is the mean of, at least 1.
    """

    languages: tuple[str, ...]
    vectors: FloatArray
    texts: IntArray

    def counts(self, codes: Sequence[str]) -> dict[str, int]:
        """Return the number of texts behind each of some languages; 0 where there is no mean."""
        known = dict(zip(self.languages, self.texts.tolist(), strict=True))
        return {code: known.get(code, 0) for code in codes}


@dataclass(frozen=True)
class LanguageMeans:
    """The means of one model's embeddings, and where they come from.

    Attributes:
        query: means of queries.
        passage: means of passages.
        model_sha256: weights of the model that they belong to; see ``model_sha256``.
        prompts: that stood before the texts, ``query`` and ``passage``.
        sources: ``name`` and ``sha256`` of each set of texts.
    """

    query: RoleMeans
    passage: RoleMeans
    model_sha256: str
    prompts: dict[str, str]
    sources: tuple[dict[str, str], ...]


def save_language_means(path: str | Path, means: LanguageMeans) -> Path:
    """Write means into a folder (a model's own, or any) or a ``.safetensors`` file, and return that file."""
    path = _means_path(path)
    roles = {"query": means.query, "passage": means.passage}
    about = {
        "format": FORMAT,
        "model_sha256": means.model_sha256,
        "prompts": means.prompts,
        "sources": means.sources,
        **{
            role: {"languages": of_role.languages, "texts": of_role.texts.tolist()}
            for role, of_role in roles.items()
        },
    }
    with written_whole(path) as part:
        tensors = {role: np.ascontiguousarray(of_role.vectors) for role, of_role in roles.items()}
        save_file(tensors, part, metadata={"panglot": json.dumps(about, ensure_ascii=False)})
    return path


def load_language_means(path: str | Path) -> LanguageMeans:
    """Read what ``save_language_means`` wrote.

    Raises:
        PanglotError: there are none, or the file is damaged or of another kind.
    """
    path = _means_path(path)
    if not path.is_file():
        raise PanglotError(f"{path}: there are no language means; compute them with panglot centre.")
    try:
        with safe_open(path, "numpy") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {}).get("panglot", "{}"))
            if about.get("format") != FORMAT:
                raise ValueError(f"its format is {about.get('format')}, not {FORMAT}")
            return LanguageMeans(
                query=_role(about["query"], file.get_tensor("query")),
                passage=_role(about["passage"], file.get_tensor("passage")),
                model_sha256=str(about["model_sha256"]),
                prompts=dict(about["prompts"]),
                sources=tuple(about["sources"]),
            )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PanglotError(
            f"{path}: is no file of language means that can be read ({error}); "
            "compute them again with panglot centre."
        ) from error


def holds_language_means(path: str | Path) -> bool:
    """Say whether a path is a file of language means, or a folder with one in it."""
    path = Path(path)
    return path.suffix == ".safetensors" or (path.is_dir() and (path / MEANS_FILE).exists())


def check_means(means: LanguageMeans, model: SentenceTransformer) -> None:
    """Raise a ``PanglotError`` where means belong to other weights or prompts than a model's."""
    mend = "compute them again for this model with panglot centre"
    own = model_sha256(model)
    if means.model_sha256 != own:
        raise PanglotError(
            f"the language means belong to a model with other weights (sha256 {means.model_sha256[:16]}, "
            f"this one has {own[:16]}); {mend}."
        )
    if means.prompts != prompts_of(model):
        raise PanglotError(
            f"the language means were taken with the prompts {means.prompts}, but the model has "
            f"{prompts_of(model)}; {mend}."
        )


def prompts_of(model: SentenceTransformer) -> dict[str, str]:
    """Return the texts that a model wants before queries and before passages."""
    return {"query": query_prompt(model), "passage": passage_prompt(model)}


def _means_path(path: str | Path) -> Path:
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / MEANS_FILE


def _role(about: dict[str, Any], vectors: FloatArray) -> RoleMeans:
    languages, texts = tuple(about["languages"]), np.array(about["texts"], np.int64)
    fitting = vectors.ndim == 2 and len(vectors) == len(languages) == len(texts) and bool((texts > 0).all())
    if not (fitting and np.isfinite(vectors).all()):
        raise ValueError("its vectors do not fit its languages, or are not finite")
    return RoleMeans(languages, vectors.astype(np.float32), texts)
