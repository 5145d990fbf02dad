"""Encoders: loading any of them, encoding many texts fast."""

from panglot.encoders.encode import FloatArray, encode, token_batches, token_lengths
from panglot.encoders.load import (
    EMBEDDED,
    cut_at,
    load_encoder,
    model_sha256,
    passage_prompt,
    query_prompt,
)
from panglot.encoders.use_multilingual import UseMultilingual

__all__ = [
    "EMBEDDED",
    "FloatArray",
    "UseMultilingual",
    "cut_at",
    "encode",
    "load_encoder",
    "model_sha256",
    "passage_prompt",
    "query_prompt",
    "token_batches",
    "token_lengths",
]
