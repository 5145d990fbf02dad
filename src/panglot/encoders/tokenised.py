"""Texts tokenised once: their lengths, from which batches are cut, and the features of each batch."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from panglot.data import IntArray
from panglot.encoders.load import max_length_of

SLICE = 4096  # texts tokenised at a time
CHARACTERS = 1 << 20  # of such texts, each as long as the longest of them
MASK = "attention_mask"
Features = dict[str, Any]


class Tokenised:
    """Texts as a model reads them, tokenised once.

    Attributes:
        lengths: ``(n,)`` tokens of each text; characters where the model has no tokenizer.
    """

    def __init__(self, model: SentenceTransformer, texts: Sequence[str], prompt: str = "") -> None:
        self._preprocess: Callable[[list[str]], Features] = lambda some: model.preprocess(
            some, prompt=prompt or None
        )
        self._texts = texts
        pads = _pads(model)
        self._shared: Features = {}
        self._left = getattr(getattr(model, "tokenizer", None), "padding_side", "right") == "left"
        lengths: list[IntArray] = []
        columns: dict[str, list[Tensor]] = {}
        order = np.empty(len(texts), np.int64)
        done = 0
        characters = np.array([len(text) for text in texts], np.int64)
        # texts of about one length together: all are padded to the longest of them
        for rows in map(np.sort, token_batches(characters, CHARACTERS, SLICE)):
            features = self._preprocess([texts[k] for k in rows]) if pads else {}
            if not _is_plain(features, pads):
                self._columns = None
                self.lengths = token_lengths(model, texts, prompt)
                return
            order[done : done + len(rows)] = rows
            done += len(rows)
            mask = features[MASK].bool()
            lengths.append(mask.sum(dim=1).numpy())
            for name in pads.keys() & features.keys():
                columns.setdefault(name, []).append(features[name][mask].to(torch.int32))
            self._shared = {name: value for name, value in features.items() if name not in (*pads, MASK)}
        found = np.concatenate([*lengths, np.empty(0, np.int64)])
        self.lengths, self._starts = np.empty_like(order), np.empty_like(order)
        self.lengths[order] = found
        self._starts[order] = np.cumsum(found) - found
        self._columns = {name: (torch.cat(parts), pads[name]) for name, parts in columns.items()}

    def features(self, rows: IntArray) -> Features:
        """Return the model's features of some texts, padded to the longest of them."""
        if self._columns is None:
            return self._preprocess([self._texts[k] for k in rows])
        lengths = self.lengths[rows]
        place = np.arange(int(lengths.max()))
        mask = place < lengths[:, None]
        if self._left:
            mask = mask[:, ::-1].copy()
        offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        tokens = torch.from_numpy(np.repeat(self._starts[rows], lengths) + offsets)
        whole = torch.from_numpy(mask)
        found: Features = {**self._shared, MASK: whole.long()}
        for name, (values, pad) in self._columns.items():
            found[name] = torch.full(whole.shape, pad, dtype=torch.long)
            found[name][whole] = values[tokens].long()
        return found


def _pads(model: SentenceTransformer) -> dict[str, int]:
    """Return what a tokenizer pads its columns with; nothing where a model makes features of its own."""
    tokenizer: Any = None if hasattr(model[0], "token_ids") else getattr(model, "tokenizer", None)
    pad, of_type = (getattr(tokenizer, name, None) for name in ("pad_token_id", "pad_token_type_id"))
    return {} if pad is None else {"input_ids": pad, "token_type_ids": of_type or 0}


def _is_plain(features: Features, pads: dict[str, int]) -> bool:
    """Say whether all tensors of some features have a row a text, with a value for each of its tokens."""
    tensors = {name: value for name, value in features.items() if isinstance(value, Tensor)}
    mask = tensors.get(MASK)
    return (
        mask is not None
        and mask.dim() == 2
        and tensors.keys() <= {*pads, MASK}
        and all(value.shape == mask.shape for value in tensors.values())
    )


def token_lengths(model: SentenceTransformer, texts: Sequence[str], prompt: str = "") -> IntArray:
    """Return the number of tokens of each text as the model cuts it; characters where it has no tokenizer."""
    count = _counter(model)
    lengths = np.empty(len(texts), np.int64)
    for start in range(0, len(texts), SLICE):
        lengths[start : start + SLICE] = count([prompt + text for text in texts[start : start + SLICE]])
    limit = max_length_of(model)
    return np.minimum(lengths, limit) if limit else lengths


def token_batches(lengths: IntArray, budget: int, most: int | None = None) -> Iterator[IntArray]:
    """Cut texts into batches, longest first; a batch's size times its longest text stays in the budget.

    ``most`` is how many texts a batch has at most; None: as many as that allows.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        size = size if most is None else min(size, most)
        yield order[start : start + size]
        start += size


def _counter(model: SentenceTransformer) -> Callable[[list[str]], list[int]]:
    own = getattr(model[0], "token_ids", None)
    if own is not None:
        return lambda texts: [len(ids) for ids in own(texts)]
    tokenizer: Any = getattr(model, "tokenizer", None)
    if callable(tokenizer):
        return lambda texts: [len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]]
    return lambda texts: [len(text) for text in texts]
