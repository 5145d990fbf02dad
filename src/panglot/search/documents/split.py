"""Documents cut into passages: whole sentences, as many as fit into so many tokens; and their language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from statistics import mode
from typing import TYPE_CHECKING, Any

import regex

from panglot import encoders
from panglot.errors import PanglotError, needs
from panglot.languages import is_language, primary_language
from panglot.search.documents.document import Document, Passage, Section, short_digest
from panglot.translate.segments import Segment, cut

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LENGTH = 256  # tokens
SHORTEST = 16
FEW = 12  # tokens: a section with fewer is not a passage of its own
MEASURE = 1 << 14  # a text with more characters than that is not measured whole
NUMBERED = regex.compile(r"#[0-9]+\Z")
Count = Callable[[Sequence[str]], list[int]]
UNKNOWN = "und"  # BCP-47's code for a language that is not known
ENOUGH = 2000  # characters of a text that are looked at
ASKED = 9  # pieces of a document whose languages are counted: one may be code, or a quotation
LETTERS = 2  # a text with fewer letters has no language
# What the detector often takes a language's own texts for, and codes that BCP-47 spells otherwise
FOLDED = {
    **{"arz": "ar", "ary": "ar", "wuu": "zh", "yue": "zh", "uzs": "uz", "hbo": "he", "grc": "el"},
    **{"gug": "gn", "kik": "ki", "fuv": "ff", "zxx": UNKNOWN},
}
LABELS = {"nb": "no", "fil": "tl", "gn": "gug", "ki": "kik", "ff": "fuv"}  # the detector's own names


def token_counter(model: SentenceTransformer) -> Count:
    """Return a function from texts to numbers of tokens, uncut, as a model's tokenizer counts them."""
    own = getattr(model[0], "token_ids", None)
    tokenizer = getattr(model, "tokenizer", None)
    if own is None and callable(tokenizer):
        return lambda texts: [
            len(ids) for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        ]
    if own is not None and getattr(model, "max_seq_length", None):
        return lambda texts: [_uncut(model, text) for text in texts]
    return lambda texts: [len(text) for text in texts]


def length_limit(model: SentenceTransformer, length: int | None) -> int:
    """Return the tokens of a passage: as asked for, at most what the model reads after its prompt.

    Raises:
        PanglotError: fewer than 16.
    """
    most = encoders.max_length_of(model)
    before = encoders.passage_prompt(model)
    prompt = sum(token_counter(model)([before])) if before else 0
    room = LENGTH if most is None else most - prompt - 2  # two for the marks at the ends
    wanted = min(LENGTH, room) if length is None else length
    if wanted < SHORTEST or wanted > max(room, SHORTEST):
        raise PanglotError(
            f"passages cannot have {wanted} tokens; use {SHORTEST} to {max(room, SHORTEST)} "
            "(what the model reads, less its prompt)."
        )
    return wanted


