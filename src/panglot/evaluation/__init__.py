"""Evaluation: exact ranks, measures, three settings, results."""

from panglot.evaluation.cells import ALL
from panglot.evaluation.compare import compare
from panglot.evaluation.confidence import intervals
from panglot.evaluation.drops import perturbed_drops
from panglot.evaluation.evaluate import embed_benchmark, evaluate, evaluate_embeddings
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.ranks import Ranks, exact_ranks
from panglot.evaluation.results import Evaluation, describe_run, load_results, versions
from panglot.evaluation.settings import per_query, summarise
from panglot.evaluation.suite import evaluate_suite
from panglot.evaluation.trec import write_runs

__all__ = [
    "ALL",
    "DEFAULT_MEASURES",
    "Evaluation",
    "Ranks",
    "compare",
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
    "versions",
    "write_runs",
]
