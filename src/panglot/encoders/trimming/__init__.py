"""Trimming: an encoder with only the vocabulary that some languages need."""

from panglot.encoders.trimming.choice import lines_of
from panglot.encoders.trimming.trim import TRIM_FILE, trim_encoder

__all__ = ["TRIM_FILE", "lines_of", "trim_encoder"]
