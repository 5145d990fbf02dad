"""Parallel pairs: what a model is trained on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panglot.data.index import IntArray, PairIndex, build_index, join_indexes
from panglot.data.pairs_files.columns import SCHEMA, with_language_codes
from panglot.data.pairs_files.read import cached_table, source_name
from panglot.data.text_column import starts_of, take_rows, values_at
from panglot.errors import PanglotError, of_kind
from panglot.files import sha256_of
from panglot.languages import is_language, no_language


@dataclass(frozen=True)
class ParallelPairs:
    """Query-passage pairs of one source, each in one or more languages.

    Texts are in a memory-mapped Arrow table, the structure is in a ``PairIndex``; pairs of languages are
    never written out.

    Attributes:
        name: of the source, for messages and model cards.
        index: which item exists in which language.
        table: columns item_id, query, passage, negatives (and more), one row per item and language.
        sha256: checksum of the file that the pairs come from.
    """

    name: str
    index: PairIndex
    table: pa.Table
    sha256: str = ""

    def __repr__(self) -> str:
        sizes = f"{len(self):,} items, {self.index.entries:,} rows, {len(self.languages)} languages"
        return f"ParallelPairs({self.name!r}: {sizes})"

    def __len__(self) -> int:
        """Return the number of items."""
        return self.index.items

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that at least one item exists in, sorted."""
        return self.index.languages

    def rows(self, items: IntArray, languages: IntArray) -> IntArray:
        """Return the table row of each (item, language); a missing one raises ``KeyError``."""
        rows = self.index.rows_of(items, languages)
        if (rows < 0).any():
            at = int(np.flatnonzero(rows < 0)[0])
            raise KeyError((int(items[at]), self.languages[int(languages[at])]))
        return rows

    def texts(self, column: str, rows: IntArray) -> list[str]:
        """Return the texts of a column (``query``, ``passage``, ``item_id``) in some rows."""
        chunks, starts = self._chunks[column]
        return values_at(chunks, starts, np.asarray(rows))

    def negatives(self, rows: IntArray) -> list[list[str]]:
        """Return the hard negatives of some rows; an empty list where there are none."""
        chunks, starts = self._chunks["negatives"]
        return [texts or [] for texts in values_at(chunks, starts, np.asarray(rows))]

    def take(self, rows: IntArray, columns: Sequence[str] | None = None) -> pa.Table:
        """Return some rows of the table, in their order; the cost does not depend on the table's size."""
        return take_rows(self._batches, np.asarray(rows), columns)

    @cached_property
    def _chunks(self) -> dict[str, tuple[list[pa.Array], IntArray]]:
        columns = {name: self.table.column(name).chunks for name in self.table.column_names}
        return {name: (chunks, starts_of(chunks)) for name, chunks in columns.items()}

    @cached_property
    def _batches(self) -> list[pa.RecordBatch]:
        return self.table.to_batches()  # type: ignore[no-any-return]

    @property
    def has_negatives(self) -> bool:
        """Whether any row brings hard negatives."""
        return bool(self.table.column("negatives").null_count < self.table.num_rows)

    def without_negatives(self) -> "ParallelPairs":
        """Return the pairs without their hard negatives."""
        if not self.has_negatives:
            return self
        column = self.table.schema.get_field_index("negatives")
        nothing = pa.nulls(self.table.num_rows, self.table.schema.field(column).type)
        return replace(self, table=self.table.set_column(column, "negatives", nothing))

    def select(
        self, languages: Sequence[str] | None = None, items: Sequence[int] | IntArray | None = None
    ) -> "ParallelPairs":
        """Return the pairs of some items in some languages; nothing is copied but the index."""
        mask = np.ones(len(self), bool)
        if items is not None:
            mask[:] = False
            mask[np.asarray(items, np.int64)] = True
        return replace(self, index=self.index.select(mask, languages or self.languages))

    def split(self, held_out: float, seed: int = 0) -> tuple["ParallelPairs", "ParallelPairs"]:
        """Split by document into (rest, held-out): whole documents, until their items reach a share.

        Args:
            held_out: share of the items to hold out, at least one document and never all.
            seed: which documents.
        """
        documents = self.index.documents_of(np.arange(len(self)))
        codes, document = np.unique(documents, return_inverse=True)
        if len(codes) < 2:
            raise PanglotError(
                f"{self.name}: all items are in one document, so none can be held out; "
                "give 'document_id', or train with nothing held out."
            )
        order = np.random.default_rng(seed).permutation(len(codes))
        sizes = np.bincount(document)[order]
        # as few documents as reach the share, so that tiny shares still hold out one
        count = int(np.searchsorted(np.cumsum(sizes), held_out * len(self))) + 1
        chosen = order[: min(count, len(codes) - 1)]
        out = np.isin(document, chosen)
        return self.select(items=np.flatnonzero(~out)), self.select(items=np.flatnonzero(out))


def load_pairs(
    source: str | Path, name: str | None = None, columns: Mapping[str, str] | None = None
) -> ParallelPairs:
    """Load parallel pairs: JSONL, CSV or TSV (plain, .gz, .zst), Parquet, or a data set of the hub.

    Fields: ``item_id, language, query, passage``; optional ``passage_id`` (default: item_id),
    ``document_id`` (default: passage_id) and ``negatives`` (texts in that language). One row an item and
    language, or one row an item with a column a language; see ``docs/guides/your-data.md``.

    Args:
        source: a file, ``hf:owner/name#split``, or ``sample`` (bundled with panglot).
        name: of the source; None: the file's.
        columns: field by field, the column it is in, where that is not its own name.

    Raises:
        PanglotError: the file is missing, empty or broken, a language is unknown, an (item, language)
            occurs twice, or one item has two passage_ids or document_ids.
    """
    table, checksum = cached_table(source, columns)
    return pairs_from_table(table, name or source_name(source), str(source), checksum)


