"""Hard negatives: for each query the best ranked of the passages that do not answer it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn.functional import normalize

from panglot.data import FloatArray, IntArray, ParallelPairs, Source, as_pairs
from panglot.data.equality import SLICE, canonical, connected, fingerprints_of
from panglot.data.pairs_files.columns import SCHEMA
from panglot.data.pairs_files.read import check_pairs_path, pairs_writer
from panglot.encoders import as_encoder, encode, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.files import atomic_write

Advance = Callable[[int], None]
ROWS = 1 << 14  # written at a time
# queries and candidates scored at a time: on a processor what its cache holds, on a GPU some 2 GiB
BLOCKS = {"cpu": (512, 2048), "cuda": (4096, 16384)}
REASONS = ("same", "duplicate", "margin")
LAST = (1 << 32) - 1  # the lower half of a key
NEVER = torch.iinfo(torch.int64).min  # the key of what may not be taken


@dataclass(frozen=True, repr=False)
class Mined:
    """Hard negatives of parallel pairs, as rows of their table or texts of a corpus.

    Attributes:
        pairs: with R rows in their table.
        rows: ``(R, n)`` the rows whose passages are a row's negatives, hardest first; -1: none; R and more: a
            text of ``further``.
        kept: ``(R,)`` whether a row keeps the negatives that it had.
        excluded: how many candidates were excluded, summed over the mined rows, by the first reason that
            holds: ``same`` (item, passage or text), ``duplicate``, ``margin``.
        further: candidates that are no passages of the pairs; the first is number R.
    """

    pairs: ParallelPairs
    rows: IntArray
    kept: np.ndarray
    excluded: dict[str, int]
    further: tuple[str, ...] = ()

    def __repr__(self) -> str:
        rows, count = self.rows.shape
        return f"Mined({self.pairs.name!r}: {rows:,} rows, up to {count} negatives each)"

    def summary(self) -> dict[str, Any]:
        """Return the figures of a run, ready for JSON."""
        rows = self.pairs.index.rows
        found = (self.rows[rows[~self.kept[rows]]] >= 0).sum(axis=1)
        return {
            "source": self.pairs.name,
            "sha256": self.pairs.sha256,
            "items": len(self.pairs),
            "languages": len(self.pairs.languages),
            "rows": len(rows),
            "rows_kept": len(rows) - len(found),
            "rows_without": int((found == 0).sum()),
            "negatives_per_row": float(found.mean()),
            "excluded": self.excluded,
        }

    def save(self, path: str | Path) -> None:
        """Write the pairs with their negatives, whole or not at all; the ending of the path says how."""
        path = Path(path)
        check_pairs_path(path)
        rows = np.sort(self.pairs.index.rows)
        with atomic_write(path) as part, pairs_writer(part, path.name) as write:
            for start in range(0, len(rows), ROWS):
                write(self._table(rows[start : start + ROWS]))

    def _table(self, rows: IntArray) -> pa.Table:
        """Return some rows of the table with their negatives; null where there are none."""
        chosen = np.where(self.kept[rows, None], -1, self.rows[rows])
        counts = (chosen >= 0).sum(axis=1)
        mined = iter(self._texts(chosen[chosen >= 0]))
        lists = [
            own if keeps else [next(mined) for _ in range(count)]
            for own, keeps, count in zip(self.pairs.negatives(rows), self.kept[rows], counts, strict=True)
        ]
        field = SCHEMA.field("negatives")
        table = self.pairs.take(rows)
        column = pa.array([texts or None for texts in lists], field.type)
        return table.set_column(table.schema.get_field_index(field.name), field, column)

    def _texts(self, numbers: IntArray) -> list[str]:
        own = numbers < self.pairs.table.num_rows
        passages = iter(self.pairs.texts("passage", numbers[own]))
        return [
            next(passages) if is_own else self.further[number - self.pairs.table.num_rows]
            for number, is_own in zip(numbers.tolist(), own.tolist(), strict=True)
        ]


def mine_negatives(
    model: SentenceTransformer | str | Path,
    pairs: Source,
    count: int = 4,
    *,
    across_languages: bool = True,
    centred: bool = True,
    margin: float = 0.95,
    absolute_margin: float = 0.0,
    duplicate: float = 0.9,
    skip_top: int = 0,
    overwrite: bool = False,
    corpus: Mapping[str, Sequence[str]] | None = None,
    progress: Advance | None = None,
) -> Mined:
    """Find hard negatives for the query of every row (item and language) among the passages in its language.

    A candidate scores its cosine with the query, less what the passages of its language score on average
    (the mean passage vector of each language is taken away): 0 is chance for every encoder and language.
    Raw cosines crowd together in some encoders (0.75 to 0.9 in E5), where a share of them says little.

    Within the language, the row's own query ranks. Across languages, the score is the mean over all the
    item's queries and all the candidate item's passages, whatever their languages. All rows of an item then
    get the same items, each in the row's own language (items that lack it are passed over): negatives are
    hard by their meaning and not by what the encoder makes of one language, and languages that it knows
    badly gain from those that it knows well. A mean of dot products is the dot product of the means, so
    that this costs less than going language by language.

    Excluded are the passages of items that share an item, a passage group, or a passage's or a query's text
    in any language with the row (directly or through others); near-duplicates of the row's own passage;
    and, as likely answers, candidates that score above ``s - (1 - margin) * |s|``, where s is the score of
    the row's own passage (TopK-PercPos of NV-Retriever, Moreira et al. 2024, arXiv 2407.15831, which takes
    raw cosines). Equal texts are one candidate. Ties go to the item that is first.

    Memory: two vectors an item across languages, two a row of one language within it.

    Args:
        model: any encoder, or what ``load_encoder`` takes; the better it is, the better are the negatives.
        pairs: items in one or more languages; or what ``panglot train --pairs`` takes.
        count: negatives a row, at most.
        across_languages: see above.
        centred: see above; otherwise scores and the cosines of duplicates are raw.
        margin: above 0, at most 1.
        absolute_margin: a candidate must also score that much less than the row's own passage.
        duplicate: highest cosine of a negative with the row's own passage, their language's mean taken
            away (across languages: of the means of the two items' passages); 1 excludes none.
        skip_top: leave out so many of the hardest that are not excluded.
        overwrite: also mine for rows that have negatives already, in their place.
        corpus: more candidates, by language: texts that answer no query but by chance. Nothing says what
            translates them, so that they are ranked within the language only.
        progress: called with numbers of texts encoded and rows mined, three for each row in all, and one for
            each text of the corpus.

    Raises:
        PanglotError: a setting is out of range, or every row has negatives already.
    """
    _check(count, margin, absolute_margin, duplicate, skip_top)
    if corpus and across_languages:
        raise PanglotError("texts of a corpus have no translations; mine within the language.")
    pairs, model = as_pairs(pairs), as_encoder(model)
    kept = _rows_to_keep(pairs, overwrite)
    advance = progress or (lambda _: None)
    kin, text = _kin(pairs)
    rank = partial(
        hardest,
        margin=margin,
        absolute_margin=absolute_margin,
        duplicate=duplicate,
        depth=count + skip_top,
        device=model.device if model.device.type in BLOCKS else torch.device("cpu"),
    )
    means = _item_means(model, pairs, centred, advance) if across_languages else None
    ranked: dict[tuple[bytes, bytes], tuple[IntArray, IntArray]] = {}
    mined = np.full((pairs.table.num_rows, count), -1, np.int64)
    excluded = np.zeros(len(REASONS), np.int64)
    further: list[str] = []
    for language in range(len(pairs.languages)):
        items, rows = _language(pairs, language)
        asking = np.flatnonzero(~kept[rows])
        pool = np.sort(np.unique(text[rows], return_index=True)[1])
        place = rows[pool]
        if means is None:
            queries, passages = _embed(model, pairs, rows, advance)
            own_kin = kin[items]
            if fresh := _fresh(pairs, rows, (corpus or {}).get(pairs.languages[language], ())):
                added = np.arange(len(fresh))
                place = np.concatenate([place, pairs.table.num_rows + len(further) + added])
                pool = np.concatenate([pool, len(rows) + added])
                own_kin = np.concatenate([own_kin, len(pairs) + added])  # nobody's
                encoded = encode(model, fresh, passage_prompt(model), progress=advance)
                passages = np.concatenate([passages, encoded])
                further += fresh
            if centred:
                passages -= passages.mean(axis=0, dtype=np.float64)
            best, counts = rank(queries, passages, own_kin, asking, pool)
        else:
            # languages that have the same items have one ranking
            key = (items[asking].tobytes(), items[pool].tobytes())
            if key not in ranked:
                ranked[key] = rank(*means, kin, items[asking], items[pool])
            best, counts = ranked[key]
        best = best[:, skip_top:]
        mined[rows[asking]] = np.where(best >= 0, place[best], -1)
        excluded += counts
        advance(len(rows))
    return Mined(pairs, mined, kept, dict(zip(REASONS, excluded.tolist(), strict=True)), tuple(further))


def _check(count: int, margin: float, absolute_margin: float, duplicate: float, skip_top: int) -> None:
    if count < 1:
        raise PanglotError(f"the number of negatives per row is {count}; use 1 or more.")
    if not 0 < margin <= 1:
        raise PanglotError(f"the margin is {margin}; use a share above 0, at most 1, such as 0.95.")
    if not 0 <= absolute_margin < 2:
        raise PanglotError(
            f"the absolute margin is {absolute_margin}; use a difference of cosines, such as 0.05."
        )
    if not 0 < duplicate <= 1:
        raise PanglotError(f"the duplicate limit is {duplicate}; use a cosine above 0, or 1 to exclude none.")
    if skip_top < 0:
        raise PanglotError(f"the number of skipped candidates is {skip_top}; use 0 or more.")


def _rows_to_keep(pairs: ParallelPairs, overwrite: bool) -> np.ndarray:
    if overwrite or not pairs.has_negatives:
        return np.zeros(pairs.table.num_rows, bool)
    lengths = pc.fill_null(pc.list_value_length(pairs.table.column("negatives")), 0)
    kept: np.ndarray = lengths.to_numpy() > 0
    if kept[pairs.index.rows].all():
        raise PanglotError(f"{pairs.name}: every row has negatives already; replace them with --overwrite.")
    return kept


def _language(pairs: ParallelPairs, language: int) -> tuple[IntArray, IntArray]:
    items = pairs.index.items_in(language).astype(np.int64)
    return items, pairs.index.rows_of(items, np.full(len(items), language))


def _kin(pairs: ParallelPairs) -> tuple[IntArray, IntArray]:
    """Number items so that kin are equal: those joined by a passage group, a passage's or a query's text.

    Returns:
        the ``(N,)`` numbers, and for each row of the table a number that is equal where passages are.
    """
    rows, items = pairs.index.rows, np.arange(len(pairs))
    item = np.repeat(items, np.diff(pairs.index.item_offsets))
    passages = fingerprints_of(pairs, "passage", rows)
    kin = connected(
        len(pairs),
        (items, pairs.index.groups_of(items)),
        (item, passages),
        (item, fingerprints_of(pairs, "query", rows)),
    )
    text = np.zeros(pairs.table.num_rows, np.int64)
    text[rows] = np.unique(passages, return_inverse=True)[1]
    return kin, text


def _embed(
    model: SentenceTransformer, pairs: ParallelPairs, rows: IntArray, advance: Advance
) -> tuple[FloatArray, FloatArray]:
    """Return the unit vectors of the queries and the passages of some rows."""
    sides = []
    for column, prompt in (("query", query_prompt(model)), ("passage", passage_prompt(model))):
        parts = [
            encode(model, pairs.texts(column, rows[start : start + SLICE]), prompt, progress=advance)
            for start in range(0, len(rows), SLICE)
        ]
        sides.append(np.concatenate(parts))
    return sides[0], sides[1]


def _fresh(pairs: ParallelPairs, rows: IntArray, texts: Sequence[str]) -> list[str]:
    """Return texts that equal no passage of some rows, once each."""
    found = {canonical(text): text for text in reversed(texts)}
    for start in range(0, len(rows) if found else 0, SLICE):
        for text in pairs.texts("passage", rows[start : start + SLICE]):
            found.pop(canonical(text), None)
    return list(reversed(found.values()))


def _item_means(
    model: SentenceTransformer, pairs: ParallelPairs, centred: bool, advance: Advance
) -> tuple[FloatArray, FloatArray]:
    """Return the ``(N, d)`` means of the query and of the passage vectors of each item over its languages."""
    sums: list[FloatArray] = []
    for language in range(len(pairs.languages)):
        items, rows = _language(pairs, language)
        of_language = np.zeros(1)
        for start in range(0, len(rows), SLICE):
            part = slice(start, start + SLICE)
            sides = _embed(model, pairs, rows[part], advance)
            sums = sums or [np.zeros((len(pairs), side.shape[1]), np.float32) for side in sides]
            for total, side in zip(sums, sides, strict=True):
                total[items[part]] += side
            of_language = of_language + sides[1].sum(axis=0, dtype=np.float64)
        if centred:
            sums[1][items] -= (of_language / len(items)).astype(np.float32)
    for total in sums:
        total /= np.diff(pairs.index.item_offsets)[:, None].astype(np.float32)
    return sums[0], sums[1]


def hardest(
    queries: FloatArray,
    passages: FloatArray,
    kin: IntArray,
    asking: IntArray,
    pool: IntArray,
    *,
    margin: float,
    absolute_margin: float,
    duplicate: float,
    depth: int,
    device: torch.device,
) -> tuple[IntArray, IntArray]:
    """Rank the pool for the queries that ask, in blocks.

    Args:
        queries: ``(N, d)``.
        passages: ``(N, d)``, each query's own.
        kin: ``(N,)`` equal for what may not be each other's negative.
        asking: ``(n,)`` rows of the queries.
        pool: ``(p,)`` rows of the passages.

    Returns:
        ``(n, depth)`` positions in the pool, best first, -1 where there are no more; and ``(3,)`` how many
        candidates were excluded for each of ``REASONS``.
    """
    candidates, pool_kin = (torch.from_numpy(values[pool]).to(device) for values in (passages, kin))
    best = np.empty((len(asking), depth), np.int64)
    excluded = torch.zeros(len(REASONS), dtype=torch.int64, device=device)
    height, width = BLOCKS[device.type]
    for start in range(0, len(asking), height):
        rows = asking[start : start + height]
        query, own, own_kin = (torch.from_numpy(v[rows]).to(device) for v in (queries, passages, kin))
        score = (query * own).sum(1, keepdim=True)
        limit = torch.minimum(score - (1 - margin) * score.abs(), score - absolute_margin)
        keys = torch.full((len(rows), depth), NEVER, device=device)
        for first in range(0, len(pool), width):
            block = candidates[first : first + width]
            scores = query @ block.t()
            same = own_kin[:, None] == pool_kin[first : first + width]
            near = torch.zeros_like(same)
            if duplicate < 1:
                near = (normalize(own) @ normalize(block).t() > duplicate) & ~same
            above = (scores > limit) & ~same & ~near
            excluded += torch.stack([same.sum(), near.sum(), above.sum()])
            found = _keys(scores, first).masked_fill_(same | near | above, NEVER)
            found = found.topk(min(depth, found.shape[1]), dim=1).values
            keys = torch.cat([keys, found], dim=1).topk(depth, dim=1).values
        best[start : start + height] = torch.where(keys == NEVER, -1, LAST - (keys & LAST)).cpu().numpy()
    return best, excluded.cpu().numpy()


def _keys(scores: Tensor, first: int) -> Tensor:
    """Return integers in the order of ``(q, c)`` scores, ties to the lower column, which starts at ``first``.

    The bits of a float32 are in the order of its values if those below its sign are turned round in negative
    numbers; they are the upper half of a key, and the column counted from behind is the lower.
    """
    bits = (scores + 0.0).view(torch.int32)  # -0.0 + 0.0 is 0.0
    order = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    columns = torch.arange(first, first + scores.shape[1], device=scores.device)
    return (order << 32) + (LAST - columns)