def passages_of(
    document: Document, count: Count, length: int, *, among: Sequence[str] | None = None
) -> list[Passage]:
    """Cut a document into passages.

    A section that fits stays whole; of a longer one, as many whole sentences as fit make a passage. A
    sentence that does not fit is cut at a comma, else at a space, else between two characters. The title
    counts: it is encoded with every passage. A section of a few words ("See also") would be near any short
    question, so that it goes to the end of the passage before it, else to the beginning of the one after it,
    where it fits there.

    Args:
        document: with or without a language; without, it is what most of its longest pieces seem to be. Of
            a title and heading that would fill more than half of a passage, the beginning is kept.
        count: see ``token_counter``.
    """

    @cache
    def titled(heading: str) -> str:  # at most half of a passage, or the title alone would be its vector
        title = " › ".join(part for part in (document.title, heading) if part)
        fits = len(title) < length // 2 or count([title])[0] <= length // 2
        return title if fits else split_text(title, count, length // 2)[0]

    @cache
    def room(heading: str) -> int:  # the tokens that a title leaves for a text
        title = titled(heading)
        return length - count([title])[0] if title else length

    pieces: list[Section] = []
    for section in document.sections:
        if section.text.strip():
            texts = split_text(section.text, count, room(section.heading))
            pieces += [Section(section.heading, text) for text in texts]
    pieces = _without_short(pieces, lambda piece: count([piece.text])[0] <= room(piece.heading), count)
    language = document.language
    if language is None:
        longest = sorted((piece.text for piece in pieces), key=len, reverse=True)[:ASKED]
        known = [code for code in detect_languages(longest, among) if code != UNKNOWN]
        language = mode(known) if known else UNKNOWN  # of two as frequent, that of the longer piece
    return [
        Passage(
            id=passage_id(document.id, k + 1),
            document=document.id,
            text=piece.text,
            title=titled(piece.heading),
            language=language,
            source=document.source,
            metadata=document.metadata,
        )
        for k, piece in enumerate(pieces)
    ]


def passage_id(document: str, number: int) -> str:
    """Return the id of a document's passage, counted from 1: no two are the same.

    The first has the document's own id, unless that ends as a passage's does: ``rules``, ``rules#2`` and
    ``rules#3`` are passages of ``rules``; ``rules#2#1`` and ``rules#2#2`` those of ``rules#2``.
    """
    return document if number == 1 and not NUMBERED.search(document) else f"{document}#{number}"


def split_text(text: str, count: Count, length: int) -> list[str]:
    """Cut a text into pieces of at most so many tokens, between sentences where that is possible."""
    text = text.strip()
    if len(text) <= MEASURE and count([text])[0] <= length:
        return [text]
    segments = cut(text, lambda texts: [n <= length for n in count(texts)])
    sizes = count([segment.text + segment.gap for segment in segments])
    pieces: list[str] = []
    held: list[Segment] = []
    tokens = 0
    for segment, size in zip(segments, sizes, strict=True):
        if held and tokens + size > length:
            pieces.append(_joined(held))
            held, tokens = [], 0
        held.append(segment)
        tokens += size
    return [*pieces, _joined(held)] if held else pieces


def _without_short(pieces: list[Section], fits: Callable[[Section], bool], count: Count) -> list[Section]:
    """Join pieces of a few words with the one before them, else with the one after them, where they fit."""
    if len(pieces) < 2:  # tokenizers refuse an empty list
        return pieces
    found: list[Section] = []
    sizes = count([piece.text for piece in pieces])
    held: Section | None = None  # a short one, that waits for the next
    for piece, size in zip(pieces, sizes, strict=True):
        if held is not None:
            joined = Section(piece.heading, f"{_with_heading(held)}\n\n{piece.text}")
            if fits(joined):
                piece = joined
            else:
                found.append(held)
            held = None
        elif size < FEW:
            joined = (
                Section(found[-1].heading, f"{found[-1].text}\n\n{_with_heading(piece)}") if found else piece
            )
            if found and fits(joined):
                found[-1] = joined
            else:
                held = piece
            continue
        found.append(piece)
    return found if held is None else [*found, held]


def _with_heading(piece: Section) -> str:
    return f"{piece.heading}\n{piece.text}" if piece.heading else piece.text


def _joined(segments: Sequence[Segment]) -> str:
    return "".join(segment.text + segment.gap for segment in segments).strip()


def _uncut(model: SentenceTransformer, text: str) -> int:
    """Count the tokens of a text with a tokenizer that cuts: part by part."""
    limit = int(model.max_seq_length or 0)
    whole = int(encoders.token_lengths(model, [text])[0])
    if whole < limit or len(text) < 2:
        return whole
    middle = len(text) // 2
    return _uncut(model, text[:middle]) + _uncut(model, text[middle:])


def detect_languages(texts: Sequence[str], among: Sequence[str] | None = None) -> list[str]:
    """Return the language of each text, as a BCP-47 code; ``und`` where nothing shows it.

    Egyptian and Moroccan Arabic count as Arabic, Wu and Cantonese as Chinese, unless ``among`` names them.

    Raises:
        PanglotError: the detector is not installed, or does not know a language of ``among``.
    """
    candidates = None if among is None else tuple(sorted(set(among)))
    if candidates is not None and len(candidates) == 1:
        return [candidates[0]] * len(texts)
    detector = _detector(candidates)
    found: dict[str, str] = {}
    codes = []
    for text in texts:
        head = text[:ENOUGH]
        key = short_digest(head)
        if key not in found:
            found[key] = _detect(detector, head, candidates)
        codes.append(found[key])
    return codes


def _detect(detector: Any, text: str, candidates: tuple[str, ...] | None) -> str:
    if sum(character.isalpha() for character in text[:200]) < LETTERS:
        return UNKNOWN
    code = str(detector.classify(text)[0])
    if candidates is None:
        code = FOLDED.get(code, code)
    else:
        code = next((own for own in candidates if _label(own) == code), code)
    return code if is_language(code) else UNKNOWN


@cache
def _detector(candidates: tuple[str, ...] | None) -> Any:
    needs("search", "py3langid", hint="say the language with --language, or ")
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE)
    if candidates is not None:
        labels = {code: _label(code) for code in candidates}
        unknown = [code for code, label in labels.items() if label not in detector.labels]
        alike = [code for code, label in labels.items() if list(labels.values()).count(label) > 1]
        if unknown or alike:
            why = (
                f"does not know {', '.join(unknown)}"
                if unknown
                else f"cannot distinguish {' from '.join(alike)}"
            )
            raise PanglotError(
                f"The detector of languages {why}. Say which language each text is in, or name other ones."
            )
        detector.set_languages(sorted(labels.values()))
    return detector


def _label(code: str) -> str:
    primary = primary_language(code)
    return LABELS.get(primary, primary)
