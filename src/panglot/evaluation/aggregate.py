"""From ranks to figures: a row a query and pool, cells of rows, groups of cells, and their macro averages.

A *cell* is a query language and a pool (of one part, where a suite has several). Every figure is the mean
over some cells of the means over the queries in each; parts of a suite with the same languages count as one.
A *grouping* names sets of cells, and is crossed with
the three settings: so one machine makes the settings, the figures by language, the language matrix, and
those of every other group of languages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from panglot.data import Benchmark, IntArray
from panglot.data.suite import SETTINGS, Suite, merge
from panglot.errors import PanglotError
from panglot.evaluation.measures import DEFAULT_MEASURES, DISTANCE, make_ranking, measure, rank_distance

if TYPE_CHECKING:
    from panglot.evaluation.ranks import Ranks

ARROW = "→"  # between query and passage language; language codes hold hyphens
ALL = "*"  # the pool of all languages, among language codes
CELL = ("part", "query_language", "pool")  # what makes a cell; only suites have parts
ROW_COLUMNS = ("query_id", "item", "query_language", "pool", "relevant", "best_rank", "worst_rank")
Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Grouping = Callable[[pd.DataFrame], Mapping[str, Mask]]  # of the frame of cells: masks ``(C,)`` by name


def per_query(benchmark: Benchmark, ranks: "Ranks", measures: Sequence[str] = DEFAULT_MEASURES) -> pa.Table:
    """Return one row per query and pool that holds a relevant passage for it.

    Columns: query_id, item, query_language, pool (a language, or ``*`` for all), relevant (how many),
    best_rank, worst_rank, one column a measure, and rank_distance (worst minus best; null for pools of one
    language and for queries with one relevant passage).
    """
    pools = len(benchmark.languages)
    language = benchmark.passages.languages[ranks.passage]
    tables = []
    multilingual = pools > 1
    for list_of, rank in [
        (ranks.query * (pools + 1) + language, ranks.in_language),
        *([(ranks.query * (pools + 1) + pools, ranks.in_all)] if multilingual else []),
    ]:
        ranking, lists = make_ranking(list_of, rank, ranks.gain)
        query, pool = np.divmod(lists, pools + 1)
        last = ranking.start + ranking.relevant - 1
        distance = rank_distance(ranking)
        known = (pool == pools) & (ranking.relevant > 1)
        names = np.array([*benchmark.languages, ALL])
        tables.append(
            pa.table(
                {
                    "query_id": pa.array([benchmark.queries.ids[k] for k in query]),
                    "item": pa.array(benchmark.query_items[query], pa.int64()),
                    "query_language": pa.array(names[benchmark.queries.languages[query]]),
                    "pool": pa.array(names[pool]),
                    "relevant": pa.array(ranking.relevant, pa.int64()),
                    "best_rank": pa.array(ranking.rank[ranking.start], pa.int64()),
                    "worst_rank": pa.array(ranking.rank[last], pa.int64()),
                    **{name: pa.array(measure(name, ranking)) for name in measures},
                    DISTANCE: pa.array(distance, mask=~known),
                }
            )
        )
    return pa.concat_tables(tables)


@dataclass(frozen=True)
class Cells:
    """The C cells and I items that n rows of a per-query table belong to.

    Attributes:
        frame: a row a cell: ``part`` (empty where there are none), ``query_language``, ``pool``, ``setting``.
        items: ``(I,)`` numbers of the items, ascending.
        row_cell: ``(n,)`` cell of each row.
        row_item: ``(n,)`` position of each row's item in ``items``.
    """

    frame: pd.DataFrame
    items: IntArray
    row_cell: IntArray
    row_item: IntArray

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.frame)


def cells_of(table: pa.Table) -> Cells:
    """Sort the rows of a ``per_query`` table, of a benchmark or of a suite, into cells."""
    encoded = {
        name: table.column(name).combine_chunks().dictionary_encode()
        for name in CELL
        if name in table.column_names
    }
    return cells_of_rows(pa.table(encoded).to_pandas(), table.column("item").to_numpy())


def cells_of_rows(rows: pd.DataFrame, item: IntArray) -> Cells:
    """Sort rows into cells, ordered by part, query language and pool.

    Args:
        rows: n rows of strings or categories: ``query_language``, ``pool`` and, of a suite, ``part``.
        item: ``(n,)`` number of each row's item.
    """
    keys = {}
    for name in CELL:
        found = pd.Categorical(rows[name] if name in rows else [""] * len(rows))
        keys[name] = found.reorder_categories(sorted(found.categories))
    grouped = pd.DataFrame(keys).groupby(list(CELL), observed=True)
    part, x, y = (np.array(grouped.size().index.get_level_values(name), object) for name in CELL)
    frame = pd.DataFrame({"part": part, "query_language": x, "pool": y, "setting": settings_of(x, y)})
    items, row_item = np.unique(item, return_inverse=True)
    return Cells(frame, items, grouped.ngroup().to_numpy(), row_item)


def settings_of(query_language: npt.NDArray[Any], pool: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the setting of each query language and pool, ``(n,)`` both."""
    own = np.where(query_language == pool, "monolingual", "crosslingual")
    return np.where(pool == ALL, "multilingual", own)


