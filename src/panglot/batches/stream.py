"""The batches of a sampler as a data set, for trainers that are not panglot's own."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from panglot.batches.sampler import Sampler, make_sampler
from panglot.data import ParallelPairs, Source, as_sources
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from datasets import IterableDataset

Row = dict[str, str]


def hybrid_dataset(
    pairs: Source | Sequence[Source],
    batch_size: int = 64,
    steps: int = 1000,
    alpha: float | Sequence[float] | None = None,
    seed: int = 0,
    negative: bool | None = None,
    **settings: Any,
) -> "IterableDataset":
    """Return hybrid batches, one after the other, as a data set for any trainer of sentence-transformers.

    Rows come in the order of the batches: rows ``k * batch_size`` to ``(k + 1) * batch_size - 1`` are batch k
    of ``panglot.Sampler``. So a trainer trains on exactly these batches if the batch sizes of its processes
    add up to ``batch_size`` and it does not shuffle. A batch is a pure function of (seed, step): rows that a
    resumed run skips change nothing in those that follow.

    Args:
        pairs: ``ParallelPairs``, what ``panglot train --pairs`` takes, or several of these; a batch
            comes from one (``join_pairs`` makes one of several).
        batch_size: pairs in the batch of a step, over all processes.
        steps: how many batches; give the trainer as many ``max_steps``.
        alpha: probability that a batch is monolingual; several numbers: a schedule over the steps; None: 0.5,
            or 0 with ``strategy="bilingual"``.
        seed: of all draws.
        negative: whether rows have a hard negative, one of those of the passage's row, drawn at random; None:
            if all rows of the pairs have any.
        settings: others of ``Sampler``: ``strategy``, ``language``, ``language_temperature``,
            ``source_temperature``.

    Returns:
        a ``datasets.IterableDataset`` of ``steps * batch_size`` rows with the columns ``anchor``,
        ``positive`` and perhaps ``negative``: texts without prompts.

    Raises:
        PanglotError: pairs that cannot be read or cannot fill a batch, or a setting out of bounds.
    """
    # imported here, as it takes a second and other users of batches need none of it
    from datasets import DatasetInfo, Features, IterableDataset, Value
    from datasets.iterable_dataset import ExamplesIterable

    sources = as_sources(pairs)
    if not sources:
        raise PanglotError("pairs is an empty list; give a file of pairs, or several.")
    if steps < 1:
        raise PanglotError(f"steps is {steps}; give the number of batches, 1 or more.")
    schedule = alpha if alpha is None or isinstance(alpha, (int, float)) else tuple(alpha)
    sampler = make_sampler(sources, batch_size=batch_size, alpha=schedule, seed=seed, steps=steps, **settings)
    for sentence in sampler.notes():
        logging.getLogger(__name__).warning(sentence)
    without = [some.name for some in sources if not _all_have_negatives(some)]
    if negative and without:
        raise PanglotError(
            f"{without[0]}: some rows have no negatives; run 'panglot mine', or leave 'negative' out."
        )
    hard = not without if negative is None else negative
    columns = ("anchor", "positive", "negative") if hard else ("anchor", "positive")
    # IterableDataset.from_generator would pickle all the pairs, only to make a name of their checksum
    rows = ExamplesIterable(partial(_rows, sampler, sources, steps, hard), {})
    return IterableDataset(rows, DatasetInfo(features=Features(dict.fromkeys(columns, Value("string")))))


def _rows(
    sampler: Sampler, sources: Sequence[ParallelPairs], steps: int, hard: bool
) -> Iterator[tuple[int, Row]]:
    """Yield the rows of all batches, each with its number."""
    for step in range(steps):
        batch = sampler.draw(step)
        pairs = sources[batch.source]
        passage_rows = pairs.rows(batch.items, batch.passage_languages)
        columns = {
            "anchor": pairs.texts("query", pairs.rows(batch.items, batch.query_languages)),
            "positive": pairs.texts("passage", passage_rows),
        }
        if hard:  # the last word of the counter keeps these draws apart from those of the batch
            rng = np.random.Generator(np.random.Philox(key=sampler.seed, counter=[0, 0, 1, step]))
            columns["negative"] = [str(rng.choice(texts)) for texts in pairs.negatives(passage_rows)]
        for k in range(len(batch)):
            yield step * len(batch) + k, {name: texts[k] for name, texts in columns.items()}


def _all_have_negatives(pairs: ParallelPairs) -> bool:
    lengths = pc.fill_null(pc.list_value_length(pairs.table.column("negatives")), 0)
    return bool(pc.min(lengths).as_py())
