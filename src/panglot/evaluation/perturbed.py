"""Robustness: the same evaluation with the queries as people also type them."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark
from panglot.data.perturb import Lexicon, perturb, share_changed
from panglot.encoders import LanguageMeans, centre, encode, query_prompt
from panglot.evaluation.drops import perturbed_drops
from panglot.evaluation.left_out import ranks_without_left_out
from panglot.evaluation.scores import Vectors
from panglot.evaluation.settings import per_query


def perturbed_figures(
    model: SentenceTransformer,
    benchmark: Benchmark,
    passages: Vectors,
    table: pa.Table,
    kinds: Sequence[str],
    measure: str,
    *,
    means: LanguageMeans | None = None,
    lexicon: Lexicon | None = None,
    seed: int = 0,
    bf16: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Measure a model again on changed queries; the passages are not encoded again.

    Args:
        model: the encoder.
        benchmark: as it is.
        passages: ``(P, d)`` vectors of its passages, centred if ``means`` are given.
        table: the ``per_query`` table of the queries as they are.
        kinds: of change; see ``panglot.data.perturb.KINDS``.
        measure: a column of the table.
        means: what was taken away from queries and passages.
        lexicon: word pairs, for code-switching.
        seed: of the changes.
        bf16: encode in bfloat16.
        progress: called with the number of queries just encoded.

    Returns:
        by kind, what ``perturbed_drops`` says.
    """
    found = {}
    for kind in kinds:
        changed = perturb(benchmark, kind, seed, lexicon)
        queries = encode(model, changed.queries.texts, query_prompt(model), bf16=bf16, progress=progress)
        if means is not None:
            queries = centre(queries, changed.queries.languages, changed.languages, means.query)
        after = per_query(changed, ranks_without_left_out(changed, queries, passages), [measure])
        found[kind] = perturbed_drops(table, after, measure, share_changed(benchmark, changed))
    return found
