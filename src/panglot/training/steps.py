"""What a step is made of: its drawn pairs, looked up, tokenised and keyed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from panglot.batches import Batch, Sampler
from panglot.data import ParallelPairs
from panglot.encoders import passage_prompt, query_prompt
from panglot.training.objective import Features

NO_KEY = -1  # never equal to an item, a group or the hash of a text


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
    """

    sampler: Sampler
    sources: Sequence[ParallelPairs]
    model: SentenceTransformer
    steps: int
    ranks: int = 1

    def __len__(self) -> int:
        """Return the number of entries."""
        return self.steps * self.ranks

    def __getitem__(self, number: int) -> Features:
        """Return the features of an entry: ``query_*``, ``passage_*`` and, if any, ``negative_*``."""
        step, rank = divmod(number, self.ranks)
        return self.features(self.sampler.draw(step).part(rank, self.ranks))

    def features(self, batch: Batch) -> Features:
        """Look up, tokenise and key the pairs of a batch."""
        pairs = self.sources[batch.source]
        query_rows = pairs.rows(batch.items, batch.query_languages)
        passage_rows = pairs.rows(batch.items, batch.passage_languages)
        queries, passages = pairs.texts("query", query_rows), pairs.texts("passage", passage_rows)
        shared = np.stack([batch.items, pairs.index.groups_of(batch.items)], axis=1).astype(np.int64)
        keys = np.concatenate([shared, _hashes(passages)], axis=1)
        features = {
            **self._tokens("query", queries, query_prompt(self.model), keys),
            **self._tokens("passage", passages, passage_prompt(self.model), keys),
        }
        if pairs.has_negatives:
            negatives = [text for texts in pairs.negatives(passage_rows) for text in texts]
            if negatives:
                hashes = _hashes(negatives)
                keys = np.concatenate([np.full((len(negatives), 2), NO_KEY), hashes], axis=1)
                features |= self._tokens("negative", negatives, passage_prompt(self.model), keys)
        return features

    def _tokens(self, name: str, texts: list[str], prompt: str, keys: np.ndarray) -> Features:
        """Tokenise texts, equal ones once; ``rows`` says where each text's embedding stands."""
        position: dict[str, int] = {}
        rows = [position.setdefault(text, len(position)) for text in texts]
        tokens = self.model.preprocess(list(position), prompt=prompt or None)
        tokens |= {"rows": torch.tensor(rows), "keys": torch.from_numpy(keys)}
        return {f"{name}_{key}": value for key, value in tokens.items()}


def _hashes(texts: Sequence[str]) -> np.ndarray:
    """Return a ``(n, 1)`` column of 63-bit hashes, equal where texts are equal."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    return (np.frombuffer(b"".join(digests), np.uint64) >> np.uint64(1)).astype(np.int64)[:, None]