def values_of(table: pa.Table, column: str) -> Array:
    """Return a column's values, ``(n,)``; NaN where there is none."""
    return np.asarray(table.column(column).to_numpy(zero_copy_only=False), np.float64)


def number_columns(table: pa.Table, without: Sequence[str] = ()) -> list[str]:
    """Return the columns of a ``per_query`` table that are measures and biases, but for some."""
    return [
        field.name
        for field in table.schema
        if is_number(field.type) and field.name not in (*ROW_COLUMNS, *without)
    ]


def is_number(kind: pa.DataType) -> bool:
    """Say whether values of an Arrow type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def item_sums(cells: Cells, values: Array) -> tuple[Array, Array]:
    """Add up values (NaN does not count) by item and cell, and count them: two arrays, ``(I, C)``."""
    known = ~np.isnan(values)
    shape = (len(cells.items), len(cells))
    flat = cells.row_item[known] * shape[1] + cells.row_cell[known]
    size = shape[0] * shape[1]
    sums = np.bincount(flat, values[known], size).reshape(shape)
    counts = np.bincount(flat, minlength=size).reshape(shape)
    return np.asarray(sums, np.float64), np.asarray(counts, np.float64)


def cell_means(cells: Cells, values: Array) -> Array:
    """Average values over the queries of each cell, ``(C,)``; NaN for a cell without values."""
    known = ~np.isnan(values)
    total = np.bincount(cells.row_cell[known], values[known], len(cells))
    count = np.bincount(cells.row_cell[known], minlength=len(cells))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count, np.float64)


def averages(means: Array, weights: Array) -> Array:
    """Average cells into figures: ``(..., C)`` means by ``(F, C)`` weights give ``(..., F)``.

    A cell that is NaN does not count; a figure without cells is NaN.
    """
    known = ~np.isnan(means)
    with np.errstate(invalid="ignore"):
        total = weighted_sums(np.where(known, means, 0.0), weights)
        return np.asarray(total / weighted_sums(known.astype(np.float64), weights))


def weighted_sums(values: Array, weights: Array) -> Array:
    """Return ``values @ weights.T``, ``(..., C)`` by ``(F, C)``; rows with one weight only pick a column."""
    single = np.count_nonzero(weights, axis=1) == 1
    place = weights[single].argmax(axis=1)
    found = np.empty((*values.shape[:-1], len(weights)))
    found[..., single] = values[..., place] * weights[single, place]
    found[..., ~single] = values @ weights[~single].T
    return found


def all_cells(cells: pd.DataFrame) -> dict[str, Mask]:
    """Group all languages together: with this grouping, figures are those of the three settings."""
    return {"all": np.ones(len(cells), bool)}


def by_language(cells: pd.DataFrame) -> dict[str, Mask]:
    """Group cells by the language of the query."""
    codes = cells["query_language"].to_numpy()
    return {str(code): codes == code for code in np.unique(codes)}


def by_pair(cells: pd.DataFrame) -> dict[str, Mask]:
    """Group cells by query and passage language, ``de→en``: the language matrix.

    What several parts of a suite have lies in several cells and is left out.
    """
    pairs = (cells["query_language"] + ARROW + cells["pool"]).to_numpy()
    once = ~pd.Series(pairs).duplicated(keep=False).to_numpy() & (cells["pool"] != ALL).to_numpy()
    return {str(pair): (pairs == pair) & once for pair in pairs[once]}


STANDARD: Mapping[str, Grouping] = {"settings": all_cells, "by_language": by_language, "matrix": by_pair}


def figures_of(cells: Cells, groups: Mapping[str, Grouping]) -> tuple[pd.DataFrame, Array]:
    """Cross every group with every setting; a figure without cells is left out.

    Returns:
        a frame with a row a figure (``family``, ``group``, ``setting``), and weights of the cells ``(F, C)``.
    """
    setting = cells.frame["setting"].to_numpy()
    parts = cells.frame.groupby(["query_language", "pool"])["part"].transform("size").to_numpy()
    weight = parts.min(initial=len(cells)) / parts  # 1 where all have as many parts
    keys, weights = [], []
    for family, grouping in groups.items():
        for group, mask in grouping(cells.frame).items():
            for name in SETTINGS:
                if (chosen := mask & (setting == name)).any():
                    keys.append((family, group, name))
                    weights.append(chosen * weight)
    frame = pd.DataFrame(keys, columns=["family", "group", "setting"], dtype=object)
    return frame, np.array(weights, np.float64).reshape(len(keys), len(cells))


@dataclass(frozen=True)
class Aligned:
    """Runs on the same n rows.

    Attributes:
        cells: of the rows.
        columns: run and seed of each of S columns.
        values: by measure ``(S, n)``; NaN where a row has no value.
    """

    cells: Cells
    columns: Sequence[tuple[str, int]]
    values: Mapping[str, Array]

    @property
    def runs(self) -> list[str]:
        """Names of the R runs, in order of appearance."""
        return list(dict.fromkeys(run for run, _ in self.columns))

    def only(self, runs: Sequence[str]) -> "Aligned":
        """Keep some runs, in the order named."""
        kept = [k for run in runs for k, (name, _) in enumerate(self.columns) if name == run]
        values = {name: rows[kept] for name, rows in self.values.items()}
        return Aligned(self.cells, [self.columns[k] for k in kept], values)

    def means(self) -> dict[str, Array]:
        """Average the seeds of each run query by query: by measure ``(R, n)``."""
        of_run = [[k for k, (name, _) in enumerate(self.columns) if name == run] for run in self.runs]
        return {name: np.array([rows[k].mean(axis=0) for k in of_run]) for name, rows in self.values.items()}

    def by_seed(self, groups: Mapping[str, Grouping]) -> pd.DataFrame:
        """Return every figure of every seed: ``measure, family, group, setting, run, seed, value``."""
        keys, weights = figures_of(self.cells, groups)
        return pd.concat(
            [
                keys.assign(measure=name, run=run, seed=seed, value=averages(means, weights))
                for name, rows in self.values.items()
                for (run, seed), row in zip(self.columns, rows, strict=True)
                for means in [cell_means(self.cells, row)]
            ],
            ignore_index=True,
        ).dropna(subset="value")


def align(table: pd.DataFrame, measures: Sequence[str]) -> Aligned:
    """Line up the runs of a tidy table (``results.tidy``), row by row.

    The item of a row is that of the first run: one that was measured in fewer languages numbers its own.

    Args:
        table: of one benchmark, as it is or with one perturbation.

    Raises:
        PanglotError: a measure is missing, or runs were measured on different queries.
    """
    rows = table[table["measure"].isin(measures)]
    row_code = rows.groupby(["part", "query", "query_language", "pool"], observed=True).ngroup()
    rows_found, first, row = np.unique(row_code, return_index=True, return_inverse=True)
    # columns are in order of appearance of the runs, then of the seeds
    run, runs = pd.factorize(rows["run"])
    seed, seeds = pd.factorize(rows["seed"])
    columns, column = np.unique(run * len(seeds) + seed, return_inverse=True)
    named = [(str(runs[k // len(seeds)]), int(seeds[k % len(seeds)])) for k in columns]
    values = {}
    for held in measures:
        own = (rows["measure"] == held).to_numpy()
        found = np.full((len(columns), len(rows_found)), np.nan)
        found[column[own], row[own]] = rows["value"].to_numpy()[own]
        missing = np.isnan(found)
        if own.sum() != missing.size - missing.sum():
            raise PanglotError(
                f"a run holds '{held}' of one query twice; give runs names or seeds of their own."
            )
        for (name, number), of_column in zip(named, missing, strict=True):
            if of_column.all() and not missing.all():
                raise PanglotError(f"{name} does not hold '{held}'; evaluate all runs with it.")
            if (of_column != missing[0]).any():
                raise PanglotError(
                    f"{named[0][0]} and {name} (seed {number}) have '{held}' for different queries or "
                    "pools; evaluate both with the same --languages and one version of panglot."
                )
        values[held] = found
    kept = rows.iloc[first]
    return Aligned(cells_of_rows(kept, kept["item"].to_numpy()), named, values)


def summarise(
    benchmark: Benchmark, table: pa.Table, measures: Sequence[str] = DEFAULT_MEASURES
) -> dict[str, Any]:
    """Average a ``per_query`` table into the parts ``settings``, ``bias``, ``by_language`` and ``matrix``.

    Means are taken over the queries of each (query language, pool), then over languages: the monolingual
    setting is the mean of the matrix's diagonal, the cross-lingual one that of the rest, the multilingual
    one that over query languages. A setting that the benchmark lacks is None.
    """
    cells = cells_of(table)
    keys, weights = figures_of(cells, STANDARD)
    rows = [
        (*key, name, value)
        for name in (*measures, DISTANCE)
        for values in [averages(cell_means(cells, values_of(table, name)), weights).tolist()]
        for key, value in zip(keys.itertuples(index=False, name=None), values, strict=True)
        if not np.isnan(value)
    ]
    found, codes = nested(rows, measures), benchmark.languages
    whole = found["bias"].get(DISTANCE)
    of_language = {code: found["by_language"].get(code, {}) for code in codes}
    matrix = {name: found["matrix"].get(name, {}) for name in measures}
    return {
        "settings": {name: found["settings"].get(name) for name in SETTINGS},
        "bias": {
            DISTANCE: whole,
            f"{DISTANCE}_normalised": None if whole is None else whole / len(benchmark.passages),
        },
        "by_language": {
            code: {name: own.get(name) for name in (*SETTINGS, DISTANCE)} for code, own in of_language.items()
        },
        "matrix": {
            name: {x: {y: rows[x][y] for y in codes if y in rows.get(x, {})} for x in codes}
            for name, rows in matrix.items()
        },
    }


def nested(rows: Iterable[tuple[str, str, str, str, Any]], measures: Sequence[str]) -> dict[str, Any]:
    """Put figures where a results file has them: in ``settings``, ``bias``, ``by_language`` and ``matrix``.

    Args:
        rows: family, group, setting and measure of each figure (see ``figures_of``), and what is put there.
        measures: all other figures are biases, which the pool of all languages has.
    """
    parts: dict[str, Any] = {"settings": {}, "bias": {}, "by_language": {}, "matrix": {}}
    for family, group, setting, name, figure in rows:
        if family == "matrix":
            x, y = group.split(ARROW)
            parts["matrix"].setdefault(name, {}).setdefault(x, {})[y] = figure
            continue
        of_group = parts["settings"] if family == "settings" else parts["by_language"].setdefault(group, {})
        if name in measures:
            of_group.setdefault(setting, {})[name] = figure
        elif setting == "multilingual":
            (parts["bias"] if family == "settings" else of_group)[name] = figure
    return parts


# suites, whose parts are ranked each in a pool of its own


def suite_table(suite: Suite, part: Benchmark, table: pa.Table) -> pa.Table:
    """Return a part's per-query table with its name, and the rows of the settings that the suite reports."""
    language, pool = (np.array(table.column(name).to_pylist()) for name in ("query_language", "pool"))
    kept = table.filter(pa.array(np.isin(settings_of(language, pool), suite.settings)))
    return kept.add_column(0, "part", pa.array([part.name] * kept.num_rows, pa.string()))


