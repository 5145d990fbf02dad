"""The vocabulary of an encoder, cut down such that texts made of the pieces kept are read as before.

Works on the JSON form of the library ``tokenizers``. A text is *covered* when every piece that the whole
tokenizer reads it as is kept. The cut tokenizer reads a covered text as the same pieces:

- Unigram takes the segmentation with the highest sum of scores. It is still there, and has fewer rivals. The
  score of an unknown character hangs on the lowest score of all, so the lowest piece stays (``basic_ids``).
- WordPiece takes the longest piece that matches, again and again. It is still there, and no longer one has
  come. A word that gets stuck half way is unknown as a whole, and must get stuck again (``stuck_pieces``).
- BPE merges the pair of the lowest rank, again and again. All pairs that it merges on the way to a kept piece
  stay (``with_parts``), so the lowest one is the same at every step.
- WordLevel looks each word up.
"""

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from torch import nn

from panglot.encoders.load import save_encoder
from panglot.errors import PanglotError

State = dict[str, Any]
KINDS = ("Unigram", "WordPiece", "BPE", "WordLevel")
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
TOKENIZER_FILE = "tokenizer.json"
NUMBERS = ("_token_id", "_token_ids", "_token_index")  # endings of settings that name a token by its id


@dataclass(frozen=True)
class Vocabulary:
    """How an encoder reads texts.

    Attributes:
        state: the tokenizer in the JSON form of ``tokenizers``.
        pieces: text of each id.
        unknown: the id of what has no piece.
        tokenizer: reads texts of any length.
    """

    state: State
    pieces: list[str]
    unknown: int | None
    tokenizer: Tokenizer

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of texts with those put around them, however long."""
        return [one.ids for one in self.tokenizer.encode_batch_fast(list(texts))]


def vocabulary_of(model: SentenceTransformer) -> Vocabulary:
    """Return how an encoder reads texts.

    Raises:
        PanglotError: it is not a transformer with a fast tokenizer of a known kind.
    """
    module: Any = model[0]
    tokenizer: Any = getattr(module, "tokenizer", None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer) or not hasattr(module, "model"):
        raise PanglotError(
            f"A model that reads text with {type(tokenizer or module).__name__} cannot be trimmed. "
            "Use a transformer with a fast tokenizer (a tokenizer.json)."
        )
    state: State = json.loads(backend.to_str())
    rows = module.model.get_input_embeddings().num_embeddings  # <image> may have none
    state["added_tokens"] = [token for token in state["added_tokens"] if token["id"] < rows]
    if state["model"]["type"] not in KINDS:
        raise PanglotError(
            f"a tokenizer of the kind {state['model']['type']} cannot be trimmed; only {KINDS}."
        )
    whole = Tokenizer.from_str(json.dumps(state))
    whole.no_truncation()
    whole.no_padding()
    numbers = pieces_of(state)
    pieces = [""] * (max(numbers.values()) + 1)
    for piece, number in numbers.items():
        pieces[number] = piece
    return Vocabulary(state, pieces, unknown_id(state), whole)


def pieces_of(state: State) -> dict[str, int]:
    """Return the id of each piece: those of the tokenizer's model and those added to it."""
    return _model_pieces(state) | {token["content"]: token["id"] for token in state["added_tokens"]}


def unknown_id(state: State) -> int | None:
    """Return the id of what has no piece; None where there is none."""
    if "unk_id" in state["model"]:
        return state["model"]["unk_id"]  # type: ignore[no-any-return]
    return pieces_of(state).get(state["model"].get("unk_token") or "")


def special_ids(state: State) -> set[int]:
    """Return the ids that a tokenizer is built on: added tokens, the unknown one, those put around texts."""
    ids = {token["id"] for token in state["added_tokens"]}
    unknown = unknown_id(state)
    if unknown is not None:
        ids.add(unknown)
    if state.get("padding"):
        ids.add(state["padding"]["pad_id"])

    def note(number: int) -> int:
        ids.add(number)
        return number

    _renumber_processor(state.get("post_processor"), note)
    return ids


def basic_ids(state: State) -> set[int]:
    """Return the ids that make any text readable as before: bytes, and Unigram's lowest piece."""
    model, pieces = state["model"], _model_pieces(state)
    ids = set()
    if model.get("byte_fallback"):
        ids = {number for piece, number in pieces.items() if BYTE.fullmatch(piece)}
    elif is_byte_level(state):
        ids = {number for piece, number in pieces.items() if len(piece) == 1}
    if model["type"] == "Unigram":
        ids.add(min(range(len(model["vocab"])), key=lambda number: model["vocab"][number][1]))
    return ids


def is_byte_level(state: State) -> bool:
    """Say whether the letters of the pieces stand for bytes, as GPT-2 has it."""
    return '"ByteLevel"' in json.dumps([state.get("pre_tokenizer"), state.get("normalizer")])


def reads_bytes(state: State) -> bool:
    """Say whether a character without a piece of its own is read byte by byte, and never unknown."""
    return bool(state["model"].get("byte_fallback")) or is_byte_level(state)


def with_parts(state: State, keep: set[int]) -> set[int]:
    """Return the ids with those of all pieces that BPE makes on the way to them."""
    model = state["model"]
    if model["type"] != "BPE":
        return keep
    pieces = _model_pieces(state)
    ranks = {(left, right): rank for rank, (left, right) in enumerate(model["merges"])}
    prefix, suffix = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""
    out = set(keep)
    for piece, number in pieces.items():
        if number in keep:
            made = _made(_letters(piece, prefix, suffix), ranks, prefix)
            out.update(pieces[part] for part in made if part in pieces)
    return out


