"""Machine translation: pairs made parallel with any translation model that transformers loads."""

from panglot.encoders.translation.checks import Bounds, problem_of
from panglot.encoders.translation.models import Translator, load_translator
from panglot.encoders.translation.texts import translate_texts
from panglot.encoders.translation.translate import FIELDS, Translation, translate_pairs

__all__ = [
    "FIELDS",
    "Bounds",
    "Translation",
    "Translator",
    "load_translator",
    "problem_of",
    "translate_pairs",
    "translate_texts",
]
