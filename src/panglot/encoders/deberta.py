"""DeBERTa's tokenizer as its SentencePiece model has it.

A SentencePiece model holds a map of characters, by which a full-width comma becomes a plain one before pieces
are looked for. The tokenizer class of transformers 5 leaves DeBERTa's map out (version 4 had it), and then a
Chinese comma is an unknown token.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import normalizers
from transformers.convert_slow_tokenizer import SentencePieceExtractor

from panglot.parse import read_form

CLASS = "DebertaV2Tokenizer"
SENTENCEPIECE, SAVED = "spm.model", "tokenizer.json"


def restore_character_map(tokenizer: Any, find: Callable[[str], str | None]) -> None:
    """Put the character map before the other steps of a DeBERTa tokenizer; leave all others alone.

    Args:
        find: returns the path of a file of the model, or None where it has none of that name.
    """
    if type(tokenizer).__name__ != CLASS or "Precompiled(" in repr(tokenizer.backend_tokenizer.normalizer):
        return
    character_map = _character_map(find(SAVED), find(SENTENCEPIECE))
    if character_map:
        steps = [normalizers.Precompiled(character_map), tokenizer.backend_tokenizer.normalizer]
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(steps)


def _character_map(saved: str | None, sentencepiece: str | None) -> bytes | None:
    """Read the map from a saved tokenizer, else from a SentencePiece model."""
    if saved is not None:
        normalizer = read_form(Path(saved), dict[str, Any]).get("normalizer") or {}
        for step in normalizer.get("normalizers", [normalizer]):
            if step.get("type") == "Precompiled":
                return base64.b64decode(step["precompiled_charsmap"])
        return None
    if sentencepiece is None:
        return None
    return bytes(SentencePieceExtractor(sentencepiece).proto.normalizer_spec.precompiled_charsmap)
