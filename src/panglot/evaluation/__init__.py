"""Evaluation: exact ranks, measures, three settings, results."""

from panglot.evaluation.evaluate import embed_benchmark, evaluate, evaluate_embeddings
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.ranks import Ranks, exact_ranks
from panglot.evaluation.results import Evaluation, describe_run, versions
from panglot.evaluation.settings import ALL, per_query, summarise
from panglot.evaluation.trec import write_runs

__all__ = [
    "ALL",
    "DEFAULT_MEASURES",
    "Evaluation",
    "Ranks",
    "describe_run",
    "embed_benchmark",
    "evaluate",
    "evaluate_embeddings",
    "exact_ranks",
    "parse_measure",
    "per_query",
    "summarise",
    "versions",
    "write_runs",
]