def stuck_pieces(state: State, tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of the pieces at which WordPiece stops in words that are unknown as a whole."""
    model = state["model"]
    if model["type"] != "WordPiece":
        return []
    pieces, prefix = model["vocab"], model["continuing_subword_prefix"]
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    words = [text]
    if tokenizer.pre_tokenizer is not None:
        words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
    return [
        number
        for word in words
        if len(word) <= model["max_input_chars_per_word"]
        for number in _stuck(word, pieces, prefix)
    ]


def number_anew(state: State, keep: set[int], fixed: Iterable[int]) -> list[int]:
    """Return the old ids in the order of the new ones.

    Ids in ``fixed`` stay what they are where that leaves no gap: RoBERTa counts positions from the padding id
    on, and some classes of tokenizers know the unknown id by heart. Tokens outside the model's pieces come
    last.
    """
    inside = set(_model_pieces(state).values())
    kept = sorted(keep & inside)
    stay = {number for number in fixed if number < len(kept)} & set(kept)
    others = (number for number in kept if number not in stay)
    order = [number if number in stay else next(others) for number in range(len(kept))]
    return order + sorted(keep - inside)


def cut_tokenizer(state: State, order: Sequence[int]) -> State:
    """Return the tokenizer with only some pieces: new id k is old id ``order[k]``."""
    new = {old: number for number, old in enumerate(order)}
    model = dict(state["model"])
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in order if old < len(model["vocab"])]
        if model["unk_id"] is not None:
            model["unk_id"] = new[model["unk_id"]]
    else:
        kept = {piece: new[old] for piece, old in model["vocab"].items() if old in new}
        model["vocab"] = dict(sorted(kept.items(), key=lambda item: item[1]))
    if model["type"] == "BPE":
        cut = len(model.get("continuing_subword_prefix") or "")
        model["merges"] = [
            [left, right]
            for left, right in model["merges"]
            if {left, right, left + right[cut:]} <= model["vocab"].keys()
        ]
    added = [{**token, "id": new[token["id"]]} for token in state["added_tokens"]]
    padding = state.get("padding")
    return {
        **state,
        "model": model,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "padding": padding and {**padding, "pad_id": new[padding["pad_id"]]},
        "post_processor": _renumber_processor(state.get("post_processor"), new.__getitem__),
    }


def _model_pieces(state: State) -> dict[str, int]:
    vocabulary = state["model"]["vocab"]
    if isinstance(vocabulary, list):
        return {piece: number for number, (piece, _) in enumerate(vocabulary)}
    return dict(vocabulary)


def _renumber_processor(processor: Any, number: Callable[[int], int]) -> Any:
    """Return a post-processor (which puts special tokens around a text) with other ids."""
    if processor is None:
        return None
    out = dict(processor)
    if "processors" in out:  # Sequence
        out["processors"] = [_renumber_processor(part, number) for part in out["processors"]]
    if out["type"] == "TemplateProcessing":
        out["special_tokens"] = {
            name: {**token, "ids": [number(old) for old in token["ids"]]}
            for name, token in out["special_tokens"].items()
        }
    for end in ("sep", "cls"):  # BertProcessing, RobertaProcessing
        if end in out:
            token, old = out[end]
            out[end] = [token, number(old)]
    return out


def _letters(piece: str, prefix: str, suffix: str) -> list[str]:
    """Return the symbols that BPE begins with on its way to a piece."""
    begins = not (prefix and piece.startswith(prefix))
    ends = bool(suffix) and piece.endswith(suffix)
    letters = list(piece.removesuffix(suffix) if begins else piece.removesuffix(suffix).removeprefix(prefix))
    letters = [letter if begins and place == 0 else prefix + letter for place, letter in enumerate(letters)]
    return [*letters[:-1], letters[-1] + suffix] if ends and letters else letters


def _made(symbols: list[str], ranks: dict[tuple[str, str], int], prefix: str) -> set[str]:
    """Merge symbols as BPE does and return all that came up."""
    made = set(symbols)
    never = len(ranks)
    while len(symbols) > 1:
        rank, place = min((ranks.get(pair, never), place) for place, pair in enumerate(pairwise(symbols)))
        if rank == never:
            break
        merged = symbols[place] + symbols[place + 1][len(prefix) :]
        symbols = [*symbols[:place], merged, *symbols[place + 2 :]]
        made.add(merged)
    return made


def _stuck(word: str, pieces: dict[str, int], prefix: str) -> list[int]:
    """Return the pieces that WordPiece takes from a word before it finds none; nothing if it gets through."""
    taken: list[int] = []
    start = 0
    while start < len(word):
        lead = prefix if start else ""
        end = len(word)
        while end > start and lead + word[start:end] not in pieces:
            end -= 1
        if end == start:
            return taken
        taken.append(pieces[lead + word[start:end]])
        start = end
    return []


# the encoder around it


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
    """Write an encoder with only some pieces of its vocabulary: new id k is old id ``order[k]``."""
    module: Any = model[0]
    with ExitStack() as undo:
        _cut_config(undo, module.model, order)
        _cut_table(undo, module.model, module.model.get_input_embeddings(), order)
        save_encoder(model, folder)
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
    yield config
    for name in getattr(config, "sub_configs", {}):
        if (part := getattr(config, name, None)) is not None:
            yield from _config_parts(part)


def _token_settings(config: Any) -> Iterator[tuple[str, int | list[int]]]:
    for name, value in vars(config).items():
        whole = isinstance(value, int) or (isinstance(value, list) and all(isinstance(v, int) for v in value))
        if name.endswith(NUMBERS) and whole:
            yield name, value
