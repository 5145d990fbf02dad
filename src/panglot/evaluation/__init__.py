"""Evaluation: exact ranks, measures, three settings, results."""

from panglot.evaluation.aggregate import ALL, per_query, summarise
from panglot.evaluation.bootstrap import intervals
from panglot.evaluation.compare import Comparison, compare, compare_results
from panglot.evaluation.evaluate import embed_benchmark, evaluate, evaluate_embeddings
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.ranks import Ranks, exact_ranks
from panglot.evaluation.results import Evaluation, describe_run, load_results, tidy, versions
from panglot.evaluation.robustness import perturbed_drops
from panglot.evaluation.suite import evaluate_suite
from panglot.evaluation.trec import write_runs

__all__ = [
    "ALL",
    "DEFAULT_MEASURES",
    "Comparison",
    "Evaluation",
    "Ranks",
    "compare",
    "compare_results",
    "describe_run",
    "embed_benchmark",
    "evaluate",
    "evaluate_embeddings",
    "evaluate_suite",
    "exact_ranks",
    "intervals",
    "load_results",
    "parse_measure",
    "per_query",
    "perturbed_drops",
    "summarise",
    "tidy",
    "versions",
    "write_runs",
]
