"""Does hybrid training help low-resource languages, zero-shot, against the other strategies?"""

from panglot.experiments.questions.low_resource.question import TITLE, answer, plan

__all__ = ["TITLE", "answer", "plan"]