def pairs_from_rows(rows: Sequence[dict[str, object]], name: str) -> ParallelPairs:
    """Make parallel pairs of rows in memory, with the fields of ``load_pairs``."""
    return pairs_from_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), name, name)


def pairs_from_table(table: pa.Table, name: str, where: str, checksum: str = "") -> ParallelPairs:
    """Index a table of ``pairs_files.columns.SCHEMA``; ``where`` is what messages call it."""
    table = with_language_codes(table)
    language_code, spellings = codes_of(table.column("language"))
    for code, spelling in enumerate(spellings):
        if not is_language(spelling):
            line = int(np.flatnonzero(language_code == code)[0]) + 1
            raise PanglotError(f"{where}, line {line}: {no_language(spelling)}")
    languages = sorted(spellings)
    entry_language = np.argsort(np.argsort(spellings))[language_code]
    entry_item, ids = codes_of(table.column("item_id"))
    _check_unique(entry_item, entry_language, ids, languages, where)
    first = np.zeros(len(ids), np.int64)
    first[entry_item[::-1]] = np.arange(len(entry_item))[::-1]
    group = _item_codes(table, "passage_id", "item_id", entry_item, first, ids, where)
    document = _item_codes(table, "document_id", "passage_id", entry_item, first, ids, where)
    _check_documents(group, document, first, ids, where)
    index = build_index(
        languages,
        entry_item,
        entry_language,
        items=len(ids),
        item_group=group,
        item_document=group if document is None else document,
    )
    return ParallelPairs(name, index, table, checksum)


Source = ParallelPairs | str | Path


def as_pairs(pairs: Source) -> ParallelPairs:
    """Return pairs as they are, or load those that ``panglot train --pairs`` calls so."""
    from panglot.data.catalogue.training import load_source  # which imports this file

    return of_kind(pairs, load_source, ParallelPairs)


def as_sources(pairs: Source | Iterable[Source]) -> list[ParallelPairs]:
    """Return one source or several as a list; see ``as_pairs``."""
    several = pairs if isinstance(pairs, Iterable) and not isinstance(pairs, str) else [pairs]
    return [as_pairs(one) for one in several]


def join_pairs(sources: Source | Iterable[Source]) -> ParallelPairs:
    """Return several sources as one, so that a batch is drawn from all of them; texts are not copied.

    Items, passages and documents of two sources stay apart, even where their ids are the same.
    """
    sources = as_sources(sources)
    if len(sources) == 1:
        return sources[0]
    index = join_indexes([pairs.index for pairs in sources], [pairs.table.num_rows for pairs in sources])
    table = pa.concat_tables([pairs.table for pairs in sources])
    checksum = sha256_of("\n".join(pairs.sha256 for pairs in sources))
    return ParallelPairs(" + ".join(pairs.name for pairs in sources), index, table, checksum)


def codes_of(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    """Number the distinct texts of a column in the order in which they first occur."""
    # all chunks share one dictionary; unify_dictionaries() would compare it with itself for each of them
    chunks = column.dictionary_encode().chunks
    codes = [np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in chunks)]
    return np.concatenate(codes), chunks[-1].dictionary.to_pylist() if chunks else []


def _check_unique(
    item: IntArray, language: IntArray, ids: list[str], languages: list[str], where: str
) -> None:
    order = np.lexsort((language, item))
    same = (np.diff(item[order]) == 0) & (np.diff(language[order]) == 0)
    if same.any():
        at = int(np.flatnonzero(same)[0])
        a, b = sorted((int(order[at]), int(order[at + 1])))
        raise PanglotError(
            f"{where}, line {b + 1}: item '{ids[item[a]]}' is in '{languages[language[a]]}' "
            f"already in line {a + 1}; keep one of the two."
        )


def _check_documents(
    group: IntArray | None, document: IntArray | None, first: IntArray, ids: list[str], where: str
) -> None:
    """Check that a passage is in one document: else a split by document would have it on both sides."""
    if group is None or document is None:
        return
    document_of = np.zeros(len(group), np.int64)
    document_of[group[::-1]] = document[::-1]
    odd = np.flatnonzero(document != document_of[group])
    if len(odd):
        a, b = int(np.flatnonzero(group == group[odd[0]])[0]), int(odd[0])
        raise PanglotError(
            f"{where}, line {int(first[b]) + 1}: item '{ids[b]}' shares its passage_id with item '{ids[a]}' "
            f"of line {int(first[a]) + 1}, but not its document_id; a passage lies in one document."
        )


def _item_codes(
    table: pa.Table,
    column: str,
    fallback: str,
    entry_item: IntArray,
    first: IntArray,
    ids: list[str],
    where: str,
) -> IntArray | None:
    """Number an item-wide column; None where it is absent. One item may have one value only."""
    values = table.column(column)
    if values.null_count == len(values):
        return None
    if values.null_count:
        values = pc.coalesce(values, table.column(fallback), table.column("item_id"))
    codes, names = codes_of(values)
    of_item = codes[first]
    odd = np.flatnonzero(codes != of_item[entry_item])
    if len(odd):
        line, item = int(odd[0]), int(entry_item[odd[0]])
        raise PanglotError(
            f"{where}, line {line + 1}: item '{ids[item]}' has {column} '{names[codes[line]]}' here and "
            f"'{names[of_item[item]]}' in line {int(first[item]) + 1}; one item has one {column}."
        )
    return of_item
