"""One leaderboard: encoders tuned with hybrid batches against encoders as they come, and BM25."""

from panglot.experiments.questions.baselines.question import TITLE, answer, plan

__all__ = ["TITLE", "answer", "plan"]
