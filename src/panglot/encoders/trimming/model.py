"""An encoder written with only some rows of its token table; the one in memory stays whole."""

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from panglot.encoders.trimming.tokenizer import State, cut_tokenizer

TOKENIZER_FILE = "tokenizer.json"
NUMBERS = ("_token_id", "_token_ids", "_token_index")  # endings of settings that name a token by its id


def config_ids(model: SentenceTransformer) -> set[int]:
    """Return the token ids that are in a transformer's config, such as ``pad_token_id``."""
    transformer = getattr(model[0], "model", None)
    if transformer is None:
        return set()
    padding = transformer.get_input_embeddings().padding_idx
    ids = {padding} if padding is not None else set()
    for part in _config_parts(transformer.config):
        for _, value in _token_settings(part):
            ids.update([value] if isinstance(value, int) else value)
    return {number for number in ids if number >= 0}


def save_cut(model: SentenceTransformer, state: State, order: Sequence[int], folder: Path) -> None:
    """Write an encoder with only some pieces of its vocabulary into a folder.

    Args:
        state: its tokenizer; see ``vocabulary_of``.
        order: old id of each new id.
    """
    module: Any = model[0]
    with ExitStack() as undo:
        _cut_config(undo, module.model, order)
        _cut_table(undo, module.model, module.model.get_input_embeddings(), order)
        model.save_pretrained(str(folder), create_model_card=False)
    (tokenizer_file,) = folder.rglob(TOKENIZER_FILE)
    tokenizer_file.write_text(json.dumps(cut_tokenizer(state, order), ensure_ascii=False), encoding="utf-8")


def _replace(undo: ExitStack, owner: Any, name: str, value: Any) -> None:
    undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _cut_table(undo: ExitStack, module: nn.Module, table: Any, order: Sequence[int]) -> None:
    """Keep some rows of a table, in every layer that shares its weights."""
    whole = table.weight
    rows = whole.detach()[torch.tensor(order, device=whole.device)]
    weight = nn.Parameter(rows, requires_grad=whole.requires_grad)
    for layer in module.modules():
        if getattr(layer, "weight", None) is whole:
            _replace(undo, layer, "weight", weight)


def _cut_config(undo: ExitStack, transformer: Any, order: Sequence[int]) -> None:
    """Set the size of the vocabulary and the token ids in a copy of the config."""
    new = {old: number for number, old in enumerate(order)}
    size = transformer.get_input_embeddings().num_embeddings
    config = copy.deepcopy(transformer.config)
    for part in _config_parts(config):
        if getattr(part, "vocab_size", None) == size:
            part.vocab_size = len(order)
        for name, value in list(_token_settings(part)):
            many = [
                new.get(old, old if old < 0 else None)
                for old in ([value] if isinstance(value, int) else value)
            ]
            setattr(part, name, many[0] if isinstance(value, int) else many)
    _replace(undo, transformer, "config", config)


def _config_parts(config: Any) -> Iterator[Any]:
    """Yield a config and those inside it."""
    yield config
    for name in getattr(config, "sub_configs", {}):
        if (part := getattr(config, name, None)) is not None:
            yield from _config_parts(part)


def _token_settings(config: Any) -> Iterator[tuple[str, int | list[int]]]:
    for name, value in vars(config).items():
        whole = isinstance(value, int) or (isinstance(value, list) and all(isinstance(v, int) for v in value))
        if name.endswith(NUMBERS) and whole:
            yield name, value
