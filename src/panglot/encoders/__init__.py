"""Encoders: loading any of them, encoding many texts fast."""

from panglot.encoders.averaging import average
from panglot.encoders.embedded import EMBEDDED
from panglot.encoders.encode import FloatArray, encode, token_batches, token_lengths
from panglot.encoders.language_means import (
    LanguageMeans,
    RoleMeans,
    centre,
    centring_notes,
    check_means,
    count_texts,
    holds_language_means,
    load_language_means,
    means_of_pairs,
    means_of_texts,
    prompts_of,
    save_language_means,
)
from panglot.encoders.laser import Laser2
from panglot.encoders.load import (
    all_finite,
    cut_at,
    describe_prompts,
    known_names,
    load_encoder,
    model_sha256,
    passage_prompt,
    query_prompt,
)
from panglot.encoders.precision import bfloat16, computes_bfloat16, fast_attention
from panglot.encoders.store import Store, open_store

__all__ = [
    "EMBEDDED",
    "FloatArray",
    "LanguageMeans",
    "Laser2",
    "RoleMeans",
    "Store",
    "all_finite",
    "average",
    "bfloat16",
    "centre",
    "centring_notes",
    "check_means",
    "computes_bfloat16",
    "count_texts",
    "cut_at",
    "describe_prompts",
    "encode",
    "fast_attention",
    "holds_language_means",
    "known_names",
    "load_encoder",
    "load_language_means",
    "means_of_pairs",
    "means_of_texts",
    "model_sha256",
    "open_store",
    "passage_prompt",
    "prompts_of",
    "query_prompt",
    "save_language_means",
    "token_batches",
    "token_lengths",
]
