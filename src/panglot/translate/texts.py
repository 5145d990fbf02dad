"""Texts to translations: cut into segments, equal ones once, sorted by length, kept as they come."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from panglot.encoders.encoding import token_batches
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
        texts: of any length; cut into sentences, and joined again.
        source: BCP-47 code.
        target: BCP-47 code.
        beams: 1 is greedy.
        max_tokens: of a segment; longer sentences are cut further.
        token_budget: padded input tokens of a batch, times beams.

    Returns:
        for each text its translation, and whether the model came to an end in every segment.

    Raises:
        PanglotError: the model does not know one of the languages.
    """
    direction = translator.direction(source, target)
    with TemporaryDirectory() as folder, PartFile(Path(folder) / "part.sqlite", {}) as part:
        translate_block(
            translator,
            part,
            "all",
            texts,
            (source, target),
            direction,
            beams=beams,
            max_tokens=max_tokens,
            token_budget=token_budget,
        )
        cuts = segments_of(translator, texts, direction, max_tokens)
        return [joined(part, segments, (source, target)) for segments in cuts]


def translate_block(
    translator: Translator,
    part: PartFile,
    block: str,
    texts: Sequence[str],
    languages: tuple[str, str],
    direction: Direction,
    *,
    beams: int,
    max_tokens: int,
    token_budget: int,
    progress: Progress | None = None,
) -> int:
    """Translate the segments of some texts that no earlier block has; keep each batch as it is done.

    The batches are planned from the texts and the earlier blocks alone, and a batch is done whole or again:
    what a batch holds moves its last digits, so that an interrupted run must not be cut otherwise.

    Returns:
        the number of segments that were translated now.
    """
    cuts = segments_of(translator, texts, direction, max_tokens)
    wanted = dict.fromkeys(s.text for segments in cuts for s in segments if has_words(s.text))
    keys = {text: key_of(*languages, text) for text in wanted}
    planned = [text for text in wanted if part.block_of(keys[text]) in (None, block)]
    lengths = np.array(translator.lengths(planned, direction), np.int64)
    now, total = 0, int(lengths.sum())
    for rows in token_batches(lengths, max(1, token_budget // beams)):
        batch = [planned[k] for k in rows]
        if any(part.block_of(keys[text]) is None for text in batch):
            part.add(block, [keys[text] for text in batch], translator.translate(batch, direction, beams))
            now += len(batch)
        if progress is not None:
            progress(int(lengths[rows].sum()) / total)
    if progress is not None and not planned:
        progress(1.0)
    return now


def segments_of(
    translator: Translator, texts: Sequence[str], direction: Direction, max_tokens: int
) -> Iterator[list[Segment]]:
    """Cut texts into segments that the model takes whole."""
    limit = max_tokens if translator.limit is None else min(max_tokens, translator.limit)

    def fits(parts: Sequence[str]) -> list[bool]:
        # no token is shorter than a byte, and a character has four at most: short texts need no counting
        near = [part for part in parts if 4 * len(part) + SPARE > limit]
        length = dict(zip(near, translator.lengths(near, direction), strict=True))
        return [length.get(part, 0) <= limit for part in parts]

    for text in texts:
        yield cut(text, fits)


def joined(part: PartFile, segments: Sequence[Segment], languages: tuple[str, str]) -> Done:
    """Join a text's translated segments; numbers and marks between them stay as they are."""
    found = [
        part.get(key_of(*languages, segment.text)) if has_words(segment.text) else Done(segment.text, True)
        for segment in segments
    ]
    text = join(segments, [done.text for done in found], script(languages[1]))
    # a segment without a translation would be lost in the joined text
    whole = all(done.finished for done in found)
    return Done(text if all(done.text.strip() for done in found) else "", whole)
