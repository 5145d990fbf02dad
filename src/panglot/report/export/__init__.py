"""Results where others keep theirs: mteb's files, and the evaluation part of a model card.

TREC runs and qrels are written by the evaluation itself, which has the rankings: see ``evaluation.trec``.
"""

from panglot.report.export.model_index import eval_results, write_model_index
from panglot.report.export.mteb import task_results, write_mteb

__all__ = ["eval_results", "task_results", "write_model_index", "write_mteb"]
