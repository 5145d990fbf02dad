"""What do more training languages and larger batches buy, and what do they cost?"""

from panglot.experiments.questions.scaling.plan import plan
from panglot.experiments.questions.scaling.question import TITLE, answer, prepare

__all__ = ["TITLE", "answer", "plan", "prepare"]
