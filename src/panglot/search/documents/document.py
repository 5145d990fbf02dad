"""What is read, and what is searched for."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

Metadata = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A part of a document: the heading above it ("" where there is none) and its text."""

    heading: str
    text: str


@dataclass(frozen=True)
class Document:
    """A text as it was found."""

    id: str  # of the document, at most 256 bytes
    sections: tuple[Section, ...]  # its text, in order
    title: str = ""  # "" where there is none
    language: str | None = None  # a BCP-47 code; None where nothing says it
    source: str = ""  # the file that it comes from
    metadata: Metadata = field(default_factory=dict)  # whatever else is known: JSON values by name
    where: str = ""  # file and line, for messages


@dataclass(frozen=True)
class Passage:
    """A piece of a document that is found as a whole."""

    id: str  # the document's id, and ``#`` with a number from the second passage on
    document: str  # the document's id
    text: str  # what is shown
    title: str  # the document's, with the heading above the passage
    language: str  # a BCP-47 code; ``und`` where it is not known
    source: str  # the file that it comes from
    metadata: Metadata  # the document's

    @property
    def encoded(self) -> str:
        """Return what a model reads: the title, where there is one, and the text."""
        return f"{self.title} {self.text}" if self.title else self.text

    def digest(self) -> str:
        """Return a checksum of what is encoded: a passage with the same one keeps its vector."""
        return short_digest(self.encoded, self.language)

    def about(self) -> str:
        """Return a checksum of everything that is kept of a passage."""
        rest = (self.document, self.title, self.source, json.dumps(self.metadata, sort_keys=True))
        return short_digest(self.digest(), *rest)


def is_text(value: str) -> bool:
    """Say whether a text can be kept: no half of a character (a lone surrogate) is in it."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def as_text(value: str) -> str:
    """Return a text in which question marks take the place of what cannot be kept; see ``is_text``."""
    return value.encode("utf-8", "replace").decode()


def short_digest(*parts: str) -> str:
    """Return 32 hexadecimal digits for some texts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()
