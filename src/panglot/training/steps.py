"""What a step is made of: its drawn pairs, looked up, cut into micro-batches and keyed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from panglot.batches import Batch, Sampler
from panglot.data import NOBODY, IntArray, NegativeItems, ParallelPairs, negative_items
from panglot.encoders import passage_prompt, query_prompt
from panglot.training.micro_batches import Features, Prompted, cut

TOKEN_BUDGET = 4096


@dataclass(frozen=True)
class Steps:
    """A map-style dataset whose entry ``step * ranks + rank`` is what a process computes in a step.

    Every entry is a pure function of its number, so the data loader may skip, shard and prefetch as it
    likes: a resumed run sees the same batches, and so does a run on several processes.

    Attributes:
        sampler: draws the global batches.
        sources: the parallel pairs, in the sampler's order.
        model: tokenises.
        steps: how many.
        ranks: processes that share a global batch.
        token_budget: padded tokens of a micro-batch.
        teacher: also reads each pair, in the pivot language; see ``panglot.training.teacher``.
        pivot: the language that the teacher reads; None, or where an item lacks it: that of the query.
    """

    sampler: Sampler
    sources: Sequence[ParallelPairs]
    model: SentenceTransformer
    steps: int
    ranks: int = 1
    token_budget: int = TOKEN_BUDGET
    teacher: SentenceTransformer | None = None
    pivot: str | None = "en"

    def __len__(self) -> int:
        """Return the number of entries."""
        return self.steps * self.ranks

    def __getitem__(self, number: int) -> Features:
        """Return the features of an entry; see ``features``."""
        step, rank = divmod(number, self.ranks)
        return self.features(self.sampler.draw(step).part(rank, self.ranks))

    def features(self, batch: Batch) -> Features:
        """Look up, tokenise and key the pairs of a batch.

        Returns:
            ``micro_batches``, a list of the model's features; ``query_rows``, ``passage_rows`` and, if any,
            ``negative_rows``: where the embeddings stand; ``keys`` ``(B, 3)`` and ``negative_keys``: pairs
            that share one are not each other's negatives; with a teacher ``teacher_micro_batches``,
            ``teacher_query_rows`` and ``teacher_passage_rows``; and for the log ``tokens``, ``padded``,
            ``pairs`` and ``monolingual``.
        """
        pairs = self.sources[batch.source]
        query_rows = pairs.rows(batch.items, batch.query_languages)
        passage_rows = pairs.rows(batch.items, batch.passage_languages)
        queries, passages = pairs.texts("query", query_rows), pairs.texts("passage", passage_rows)
        columns = {
            "query": (query_prompt(self.model), queries),
            "passage": (passage_prompt(self.model), passages),
        }
        features: Features = {}
        if pairs.has_negatives:
            negatives = [text for texts in pairs.negatives(passage_rows) for text in texts]
            if negatives:
                columns["negative"] = passage_prompt(self.model), negatives
                items = self._negative_items[batch.source].of_rows(passage_rows)
                features["negative_keys"] = _keys(pairs, items, negatives)
        if self.teacher is not None:
            features |= self._taught(self.teacher, pairs, batch, query_rows)
        pieces = cut(self.model, columns, self.token_budget)
        return {
            **features,
            "micro_batches": pieces.batches,
            **{f"{name}_rows": rows for name, rows in pieces.rows.items()},
            "keys": _keys(pairs, batch.items, passages),
            "tokens": pieces.tokens,
            "padded": pieces.padded,
            "pairs": len(batch),
            "monolingual": int(batch.kind == "monolingual"),
        }

    @cached_property
    def _negative_items(self) -> list[NegativeItems]:
        return [negative_items(pairs) for pairs in self.sources]

    def _taught(
        self, teacher: SentenceTransformer, pairs: ParallelPairs, batch: Batch, query_rows: IntArray
    ) -> Features:
        """Cut what the teacher reads: both texts of each pair in the pivot language."""
        rows = query_rows
        if self.pivot in pairs.languages:
            pivot = np.full(len(batch), pairs.languages.index(self.pivot))
            rows = pairs.index.rows_of(batch.items, pivot)
            rows = np.where(rows < 0, query_rows, rows)
        columns: dict[str, Prompted] = {
            "query": (query_prompt(teacher), pairs.texts("query", rows)),
            "passage": (passage_prompt(teacher), pairs.texts("passage", rows)),
        }
        pieces = cut(teacher, columns, self.token_budget)
        return {
            "teacher_micro_batches": pieces.batches,
            **{f"teacher_{name}_rows": rows for name, rows in pieces.rows.items()},
        }


def _keys(pairs: ParallelPairs, items: IntArray, passages: Sequence[str]) -> torch.Tensor:
    """Return ``(n, 3)`` the item, the passage group and the hash of each passage; -1 where there is none.

    -1 never equals an item, a group or a hash of those that queries look for, which all have them.
    """
    groups = np.where(items == NOBODY, NOBODY, pairs.index.groups_of(items))
    columns = [items.astype(np.int64)[:, None], groups.astype(np.int64)[:, None], _hashes(passages)]
    return torch.from_numpy(np.concatenate(columns, axis=1))


def _hashes(texts: Sequence[str]) -> np.ndarray:
    """Return a ``(n, 1)`` column of 63-bit hashes, equal where texts are equal."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    return (np.frombuffer(b"".join(digests), np.uint64) >> np.uint64(1)).astype(np.int64)[:, None]
