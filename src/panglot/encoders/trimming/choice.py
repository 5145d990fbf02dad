"""Which pieces of a vocabulary a choice of texts or languages needs."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import regex
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel

from panglot.data import IntArray, ParallelPairs
from panglot.encoders.load import passage_prompt, query_prompt
from panglot.encoders.trimming.tokenizer import (
    KINDS,
    State,
    is_byte_level,
    pieces_of,
    stuck_pieces,
    unknown_id,
)
from panglot.errors import PanglotError
from panglot.files import decoded
from panglot.files import lines_of as read_lines
from panglot.languages import MIXED_SCRIPTS, script

SHARED = frozenset({"Latn", "Zyyy", "Zinh"})  # Latin names are in any text; digits and marks have no script
SPACE, HALF = "▁", "\ufffd"
SLICE = 1024  # rows read at a time


@dataclass(frozen=True)
class Vocabulary:
    """How an encoder reads texts.

    Attributes:
        state: the tokenizer in the JSON form of ``tokenizers``.
        pieces: text of each id.
        read: texts to ids with those put around them, however long.
        unknown: the id that stands for what has no piece.
        tokenizer: reads texts of any length.
    """

    state: State
    pieces: list[str]
    read: Callable[[list[str]], list[list[int]]]
    unknown: int | None
    tokenizer: Tokenizer


def vocabulary_of(model: SentenceTransformer) -> Vocabulary:
    """Return how an encoder reads texts.

    Raises:
        PanglotError: it is not a transformer with a fast tokenizer of a known kind.
    """
    module: Any = model[0]
    tokenizer: Any = getattr(module, "tokenizer", None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer) or not hasattr(module, "model"):
        raise PanglotError(
            f"A model that reads text with {type(tokenizer or module).__name__} cannot be trimmed. "
            "Use a transformer with a fast tokenizer (a tokenizer.json)."
        )
    state: State = json.loads(backend.to_str())
    if state["model"]["type"] not in KINDS:
        raise PanglotError(
            f"a tokenizer of the kind {state['model']['type']} cannot be trimmed; only {KINDS}."
        )
    whole = Tokenizer.from_str(json.dumps(state))
    whole.no_truncation()
    whole.no_padding()
    numbers = pieces_of(state)
    pieces = [""] * (max(numbers.values()) + 1)
    for piece, number in numbers.items():
        pieces[number] = piece
    read = partial(_read, whole)
    return Vocabulary(state, pieces, read, unknown_id(state), whole)


def _read(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [one.ids for one in tokenizer.encode_batch_fast(texts)]


def texts_of(model: SentenceTransformer, pairs: ParallelPairs, rows: IntArray) -> list[str]:
    """Return queries, passages and negatives of some rows, each behind its prompt."""
    query, passage = query_prompt(model), passage_prompt(model)
    negatives = [text for texts in pairs.negatives(rows) for text in texts] if pairs.has_negatives else []
    return [
        *(query + text for text in pairs.texts("query", rows)),
        *(passage + text for text in (*pairs.texts("passage", rows), *negatives)),
    ]


def slices(pairs: ParallelPairs) -> Iterator[IntArray]:
    """Cut the rows of the pairs into short runs."""
    rows = pairs.index.rows
    for start in range(0, len(rows), SLICE):
        yield rows[start : start + SLICE]


def count_pieces(vocabulary: Vocabulary, texts: Iterable[list[str]]) -> IntArray:
    """Count how often each id is needed to read some texts: ``(pieces,)``.

    A text that occurs several times counts once. Pieces at which WordPiece gets stuck are needed too.
    """
    counts = np.zeros(len(vocabulary.pieces), np.int64)
    seen: set[int] = set()
    for some in texts:
        fresh = {hash(text): text for text in some if hash(text) not in seen}
        seen.update(fresh)
        read = vocabulary.read(list(fresh.values()))
        needed = [number for ids in read for number in ids]
        for text, ids in zip(fresh.values(), read, strict=True):
            if vocabulary.unknown in ids:
                needed += stuck_pieces(vocabulary.state, vocabulary.tokenizer, text)
        counts += np.bincount(np.array(needed, np.int64), minlength=len(counts))
    return counts


def lines_of(path: Path) -> list[str]:
    """Return the texts of a plain text file (or .gz, .zst), a text a line; blank lines are left out."""
    return [line.strip("\r\n") for _, line in decoded(read_lines(path), str(path)) if line.strip()]


def scripts_of(languages: Sequence[str]) -> frozenset[str]:
    """Return the scripts (ISO 15924) that languages are usually written in: Japanese has three."""
    usual = [script(code) for code in languages]
    return frozenset(part for name in usual for part in MIXED_SCRIPTS.get(name, (name,)))


def ids_in_scripts(vocabulary: Vocabulary, scripts: Iterable[str], *, single: bool) -> set[int]:
    """Return the ids of the pieces whose letters are all in some scripts, or in those that all texts share.

    Args:
        scripts: ISO 15924 codes.
        single: only pieces of one character, with which any word can be spelled. Where pieces are bytes, the
            parts of characters are left out then; otherwise all of them are in.
    """
    classes = "".join(rf"\p{{Script={name}}}" for name in sorted({*scripts} | SHARED))
    inside = regex.compile(f"[{classes}]*")
    surface = _surface(vocabulary.state)
    out = set()
    for number, piece in enumerate(vocabulary.pieces):
        text = surface(piece)
        fits = len(text) == 1 and text != HALF if single else piece  # no piece where numbers leave a gap
        if fits and inside.fullmatch(text):
            out.add(number)
    return out


def _surface(state: State) -> Callable[[str], str]:
    """Return a function from a piece to the text that it stands for, without marks of where words begin."""
    if is_byte_level(state):
        decoder = ByteLevel()
        return lambda piece: str(decoder.decode([piece])).strip(" ")
    prefix = state["model"].get("continuing_subword_prefix") or ""
    suffix = state["model"].get("end_of_word_suffix") or ""
    return lambda piece: piece.removeprefix(prefix).removesuffix(suffix).replace(SPACE, "")
