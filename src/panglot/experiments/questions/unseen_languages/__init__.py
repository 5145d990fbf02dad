"""How far does each strategy reach languages, scripts and families that are left out of training?"""

from panglot.experiments.questions.unseen_languages.question import TITLE, answer, plan

__all__ = ["TITLE", "answer", "plan"]
