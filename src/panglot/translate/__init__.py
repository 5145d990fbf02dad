"""Machine translation: pairs made parallel with any translation model that transformers loads."""

from panglot.translate.checks import Bounds, problem_of
from panglot.translate.models import Translator, load_translator
from panglot.translate.texts import translate_texts
from panglot.translate.translate import FIELDS, Translation, translate_pairs

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
