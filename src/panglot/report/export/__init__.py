"""Exported results and models: files for mteb, model cards, uploads to the hub.

TREC runs and qrels are written by the evaluation itself, which has the rankings: see ``evaluation.trec``.
"""

from panglot.report.export.hub import eval_results, names_licence, push_model, write_model_index
from panglot.report.export.mteb import mteb_tasks, task_results, write_mteb

__all__ = [
    "eval_results",
    "mteb_tasks",
    "names_licence",
    "push_model",
    "task_results",
    "write_model_index",
    "write_mteb",
]
