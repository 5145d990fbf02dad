"""What an index remembers of the model that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panglot import encoders
from panglot.errors import PanglotError
from panglot.parse import validated
from panglot.search.documents.document import short_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SCHEMA = 1


@dataclass(frozen=True)
class IndexFacts:
    """Whose vectors an index holds."""

    name: str  # of the model
    sha256: str  # of its weights
    prompts: dict[str, str]  # before queries and passages, ``query`` and ``passage``
    max_length: int | None  # tokens at which it cuts; None for no limit
    dimension: int  # of a vector
    centring: str | None  # checksum of the language means taken away; None for none
    length: int  # tokens in a passage, at most
    languages: tuple[str, ...] = ()  # codes of all passages that it has or had
    truncate_dim: int | None = None  # to which vectors are cut; None for whole ones

    def as_json(self) -> dict[str, Any]:
        """Return what an engine keeps."""
        return {"schema": SCHEMA, **asdict(self), "languages": list(self.languages)}

    def with_languages(self, codes: Sequence[str]) -> IndexFacts:
        """Return the facts with more languages."""
        return replace(self, languages=tuple(sorted({*self.languages, *codes})))


def facts_from_json(value: dict[str, Any], place: str) -> IndexFacts:
    """Read what an engine kept."""
    rest = {name: inner for name, inner in value.items() if name != "schema"}
    if value.get("schema") != SCHEMA:
        raise PanglotError(f"{place}: is an index of another version of panglot; make it again.")
    return validated(IndexFacts, rest, place, fix="delete the index and make it again")


def facts_of(
    model: SentenceTransformer, name: str, length: int, means: encoders.LanguageMeans | None = None
) -> IndexFacts:
    """Describe a new index."""
    dimension = model.get_embedding_dimension()
    assert dimension is not None
    return IndexFacts(
        name=name,
        sha256=encoders.model_sha256(model),
        prompts=encoders.prompts_of(model),
        max_length=encoders.max_length_of(model),
        dimension=dimension,
        centring=None if means is None else means_digest(means),
        length=length,
        truncate_dim=model.truncate_dim,
    )


def means_digest(means: encoders.LanguageMeans) -> str:
    """Return a checksum of language means."""
    parts = [means.model_sha256]
    for role in (means.query, means.passage):
        parts += [*role.languages, role.vectors.tobytes().hex(), role.texts.astype("<i8").tobytes().hex()]
    return short_digest(*parts)


def own_means(name: str) -> encoders.LanguageMeans:
    """Return the language means in a model's folder."""
    if not encoders.holds_language_means(Path(name)):
        raise PanglotError(f"'{name}' has no language means; compute them with panglot centre.")
    return encoders.load_language_means(name)


def check_same(facts: IndexFacts, other: IndexFacts, place: str) -> None:
    """Raise a ``PanglotError`` where vectors of one model would meet an index of another."""
    fix = "use that one, or make another index"
    if facts.sha256 != other.sha256:
        raise PanglotError(
            f"{place}: holds vectors of the model '{facts.name}' (sha256 {facts.sha256[:12]}), not of "
            f"'{other.name}' ({other.sha256[:12]}); {fix}."
        )
    for field, words in (
        ("prompts", "prompts"),
        ("max_length", "maximum length"),
        ("dimension", "dimension"),
    ):
        if getattr(facts, field) != getattr(other, field):
            raise PanglotError(
                f"{place}: holds vectors made with the {words} {getattr(facts, field)!r}, not "
                f"{getattr(other, field)!r}; {fix}."
            )
    if facts.centring != other.centring:
        how = "centred, perhaps by other language means" if facts.centring else "not centred"
        raise PanglotError(f"{place}: its vectors are {how}; index and search alike, or make another index.")
