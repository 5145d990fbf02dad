"""Models of mteb's registry, loaded and asked as mteb does, measured as panglot does."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from panglot.data import FloatArray
from panglot.data.benchmark import Benchmark
from panglot.data.suite import Suite, as_benchmark
from panglot.errors import PanglotError, first_line, needs
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.results import Evaluation, describe_other
from panglot.progress import Shown, shown

PREFIX = "mteb:"
SPLIT, MAIN = "test", "ndcg_at_10"
PART = 1024  # texts between two reports of progress
BATCH = 32


def mteb_evaluation(
    name: str,
    chosen: Benchmark | Suite,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    progress: Shown = None,
) -> Evaluation:
    """Measure a model of mteb's registry, such as ``mteb:intfloat/multilingual-e5-base``; see ``evaluate``.

    mteb chooses the prompts. Embeddings are compared by cosine.

    Raises:
        PanglotError: mteb is not installed, does not know the model or cannot load it, or the model is not an
            encoder that gives one vector for a text.
    """
    needs("mteb", "mteb")
    import mteb
    from mteb.models.models_protocols import EncoderProtocol

    from panglot.evaluation.run import assembled, evaluate_embeddings  # torch; the exports do without

    for measure in measures:
        parse_measure(measure)
    known = name.removeprefix(PREFIX)
    try:
        model = mteb.get_model(known)
    except Exception as error:  # each model's own loader raises its own
        raise PanglotError(
            f"mteb cannot load '{known}' ({type(error).__name__}: {first_line(error)})."
        ) from error
    if not isinstance(model, EncoderProtocol):
        raise PanglotError(f"mteb's '{known}' is not an encoder; name a model that encodes texts.")
    whole = as_benchmark(chosen)
    with shown(progress, "encoding", len(whole.queries) + len(whole.passages)) as advance:
        queries = _encoded(model, whole, whole.queries.texts, "query", advance)
        passages = _encoded(model, whole, whole.passages.titled(), "document", advance)
    meta = model.mteb_model_meta
    of_mteb = {"version": mteb.__version__, "revision": meta.revision if meta is not None else None}
    described = describe_other(f"{PREFIX}{known}", mteb=of_mteb)
    return assembled(chosen, evaluate_embeddings(chosen, queries, passages, measures), described)


def task_metadata(benchmark: Benchmark, name: str, description: str, languages: Any) -> Any:
    """Return what mteb wants to know of a task: a benchmark's retrieval; ``languages`` as mteb has them."""
    from mteb.abstasks.task_metadata import TaskMetadata

    return TaskMetadata(
        name=name,
        description=description,
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=[SPLIT],
        eval_langs=languages,
        main_score=MAIN,
        # mteb fetches nothing: it is given what panglot has read
        dataset={"path": benchmark.name, "revision": benchmark.sha256},
    )


def _encoded(model: Any, benchmark: Benchmark, texts: Sequence[str], role: str, advance: Any) -> FloatArray:
    """Encode texts through mteb's interface into unit vectors ``(n, d)``."""
    from datasets import Dataset
    from mteb.types import PromptType
    from torch.utils.data import DataLoader

    task = task_metadata(
        benchmark, benchmark.name, f"{benchmark.name}, as panglot measures it.", ["mul-Latn"]
    )
    parts = []
    for start in range(0, len(texts), PART):
        rows = Dataset.from_dict({"text": list(texts[start : start + PART])})
        found = model.encode(
            DataLoader(rows, batch_size=BATCH),
            task_metadata=task,
            hf_split=SPLIT,
            hf_subset="default",
            prompt_type=PromptType(role),
        )
        parts.append(np.asarray(found, np.float32))
        advance(len(rows))
    vectors = np.concatenate(parts)
    if vectors.ndim != 2:
        raise PanglotError("the model gives several vectors for a text; panglot measures one vector a text.")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
