"""What a step is made of: its drawn pairs, looked up, cut into micro-batches and keyed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from panglot.batches import Batch, Sampler
from panglot.data import NOBODY, IntArray, NegativeItems, ParallelPairs, negative_items
from panglot.data.equality import Fingerprints, connected, fingerprints
from panglot.encoders import passage_prompt, query_prompt
from panglot.languages import matching
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
        teacher: also reads each pair, in the pivot language; see ``panglot.training.loss``.
        pivot: the language that the teacher reads; None, or where an item lacks it: that of the query.
        aligned: the model also reads each pair in the pivot language.
    """

    sampler: Sampler
    sources: Sequence[ParallelPairs]
    model: SentenceTransformer
    steps: int
    ranks: int = 1
    token_budget: int = TOKEN_BUDGET
    teacher: SentenceTransformer | None = None
    pivot: str | None = "en"
    aligned: bool = False

    def __len__(self) -> int:
        """Return the number of entries."""
        return self.steps * self.ranks

    def __getitem__(self, number: int) -> Features:
        """Return the features of an entry; see ``features``."""
        step, rank = divmod(number, self.ranks)
        return self.features(self.sampler.draw(step), rank)

    def features(self, whole: Batch, rank: int = 0) -> Features:
        """Look up, tokenise and key the pairs of a process in a global batch.

        Returns:
            ``micro_batches``, a list of the model's features; ``query_rows``, ``passage_rows`` and, if any,
            ``negative_rows``: where the embeddings are; ``keys`` ``(B, 1)`` and ``negative_keys``: pairs
            that share one are not each other's negatives; ``pivot_query_rows`` and ``pivot_passage_rows``
            where rankings are aligned; with a teacher ``teacher_micro_batches``,
            ``teacher_query_rows`` and ``teacher_passage_rows``; and for the log ``tokens``, ``padded``,
            ``pairs`` and ``monolingual``.
        """
        pairs = self.sources[whole.source]
        batch = whole.part(rank, self.ranks)
        query_rows = pairs.rows(batch.items, batch.query_languages)
        passage_rows = pairs.rows(batch.items, batch.passage_languages)
        queries, passages = pairs.texts("query", query_rows), pairs.texts("passage", passage_rows)
        columns: dict[str, Prompted] = {
            "query": (query_prompt(self.model), queries),
            "passage": (passage_prompt(self.model), passages),
        }
        keys, negative_keys = self._keys(whole)
        features: Features = {"keys": keys[rank]}
        if negative_keys and len(negative_keys[rank]):
            negatives = [text for texts in pairs.negatives(passage_rows) for text in texts]
            columns["negative"] = passage_prompt(self.model), negatives
            features["negative_keys"] = negative_keys[rank]
        read_again = self.aligned or self.teacher is not None
        in_pivot = self._in_pivot(pairs, batch, query_rows) if read_again else query_rows
        if self.aligned:
            columns |= {
                f"pivot_{name}": column for name, column in _both(self.model, pairs, in_pivot).items()
            }
        if self.teacher is not None:
            taught = cut(self.teacher, _both(self.teacher, pairs, in_pivot), self.token_budget)
            features["teacher_micro_batches"] = taught.batches
            features |= {f"teacher_{name}_rows": rows for name, rows in taught.rows.items()}
        pieces = cut(self.model, columns, self.token_budget)
        return {
            **features,
            "micro_batches": pieces.batches,
            **{f"{name}_rows": rows for name, rows in pieces.rows.items()},
            "tokens": pieces.tokens,
            "padded": pieces.padded,
            "pairs": len(batch),
            "monolingual": int(batch.kind == "monolingual"),
        }

    def _keys(self, whole: Batch) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the keys of each process's pairs in a global batch, and those of its hard negatives.

        Items get one key that share a passage group, or an equal query or passage in any language, directly
        or through others of the batch. So do hard negatives, and the items whose passages they are. Every
        process works out the same for the whole batch. Without negatives the second list is empty.
        """
        pairs, parts = self.sources[whole.source], [whole.part(k, self.ranks) for k in range(self.ranks)]
        negatives: list[list[str]] = []
        owners: list[IntArray] = [np.zeros(0, np.int64)]  # the item whose passage each negative is, or NOBODY
        if pairs.has_negatives:
            for part in parts:
                rows = pairs.rows(part.items, part.passage_languages)
                negatives.append([text for some in pairs.negatives(rows) for text in some])
                owners.append(self._negative_items[whole.source].of_rows(rows))
        owner, written = np.concatenate(owners), fingerprints(text for some in negatives for text in some)
        owned = owner != NOBODY
        items, place = np.unique(np.concatenate([whole.items, owner[owned]]), return_inverse=True)
        of_pairs, of_owners = place[: len(whole)], place[len(whole) :]
        # nodes: the items, then the hard negatives
        node_of_negative = len(items) + np.arange(len(written))
        prints = self._fingerprints[whole.source]
        node, passage = prints.of_items("passage", items)
        label = connected(
            len(items) + len(written),
            (np.arange(len(items)), pairs.index.groups_of(items)),
            prints.of_items("query", items),
            (np.concatenate([node, node_of_negative]), np.concatenate([passage, written])),
            (np.concatenate([of_owners, node_of_negative[owned]]), np.tile(of_owners, 2)),
        )
        return (
            _in_parts(label[of_pairs], [len(part) for part in parts]),
            _in_parts(label[node_of_negative], [len(texts) for texts in negatives]),
        )

    @cached_property
    def _fingerprints(self) -> list[Fingerprints]:
        return [Fingerprints(pairs) for pairs in self.sources]

    @cached_property
    def _negative_items(self) -> list[NegativeItems]:
        return [negative_items(pairs) for pairs in self.sources]

    def _in_pivot(self, pairs: ParallelPairs, batch: Batch, query_rows: IntArray) -> IntArray:
        """Return the row of each pair in the pivot language; that of its query where the item lacks it."""
        there = matching([self.pivot] if self.pivot else [], pairs.languages)
        if not there:
            return query_rows
        pivot = np.full(len(batch), pairs.languages.index(there[0]))
        rows = pairs.index.rows_of(batch.items, pivot)
        return np.where(rows < 0, query_rows, rows)


def _both(model: SentenceTransformer, pairs: ParallelPairs, rows: IntArray) -> dict[str, Prompted]:
    """Return the queries and passages of some rows, with the prompts of a model."""
    return {
        "query": (query_prompt(model), pairs.texts("query", rows)),
        "passage": (passage_prompt(model), pairs.texts("passage", rows)),
    }


def _in_parts(keys: IntArray, sizes: Sequence[int]) -> list[torch.Tensor]:
    """Cut keys into columns ``(size, 1)``, one a process."""
    return list(torch.split(torch.from_numpy(keys[:, None]), list(sizes)))
