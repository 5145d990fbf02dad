"""Texts to translations: cut into segments, equal ones once, sorted by length, kept as they come."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from panglot.encoders import token_batches
from panglot.languages import script
from panglot.translate.models import SPARE, Direction, Translator
from panglot.translate.part_file import Done, PartFile, key_of
from panglot.translate.segments import Segment, cut, has_words, join

TOKEN_BUDGET = 4096
MAX_TOKENS = 200
Progress = Callable[[float], None]


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
        translator: the model.
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
    """A model that translates in one way, and what it has translated so far.

    Attributes:
        beams: of the search; 1: greedy.
        max_tokens: of a segment; longer sentences are cut further.
        token_budget: padded input tokens of a batch, times beams.
    """

    translator: Translator
    part: PartFile
    beams: int = 1
    max_tokens: int = MAX_TOKENS
    token_budget: int = TOKEN_BUDGET

    def do(
        self, block: str, texts: Sequence[str], languages: tuple[str, str], progress: Progress | None = None
    ) -> int:
        """Translate the segments of some texts that no earlier block has; keep each batch as it is done.

        The batches are planned from the texts and the earlier blocks alone, and a batch is done whole or
        again: what a batch holds moves its last digits, so that an interrupted run must not be cut otherwise.

        Returns:
            the number of segments that were translated now.
        """
        direction, part = self.translator.direction(*languages), self.part
        cuts = self._segments(texts, direction)
        wanted = dict.fromkeys(s.text for segments in cuts for s in segments if has_words(s.text))
        keys = {text: key_of(*languages, text) for text in wanted}
        planned = [text for text in wanted if part.block_of(keys[text]) in (None, block)]
        lengths = np.array(self.translator.lengths(planned, direction), np.int64)
        now, total = 0, int(lengths.sum())
        for rows in token_batches(lengths, max(1, self.token_budget // self.beams)):
            batch = [planned[k] for k in rows]
            if any(part.block_of(keys[text]) is None for text in batch):
                translated = self.translator.translate(batch, direction, self.beams)
                part.add(block, [keys[text] for text in batch], translated)
                now += len(batch)
            if progress is not None:
                progress(int(lengths[rows].sum()) / total)
        if progress is not None and not planned:
            progress(1.0)
        return now

    def joined(self, texts: Sequence[str], languages: tuple[str, str]) -> Iterator[Done]:
        """Join each text's translated segments; numbers and marks between them stay as they are."""
        target = script(languages[1])
        for segments in self._segments(texts, self.translator.direction(*languages)):
            found = [
                self.part.get(key_of(*languages, segment.text))
                if has_words(segment.text)
                else Done(segment.text, True)
                for segment in segments
            ]
            text = join(segments, [done.text for done in found], target)
            # a segment without a translation would be lost in the joined text
            whole = all(done.finished for done in found)
            yield Done(text if all(done.text.strip() for done in found) else "", whole)

    def _segments(self, texts: Sequence[str], direction: Direction) -> Iterator[list[Segment]]:
        """Cut texts into segments that the model takes whole."""
        most = self.translator.limit
        limit = self.max_tokens if most is None else min(self.max_tokens, most)

        def fits(parts: Sequence[str]) -> list[bool]:
            # no token is shorter than a byte, and a character has four at most: short texts need no counting
            near = [part for part in parts if 4 * len(part) + SPARE > limit]
            length = dict(zip(near, self.translator.lengths(near, direction), strict=True))
            return [length.get(part, 0) <= limit for part in parts]

        for text in texts:
            yield cut(text, fits)
