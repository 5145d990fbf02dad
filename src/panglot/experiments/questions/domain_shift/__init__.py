"""One model for all languages, or one model a language: which keeps more of its gain outside its domain?"""

from panglot.experiments.questions.domain_shift.question import TITLE, answer, plan

__all__ = ["TITLE", "answer", "plan"]
