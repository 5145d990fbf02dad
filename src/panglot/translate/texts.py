"""Texts to translations: cut into segments, translated, joined again; and what is wrong with the result."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import regex

from panglot.encoders import token_batches
from panglot.languages import script
from panglot.translate.models import SPARE, Direction, Translator
from panglot.translate.plan import Done, PartFile, key_of
from panglot.translate.segments import Segment, cut, has_words, join

TOKEN_BUDGET = 4096
MAX_TOKENS = 200
REPEATED = regex.compile(r"(?=\S)(.{1,60}?)\1{3,}", regex.DOTALL)
LONG_RUN = 12  # characters that a repetition must fill to be one: "ha ha ha ha" is none
NAME = 3  # words: a text of so few in one script may be a name, which stays the same
SLACK = 10  # characters added to both lengths, so that short texts may differ more
# Characters of these scripts say about as much as so many letters of an alphabet.
DENSE = ((regex.compile(r"\p{Han}"), 3), (regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]"), 2))
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")


def translate_texts(
    translator: Translator,
    texts: Sequence[str],
    source: str,
    target: str,
    *,
    beams: int = 1,
    max_tokens: int = MAX_TOKENS,
    token_budget: int = TOKEN_BUDGET,
) -> list[Done]:
    """Translate texts of one language into another.

    Args:
        beams: of the search; 1: greedy.
        max_tokens: of a segment; longer sentences are cut further.
        token_budget: padded input tokens of a batch, times beams.

    Returns:
        for each text its translation, and whether the model came to an end in every segment.

    Raises:
        PanglotError: the model does not know one of the languages.
    """
    with TemporaryDirectory() as folder, PartFile(Path(folder) / "part.sqlite", {}) as part:
        work = Work(translator, part, beams, max_tokens, token_budget)
        work.do("all", texts, (source, target))
        return list(work.joined(texts, (source, target)))


@dataclass(frozen=True)
class Work:
    """A model that translates in one way (see ``translate_texts``), and what it has translated so far."""

    translator: Translator
    part: PartFile
    beams: int = 1
    max_tokens: int = MAX_TOKENS
    token_budget: int = TOKEN_BUDGET

    def do(
        self,
        block: str,
        texts: Sequence[str],
        languages: tuple[str, str],
        progress: Callable[[float], None] | None = None,
    ) -> int:
        """Translate the segments of some texts that no earlier block has; keep each batch as it is done.

        The batches are planned from the texts and the earlier blocks alone, and a batch is done whole or
        again: what a batch holds moves its last digits, so that an interrupted run must not be cut otherwise.

        ``progress`` is called with the share that is done. Returns the number of segments translated now.
        """
        direction, part = self.translator.direction(*languages), self.part
        cuts = self._segments(texts, direction)
        wanted = dict.fromkeys(s.text for segments in cuts for s in segments if has_words(s.text))
        keys = {text: key_of(*languages, text) for text in wanted}
        planned = [text for text in wanted if part.block_of(keys[text]) in (None, block)]
        lengths = np.array(self.translator.lengths(planned, direction), np.int64)
        now, passed, total = 0, 0, int(lengths.sum())
        for rows in token_batches(lengths, max(1, self.token_budget // self.beams)):
            batch = [planned[k] for k in rows]
            if any(part.block_of(keys[text]) is None for text in batch):
                translated = self.translator.translate(batch, direction, self.beams)
                part.add(block, [keys[text] for text in batch], translated)
                now += len(batch)
            passed += int(lengths[rows].sum())
            if progress is not None:
                progress(passed / total)
        if progress is not None and not planned:
            progress(1.0)
        return now

    def joined(self, texts: Sequence[str], languages: tuple[str, str]) -> Iterator[Done]:
        """Join each text's translated segments; numbers and marks between them stay as they are."""
        target = script(languages[1])
        for segments in self._segments(texts, self.translator.direction(*languages)):
            found = [
                self.part.get(key_of(*languages, one.text)) if has_words(one.text) else Done(one.text, True)
                for one in segments
            ]
            text = join(segments, [done.text for done in found], target)
            # a segment without a translation would be lost in the joined text
            text = text if all(done.text.strip() for done in found) else ""
            yield Done(text, all(done.finished for done in found))

    def _segments(self, texts: Sequence[str], direction: Direction) -> Iterator[list[Segment]]:
        most = self.translator.limit
        limit = self.max_tokens if most is None else min(self.max_tokens, most)

        def fits(parts: Sequence[str]) -> list[bool]:
            # no token is shorter than a byte, and a character has four at most: short texts need no counting
            near = [part for part in parts if 4 * len(part) + SPARE > limit]
            length = dict(zip(near, self.translator.lengths(near, direction), strict=True))
            return [length.get(part, 0) <= limit for part in parts]

        for text in texts:
            yield cut(text, fits)


@dataclass(frozen=True)
class Bounds:
    """How long a translation may be: a share of its source's length, from ``low`` to ``high``."""

    low: float = 1 / 3
    high: float = 3.0


def problem_of(
    source: str, translated: str, *, same_script: bool, finished: bool = True, bounds: Bounds | None = None
) -> str | None:
    """Name what is wrong with a translation; None where nothing is.

    ``empty``: there is no text. ``unfinished``: the model was stopped before it came to an end.
    ``repetition``: something occurs four times or more in a row, and not in the source.
    ``copy``: the source itself (names of up to three words excepted, where the scripts are the same).
    ``length``: out of bounds; a Chinese character counts as three letters, kana and hangul as two.
    """
    bounds = bounds or Bounds()
    if not translated.strip():
        return "empty"
    if not finished:
        return "unfinished"
    if _repeats(translated) and not _repeats(source):
        return "repetition"
    if _plain(source) == _plain(translated) and has_words(source):
        if not same_script or len(WORD.findall(source)) > NAME:
            return "copy"
        return None
    ratio = (_weight(translated) + SLACK) / (_weight(source) + SLACK)
    return None if bounds.low <= ratio <= bounds.high else "length"


def _repeats(text: str) -> bool:
    found = REPEATED.finditer(text + " ")  # the last of several sentences has no space of its own
    return any(len(match[0]) >= LONG_RUN and has_words(match[1]) for match in found)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _weight(text: str) -> int:
    return len(text) + sum((weight - 1) * len(kind.findall(text)) for kind, weight in DENSE)
