"""panglot trains and measures one retriever for every language.

The public face: everything here is loaded on first use, so that ``import panglot`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from panglot.batches import Sampler as Sampler
    from panglot.batches import hybrid_dataset as hybrid_dataset
    from panglot.batches import make_sampler as make_sampler
    from panglot.data import Benchmark as Benchmark
    from panglot.data import ParallelPairs as ParallelPairs
    from panglot.data import benchmark_from_pairs as benchmark_from_pairs
    from panglot.data import join_pairs as join_pairs
    from panglot.data import load_benchmark as load_benchmark
    from panglot.data import load_pairs as load_pairs
    from panglot.data import pairs_from_benchmark as pairs_from_benchmark
    from panglot.data import sample_benchmark as sample_benchmark
    from panglot.data import sample_pairs as sample_pairs
    from panglot.encoders import encode as encode
    from panglot.encoders import load_encoder as load_encoder
    from panglot.encoders import load_reranker as load_reranker
    from panglot.errors import PanglotError as PanglotError
    from panglot.evaluation import Comparison as Comparison
    from panglot.evaluation import Evaluation as Evaluation
    from panglot.evaluation import compare_results
    from panglot.evaluation import load_results as load_results
    from panglot.evaluation.run import evaluate as evaluate
    from panglot.report.export import mteb_tasks as mteb_tasks
    from panglot.search import Index as Index
    from panglot.search import mine_negatives as mine_negatives
    from panglot.training import TrainingConfig as TrainingConfig
    from panglot.training import train as train

    compare = compare_results

_HOMES = {
    "Benchmark": "data",
    "Comparison": "evaluation",
    "Evaluation": "evaluation",
    "Index": "search",
    "PanglotError": "errors",
    "ParallelPairs": "data",
    "Sampler": "batches",
    "benchmark_from_pairs": "data",
    "compare": "evaluation",
    "encode": "encoders",
    "evaluate": "evaluation",
    "hybrid_dataset": "batches",
    "join_pairs": "data",
    "load_benchmark": "data",
    "load_encoder": "encoders",
    "load_pairs": "data",
    "load_reranker": "encoders",
    "load_results": "evaluation",
    "make_sampler": "batches",
    "mine_negatives": "search",
    "mteb_tasks": "report.export",
    "pairs_from_benchmark": "data",
    "sample_benchmark": "data",
    "sample_pairs": "data",
    "TrainingConfig": "training",
    "train": "training",
}
_NAMES = {"compare": "compare_results"}  # where a home has another name for it
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'panglot' has no attribute '{name}'")
    return getattr(import_module(f"panglot.{_HOMES[name]}"), _NAMES.get(name, name))
