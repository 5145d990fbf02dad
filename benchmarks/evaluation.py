"""XQuAD-R from given embeddings: 121 language pairs, one multilingual pool and rank distance, timed.

Compared, in one run and with the same embeddings, with the bare matrix products and with
sentence-transformers' InformationRetrievalEvaluator looped over the same settings.

python benchmarks/evaluation.py [--data FOLDER_OF_XQUAD_R] [--settings N]

Without --data, a synthetic benchmark of the same shape (11 languages, 1,190 questions and 1,183 sentences
each, 512 dimensions) is used. --settings times the evaluator on N of the language pairs and scales up.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from timing import timed

from panglot.data import Benchmark, FloatArray, Texts, load_benchmark
from panglot.encoders import encode, load_encoder
from panglot.evaluation import evaluate_embeddings


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--settings", type=int, default=6)
    arguments = parser.parse_args()
    if arguments.data is None:
        benchmark, queries, passages = synthetic()
    else:
        benchmark = load_benchmark("xquad-r", arguments.data)
        model = load_encoder("multilingual-e5-small")
        queries, passages = encode(model, benchmark.queries.texts), encode(model, benchmark.passages.texts)
    q, p = torch.from_numpy(queries), torch.from_numpy(passages)
    products = timed(lambda: products_only(q, p, benchmark), 5)
    ours = timed(lambda: evaluate_embeddings(benchmark, queries, passages), 5)
    figures = evaluate_embeddings(benchmark, queries, passages).results["settings"]
    per_pair, pool, theirs_map = evaluator_times(benchmark, q, p, arguments.settings)
    pairs = len(benchmark.languages) ** 2
    theirs = per_pair * pairs + pool * len(benchmark.languages)
    print(
        json.dumps(
            {
                "benchmark": f"{len(benchmark.queries)} queries, {len(benchmark.passages)} passages",
                "matrix products, s": round(products, 2),
                "panglot, s": round(ours, 2),
                "panglot / matrix products": round(ours / products, 2),
                "InformationRetrievalEvaluator, s a language pair": round(per_pair, 2),
                "InformationRetrievalEvaluator, s a query language in the pool": round(pool, 2),
                f"InformationRetrievalEvaluator, s for {pairs} pairs and the pool": round(theirs, 1),
                "InformationRetrievalEvaluator / panglot": round(theirs / ours, 1),
                "panglot's mAP": {name: value and value["AP"] for name, value in figures.items()},
                "its mAP of the timed pairs": theirs_map,
                "threads": torch.get_num_threads(),
            },
            indent=2,
        )
    )


def products_only(queries: torch.Tensor, passages: torch.Tensor, benchmark: Benchmark) -> None:
    """Multiply the queries of each language with all passages, and look at nothing."""
    for code in range(len(benchmark.languages)):
        queries[torch.from_numpy(benchmark.queries.languages == code)] @ passages.t()


def evaluator_times(
    benchmark: Benchmark, queries: torch.Tensor, passages: torch.Tensor, settings: int
) -> tuple[float, float, dict[str, float]]:
    """Time the evaluator on some language pairs and on one query language in the multilingual pool."""
    rng = np.random.default_rng(0)
    languages = len(benchmark.languages)
    chosen = [tuple(rng.integers(0, languages, 2)) for _ in range(settings)]
    seconds, figures = [], {}
    for a, b in chosen:
        spent, found = run_evaluator(benchmark, queries, passages, int(a), int(b))
        seconds.append(spent)
        figures[f"{benchmark.languages[a]}-{benchmark.languages[b]}"] = found
    pool, _ = run_evaluator(benchmark, queries, passages, 0, None)
    return statistics.mean(seconds), pool, figures


def run_evaluator(
    benchmark: Benchmark, queries: torch.Tensor, passages: torch.Tensor, language: int, pool: int | None
) -> tuple[float, float]:
    """Run the evaluator on given embeddings for the measures that panglot reports; return seconds and mAP."""
    q_rows = np.flatnonzero(benchmark.queries.languages == language)
    everything = np.arange(len(benchmark.passages))
    p_rows = everything if pool is None else np.flatnonzero(benchmark.passages.languages == pool)
    wanted = set(p_rows.tolist())
    relevant: dict[str, set[str]] = {}
    for query, passage in zip(
        benchmark.judged_query.tolist(), benchmark.judged_passage.tolist(), strict=True
    ):
        if passage in wanted:
            relevant.setdefault(str(query), set()).add(str(passage))
    evaluator = InformationRetrievalEvaluator(
        queries={str(k): str(k) for k in q_rows if str(k) in relevant},
        corpus={str(k): str(k) for k in p_rows},
        relevant_docs=relevant,
        map_at_k=[len(p_rows)],
        ndcg_at_k=[10],
        mrr_at_k=[10],
        accuracy_at_k=[1],
        precision_recall_at_k=[100],
        write_csv=False,
    )
    begun = time.perf_counter()
    scores = evaluator(_Given(queries, passages))  # type: ignore[arg-type]
    return time.perf_counter() - begun, float(scores[f"cosine_map@{len(p_rows)}"])


class _Given:
    """Stands in for a model: a text is the row of its embedding."""

    def __init__(self, queries: torch.Tensor, passages: torch.Tensor) -> None:
        self.queries, self.passages = queries, passages
        self.similarity_fn_name = "cosine"
        self.model_card_data = self

    def encode_query(self, texts: list[str], **_: object) -> torch.Tensor:
        """Return the rows of the queries."""
        return self.queries[[int(text) for text in texts]]

    def encode_document(self, texts: list[str], **_: object) -> torch.Tensor:
        """Return the rows of the passages."""
        return self.passages[[int(text) for text in texts]]

    def similarity(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return cosines of unit vectors."""
        return a @ b.t()

    def set_evaluation_metrics(self, *_: object, **__: object) -> None:
        """Ignore what a model card would note."""


def synthetic() -> tuple[Benchmark, FloatArray, FloatArray]:
    """Return a benchmark of XQuAD-R's shape with random embeddings that lean on their item and language."""
    rng = np.random.default_rng(0)
    languages, items, sentences, width = 11, 1190, 1183, 512
    meaning = rng.standard_normal((sentences, width))
    accent = rng.standard_normal((languages, width))

    def vectors(rows: np.ndarray, codes: np.ndarray) -> FloatArray:
        found = meaning[rows] + accent[codes] + rng.standard_normal((len(rows), width))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    q_item = np.tile(np.arange(items), languages)
    q_code = np.repeat(np.arange(languages), items)
    p_row = np.tile(np.arange(sentences), languages)
    p_code = np.repeat(np.arange(languages), sentences)
    judged_query = np.repeat(np.arange(len(q_item)), languages)
    answer = q_item[judged_query] % sentences
    benchmark = Benchmark(
        name="synthetic",
        languages=("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"),
        queries=Texts([f"q{k}" for k in range(len(q_item))], q_code, [""] * len(q_item)),
        passages=Texts([f"p{k}" for k in range(len(p_row))], p_code, [""] * len(p_row)),
        query_items=q_item,
        judged_query=judged_query,
        judged_passage=answer + np.tile(np.arange(languages), len(q_item)) * sentences,
        gains=np.ones(len(judged_query), np.int64),
    )
    return benchmark, vectors(q_item % sentences, q_code), vectors(p_row, p_code)


if __name__ == "__main__":
    main()
