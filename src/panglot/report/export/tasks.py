"""A benchmark as tasks of mteb, so that any model that mteb knows is measured in the three settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panglot.data import Benchmark, IntArray, load_benchmark
from panglot.data.suite import SETTINGS
from panglot.errors import PanglotError, needs
from panglot.evaluation.mteb_models import SPLIT, task_metadata
from panglot.report.export.mteb import with_script

if TYPE_CHECKING:
    from mteb.abstasks import AbsTaskRetrieval

Subset = tuple[str, int | None, int | None]  # its name; language of the queries and of the pool, None for all


def mteb_tasks(benchmark: Benchmark | str, settings: Sequence[str] = SETTINGS) -> list[AbsTaskRetrieval]:
    """Return a benchmark as tasks of mteb 2, one a setting, for ``mteb.evaluate(model, tasks)``.

    The subsets of a task are query languages (monolingual, multilingual) or language pairs (cross-lingual),
    and its score is mteb's mean over them, which is panglot's figure. The pool of the multilingual task holds
    the passages in all languages. mteb's ``map_at_1000`` looks at 1,000 passages, and panglot's AP at all.

    Args:
        benchmark: with Q queries, or the name of one whose data is at hand.
        settings: which tasks; those that the benchmark lacks are left out.

    Raises:
        PanglotError: mteb is not installed, an unknown setting, or a benchmark whose queries leave passages
            out of the pool, which mteb cannot.
    """
    needs("mteb", "mteb")
    if unknown := set(settings) - set(SETTINGS):
        raise PanglotError(f"'{min(unknown)}' is not a setting; use {', '.join(SETTINGS)}.")
    if isinstance(benchmark, str):
        benchmark = load_benchmark(benchmark)
    if (benchmark.gains < 0).any():
        raise PanglotError(
            f"{benchmark.name}: some queries leave passages out of the pool, which mteb cannot; "
            "use panglot evaluate."
        )
    found = ((setting, list(_subsets(benchmark, setting))) for setting in settings)
    return [_task(benchmark, setting, subsets) for setting, subsets in found if subsets]


def _subsets(benchmark: Benchmark, setting: str) -> Iterator[Subset]:
    """Yield the subsets of a setting that hold a relevant passage for some query."""
    codes = benchmark.languages
    relevant = benchmark.gains > 0
    asked = benchmark.queries.languages[benchmark.judged_query[relevant]]
    pools = benchmark.passages.languages[benchmark.judged_passage[relevant]]
    cells = set(zip(asked.tolist(), pools.tolist(), strict=True))
    if setting == "multilingual":
        if len(codes) > 1:
            yield from ((codes[x], x, None) for x in sorted({x for x, _ in cells}))
    elif setting == "monolingual":
        yield from ((codes[x], x, x) for x, y in sorted(cells) if x == y)
    else:
        yield from ((f"{codes[x]}-{codes[y]}", x, y) for x, y in sorted(cells) if x != y)


def _task(benchmark: Benchmark, setting: str, subsets: Sequence[Subset]) -> AbsTaskRetrieval:
    """Make a class of mteb's for a setting, as mteb keeps metadata with classes, and an object of it."""
    from mteb.abstasks import AbsTaskRetrieval

    codes = benchmark.languages
    languages = {
        name: [with_script(codes[k]) for k in dict.fromkeys((x, x if y is None else y)) if k is not None]
        for name, x, y in subsets
    }
    what = f"{benchmark.name}, as panglot measures it in the {setting} setting."
    metadata = task_metadata(benchmark, f"{benchmark.name}-{setting}", what, languages)

    def load_data(self: Any, *_: Any, **__: Any) -> None:
        if not self.data_loaded:
            wanted = [subset for subset in subsets if subset[0] in self.hf_subsets]
            self.dataset = {name: {SPLIT: _data(benchmark, x, y)} for name, x, y in wanted}
            self.data_loaded = True

    made = type(
        f"Panglot{setting.title()}", (AbsTaskRetrieval,), {"metadata": metadata, "load_data": load_data}
    )
    return made()


def _data(benchmark: Benchmark, x: int | None, y: int | None) -> dict[str, Any]:
    """Return queries in a language, the pool in another (None: all), and judgements, as mteb has them."""
    from datasets import Dataset

    queries, passages = benchmark.queries, benchmark.passages
    of_query = np.flatnonzero(queries.languages == x)
    of_pool = np.arange(len(passages)) if y is None else np.flatnonzero(passages.languages == y)
    asked = np.isin(benchmark.judged_query, of_query) & np.isin(benchmark.judged_passage, of_pool)
    judged: dict[str, dict[str, int]] = {}
    rows = (benchmark.judged_query, benchmark.judged_passage, benchmark.gains)
    for q, p, gain in zip(*(column[asked & (benchmark.gains > 0)].tolist() for column in rows), strict=True):
        judged.setdefault(queries.ids[q], {})[passages.ids[p]] = gain

    def table(ids: Sequence[str], texts: Sequence[str], kept: IntArray) -> Dataset:
        return Dataset.from_dict({"id": [ids[k] for k in kept], "text": [texts[k] for k in kept]})

    return {
        "queries": table(queries.ids, queries.texts, of_query),
        "corpus": table(passages.ids, passages.titled(), of_pool),
        "relevant_docs": judged,
        "top_ranked": None,
    }
