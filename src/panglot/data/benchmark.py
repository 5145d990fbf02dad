"""A benchmark: queries, passages and judgements, with a language on every text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from panglot.data.equality import connected, fingerprints
from panglot.data.index import IntArray, numbered
from panglot.data.pairs import ParallelPairs, Source, as_pairs, load_pairs, pairs_from_table
from panglot.data.pairs_files.columns import SCHEMA
from panglot.data.pairs_files.read import SAMPLE, SAMPLE_FOLDER
from panglot.data.text_column import TitledTexts, first_twice, pick
from panglot.errors import PanglotError, of_kind
from panglot.languages import check_among


@dataclass(frozen=True)
class Texts:
    """Texts with an id and a language each.

    Small sets are lists; large pools are columns on disk (``text_column.TextColumn``): look at them by index
    or slice, or iterate, but never make a list of all of them.
    """

    ids: Sequence[str]  # unique
    languages: IntArray  # ``(n,)`` position of each text's language in the benchmark's ``languages``
    texts: Sequence[str]  # n texts
    titles: Sequence[str] | None = None  # n titles, or None

    def __repr__(self) -> str:
        return f"Texts({len(self):,})"

    def __len__(self) -> int:
        return len(self.ids)

    def titled(self) -> Sequence[str]:
        """Return the texts with their titles in front, where there are any; nothing is copied."""
        return self.texts if self.titles is None else TitledTexts(self.titles, self.texts)


@dataclass(frozen=True)
class Benchmark:
    """What a model is measured on. A setting is a restriction by query language and by pool.

    Attributes:
        name: of the benchmark.
        languages: codes, sorted.
        queries: Q texts.
        passages: P texts.
        query_items: ``(Q,)`` the item (meaning) that each query is a translation of; resampling goes by it.
        judged_query: ``(J,)`` query row of each judgement, ascending.
        judged_passage: ``(J,)`` passage row of each judgement.
        gains: ``(J,)`` relevance; above 0 is relevant, 0 is judged not relevant; below 0 is left out of that
            query's pool (its own text).
        candidate_text: what a candidate is made of (LAReQA: ``sentence`` or ``sentence+context``).
        sha256: checksum of the data that it was read from.
        query_documents: ``(Q,)`` the document (article) that each query asks about; None: not known.
    """

    name: str
    languages: tuple[str, ...]
    queries: Texts
    passages: Texts
    query_items: IntArray
    judged_query: IntArray
    judged_passage: IntArray
    gains: IntArray
    candidate_text: str = "passage"
    sha256: str = ""
    query_documents: IntArray | None = None

    def __post_init__(self) -> None:
        for kind, texts in (("query", self.queries), ("passage", self.passages)):
            if (twice := first_twice(texts.ids)) is not None:
                raise PanglotError(f"{self.name}: {kind} id '{twice}' occurs twice; ids must be unique.")
        if not len(self.queries) or not len(self.passages):
            raise PanglotError(f"{self.name}: has no queries or no passages.")
        if not (self.gains > 0).any():
            raise PanglotError(f"{self.name}: no query has a relevant passage.")

    def __repr__(self) -> str:
        sizes = f"{len(self.queries):,} queries, {len(self.passages):,} passages"
        return f"Benchmark({self.name!r}: {sizes}, {len(self.languages)} languages)"

    def restrict(self, languages: Sequence[str]) -> "Benchmark":
        """Return the benchmark of the queries and passages in some languages only."""
        check_among(languages, self.languages, self.name)
        kept = sorted(set(languages))
        code = np.full(len(self.languages), -1)
        code[[self.languages.index(language) for language in kept]] = np.arange(len(kept))
        queries, query_row = _subset(self.queries, code)
        passages, passage_row = _subset(self.passages, code)
        documents = self.query_documents
        judged = (query_row[self.judged_query] >= 0) & (passage_row[self.judged_passage] >= 0)
        return replace(
            self,
            languages=tuple(kept),
            queries=queries,
            passages=passages,
            query_items=self.query_items[query_row >= 0],
            judged_query=query_row[self.judged_query[judged]],
            judged_passage=passage_row[self.judged_passage[judged]],
            gains=self.gains[judged],
            query_documents=None if documents is None else documents[query_row >= 0],
        )


def _subset(texts: Texts, code: IntArray) -> tuple[Texts, IntArray]:
    """Return the texts whose language has a new code, and the new row of each old one (or -1)."""
    languages = code[texts.languages]
    keep = np.flatnonzero(languages >= 0)
    row = np.full(len(texts), -1)
    row[keep] = np.arange(len(keep))
    titles = None if texts.titles is None else pick(texts.titles, keep)
    return Texts(pick(texts.ids, keep), languages[keep], pick(texts.texts, keep), titles), row


def benchmark_from_pairs(pairs: Source, name: str | None = None, *, every_item: bool = False) -> Benchmark:
    """Make a benchmark of (held-out) parallel pairs: each query looks for its passage in every language.

    Of items that share a passage id only the first is taken, since the text of one may contain the other's;
    ``every_item`` takes all of them. Passages that are equal in one language are one passage (see
    ``equality``). Items that share an equal query in any language are right
    answers to each other's queries, and so are the translations of equal passages.
    """
    chosen = pairs = as_pairs(pairs)
    index = pairs.index
    if not every_item:
        _, firsts = np.unique(index.groups_of(np.arange(len(pairs))), return_index=True)
        chosen = pairs.select(items=np.sort(firsts))
    index = chosen.index
    item = np.repeat(np.arange(index.items), np.diff(index.item_offsets))
    rows = index.rows
    ids = chosen.texts("item_id", rows)
    labels = [f"{i}:{index.languages[k]}" for i, k in zip(ids, index.entry_language, strict=True)]
    texts = chosen.texts("passage", rows)
    prints = fingerprints(texts)
    entry_passage, _ = numbered(zip(index.entry_language.tolist(), prints.tolist(), strict=True))
    kept = np.unique(entry_passage, return_index=True)[1]
    asked = connected(index.items, (item, fingerprints(queries := chosen.texts("query", rows))))
    answered = connected(index.items, (item, prints))
    judged_query, judged_passage = _judgements(item, asked, answered, entry_passage)
    return Benchmark(
        name=name or pairs.name,
        languages=index.languages,
        queries=Texts(labels, index.entry_language.astype(np.int64), queries),
        passages=Texts(
            [labels[k] for k in kept], index.entry_language[kept].astype(np.int64), [texts[k] for k in kept]
        ),
        query_items=item,
        judged_query=judged_query,
        judged_passage=judged_passage,
        gains=np.ones(len(judged_query), np.int64),
        sha256=pairs.sha256,
    )


def _judgements(
    item: IntArray, asked: IntArray, answered: IntArray, entry_passage: IntArray
) -> tuple[IntArray, IntArray]:
    """Return query entry and passage of each judgement, ascending.

    Args:
        item: ``(R,)`` of each entry.
        asked: ``(N,)`` equal for items with an equal query.
        answered: ``(N,)`` equal for items with an equal passage.
        entry_passage: ``(R,)`` passage row of each entry.
    """
    import pandas as pd  # takes half a second, and few need it

    queries = pd.DataFrame({"query": np.arange(len(item)), "asked": asked[item]})
    answers = pd.DataFrame({"asked": asked, "answered": answered}).drop_duplicates()
    passages = pd.DataFrame({"answered": answered[item], "passage": entry_passage}).drop_duplicates()
    judged = queries.merge(answers).merge(passages)[["query", "passage"]].drop_duplicates()
    judged = judged.sort_values(["query", "passage"])
    return judged["query"].to_numpy(), judged["passage"].to_numpy()


def sample_pairs() -> ParallelPairs:
    """Return the training part of the bundled sample: 48 items on 8 topics, in 12 languages."""
    return load_pairs(SAMPLE_FOLDER / "train.jsonl", SAMPLE)


def sample_benchmark() -> Benchmark:
    """Return the held-out part of the bundled sample as a benchmark: 24 items on 4 other topics."""
    return benchmark_from_pairs(load_pairs(SAMPLE_FOLDER / "held-out.jsonl", SAMPLE))


def pairs_from_benchmark(benchmark: Benchmark | str) -> ParallelPairs:
    """Make parallel pairs of a benchmark with translated queries (LAReQA), to train a model on.

    An item is a question; its passage in a language is its first relevant one there. Questions that share
    a relevant passage (or one that reads the same) in any language share a ``passage_id``: they are never
    each other's negatives. Questions that share a document, or whose translations do, are of one document.
    """
    from panglot.data.catalogue.load import load_benchmark  # which imports this file

    benchmark = of_kind(benchmark, load_benchmark, Benchmark)
    relevant = benchmark.gains > 0
    query, passage = benchmark.judged_query[relevant], benchmark.judged_passage[relevant]
    texts = benchmark.passages
    equal = np.stack([texts.languages, fingerprints(texts.texts)], axis=1)
    number = np.unique(equal, axis=0, return_inverse=True)[1].reshape(-1)
    group = connected(int(benchmark.query_items.max()) + 1, (benchmark.query_items[query], number[passage]))
    same = benchmark.queries.languages[query] == benchmark.passages.languages[passage]
    query, first = np.unique(query[same], return_index=True)
    passage = passage[same][first]
    items = benchmark.query_items[query]
    documents = benchmark.query_documents
    if documents is not None:
        documents = connected(len(group), (benchmark.query_items, documents), (np.arange(len(group)), group))
    rows = [
        {
            "item_id": str(items[k]),
            "passage_id": str(group[items[k]]),
            "document_id": None if documents is None else str(documents[items[k]]),
            "language": benchmark.languages[benchmark.queries.languages[query[k]]],
            "query": benchmark.queries.texts[query[k]],
            "passage": benchmark.passages.texts[passage[k]],
        }
        for k in range(len(query))
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return pairs_from_table(table, benchmark.name, benchmark.name, benchmark.sha256)