def suite_figures(suite: Suite, tables: Sequence[pa.Table], measures: Sequence[str]) -> dict[str, Any]:
    """Average the tables of a suite's parts, from ``suite_table``.

    A figure of (query language, pool) is a mean over the queries of a part, then over the parts that have
    it; settings, matrix and languages follow from those as they do for one benchmark.

    Returns:
        as ``summarise``; also ``parts`` and ``part_groups``.
    """
    merged = merge(suite)
    means = {part.name: _cell_rows(table, measures) for part, table in zip(suite.parts, tables, strict=True)}

    def settings(benchmark: Benchmark, parts: Sequence[str]) -> dict[str, Any]:
        rows = pa.concat_tables([means[name] for name in parts])
        return {"settings": summarise(benchmark, rows, measures)["settings"]}

    results = summarise(merged, pa.concat_tables(means.values()), measures)
    # the rank distance over the size of a part's pool: averaged over query languages, then over parts
    distances = [
        float(found.mean()) / len(part.passages)
        for part in suite.parts
        if len(found := means[part.name].column(DISTANCE).drop_null().to_numpy())
    ]
    results["bias"][f"{DISTANCE}_normalised"] = float(np.mean(distances)) if distances else None
    results["parts"] = {
        part.name: {
            "languages": list(part.languages),
            "queries": len(part.queries),
            "passages": len(part.passages),
            **settings(part, [part.name]),
        }
        for part in suite.parts
    }
    results["part_groups"] = {
        group: {"parts": list(members), **settings(merged, members)}
        for group, members in suite.groups.items()
    }
    return results


def _cell_rows(table: pa.Table, measures: Sequence[str]) -> pa.Table:
    """Average a part's per-query table into one row per query language and pool, in the same columns."""
    columns = [*measures, DISTANCE]
    wanted = [*((column, "mean") for column in columns), ("item", "min")]
    found = table.group_by(["query_language", "pool"], use_threads=False).aggregate(wanted)
    averaged = {column: found.column(f"{column}_mean").cast(pa.float64()) for column in columns}
    keys = {name: found.column(name) for name in ("query_language", "pool")}
    return pa.table({**keys, "item": found.column("item_min"), **averaged})
