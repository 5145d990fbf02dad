"""The results file: everything measured and everything needed to repeat it."""

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field
from typing_extensions import TypedDict

from panglot import encoders
from panglot.data import Benchmark
from panglot.data.suite import SETTINGS
from panglot.errors import PanglotError, of_kind
from panglot.evaluation.aggregate import (
    ALL,
    ROW_COLUMNS,
    all_cells,
    averages,
    cell_means,
    cells_of,
    figures_of,
    is_number,
    number_columns,
    values_of,
)
from panglot.files import atomic_write, parquet, write_json
from panglot.parse import Count, Number, read_form, validated

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SCHEMA_VERSION = 1
FIX = "copy it again, or name a file that panglot evaluate --output wrote"
TOLERANCE = 1e-9  # between a figure in the results and the mean of its queries, summed in another order
PACKAGES = ("torch", "transformers", "sentence-transformers", "sentencepiece", "numpy", "pyarrow")


PERTURBATION = "perturbation"
KEYS = {"query_language": "query_language", "pool": "pool", "query": "query_id"}
COLUMNS = (
    *("run", "seed", "benchmark", "part", "query_language", "pool", "setting", PERTURBATION),
    *("measure", "query", "item", "value"),
)


@dataclass(frozen=True)
class Listed:
    """A passage in a ranking; ``relevance`` is its judged gain, 0 where nobody judged it."""

    rank: int
    score: float
    id: str
    language: str
    text: str
    relevance: int


@dataclass(frozen=True)
class Failure:
    """A query, its best-ranked relevant passage, and the first of those that rank above it."""

    query_id: str
    query_language: str
    query: str
    pool: str
    measure: str
    value: float
    answer: Listed
    above: tuple[Listed, ...]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What an evaluation found.

    Attributes:
        results: the content of the results file (see ``docs/reference/results-file.md``).
        per_query: one row per query and pool; see ``aggregate.per_query``.
        perturbed: the same of changed queries, with ``perturbation``, the kind of change; None: none.
    """

    results: dict[str, Any]
    per_query: pa.Table
    perturbed: pa.Table | None = None

    def __repr__(self) -> str:
        """Return one line."""
        found = {name: figures for name, figures in self.results["settings"].items() if figures}
        shown = [f"{name} {next(iter(figures.values())):.4f}" for name, figures in found.items()]
        model, benchmark = (self.results.get(part, {}).get("name", "") for part in ("model", "benchmark"))
        return f"Evaluation({model} on {benchmark}, {next(iter(self.measures), '')}: {', '.join(shown)})"

    @property
    def measures(self) -> list[str]:
        """Names of the measures."""
        return next((list(figures) for figures in self.results["settings"].values() if figures), [])

    def to_frame(self) -> pd.DataFrame:
        """Return a row per query, pool and measure; see ``tidy``."""
        return tidy([self])

    def save(self, path: str | Path) -> None:
        """Write ``path`` (JSON) and the per-query table beside it (same name, ``.parquet``)."""
        path = Path(path)
        check_results_path(path)
        table_path = table_of(path)
        with atomic_write(table_path) as part:
            pq.write_table(_rows(self), part)
        write_json(path, {**self.results, "per_query": table_path.name})


def table_of(path: Path) -> Path:
    """Return the name of the table beside a results file; ``model-1.5`` is a name without an ending."""
    return path.with_suffix(".parquet") if path.suffix == ".json" else path.with_name(f"{path.name}.parquet")


def check_results_path(path: Path | None) -> None:
    """Raise ``PanglotError`` where results cannot be written under that name."""
    if path is None:
        return
    if path.suffix == ".parquet":
        raise PanglotError(f"{path}: is the name of the table beside the results; name a .json file.")
    if path.is_dir() or table_of(path).is_dir():
        raise PanglotError(f"{path}: is a folder, or the table beside it would be; name a .json file in it.")


def _rows(evaluation: Evaluation) -> pa.Table:
    """Return all rows; those of changed queries have a ``perturbation``."""
    if evaluation.perturbed is None:
        return evaluation.per_query
    return pa.concat_tables([evaluation.per_query, evaluation.perturbed], promote_options="default")


def tidy(
    evaluations: Iterable[Evaluation | str | Path],
    runs: Iterable[str] | None = None,
    *,
    measures: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return evaluations as one long table: a row per run, query, pool and measure.

    Args:
        evaluations: of any benchmarks, or their files; one at a time is looked at.
        runs: what to call each; two seeds of one run share a name. (default: the names of the models)
        measures: to keep. (default: the measures and biases that the per-query tables hold)

    Returns:
        columns ``run``, ``seed``, ``benchmark``, ``part`` (of a suite; else empty), ``query_language``,
        ``pool``, ``setting``, ``perturbation`` (empty: the queries as they are), ``measure``, ``query``,
        ``item``, ``value``. Where a query has no value there is no row.
    """
    parts = []
    names = None if runs is None else iter(runs)
    for evaluation in map(as_results, evaluations):
        name = str(evaluation.results["model"]["name"]) if names is None else next(names)
        parts += _long(evaluation, name, measures)
    return pa.concat_tables(parts).unify_dictionaries().to_pandas()


def _long(evaluation: Evaluation, run: str, measures: Sequence[str] | None) -> list[pa.Table]:
    """Return the tidy rows of one evaluation, a table a measure."""
    rows = _rows(evaluation)
    encoded = {
        name: rows[column].combine_chunks().dictionary_encode()
        for name, column in {**KEYS, "part": "part", PERTURBATION: PERTURBATION}.items()
        if column in rows.column_names
    }
    if PERTURBATION in encoded:
        encoded[PERTURBATION] = pc.fill_null(rows[PERTURBATION], "").combine_chunks().dictionary_encode()
    numbers = {"seed": np.full(len(rows), evaluation.results.get("seed", 0)), "item": rows["item"].to_numpy()}
    constants = {"run": run, "benchmark": evaluation.results.get("benchmark", {}).get("name", "")}
    constants |= {name: "" for name in ("part", PERTURBATION) if name not in encoded}
    encoded |= {name: _constant(text, len(rows)) for name, text in constants.items()}
    encoded["setting"] = _settings(encoded["query_language"], encoded["pool"])
    found = []
    for measure in (name for name in measures or number_columns(rows) if name in rows.column_names):
        value = values_of(rows, measure)
        columns = {**encoded, **numbers, "measure": _constant(measure, len(rows)), "value": value}
        table = pa.table({name: columns[name] for name in COLUMNS})
        known = ~np.isnan(value)
        found.append(table if known.all() else table.filter(pa.array(known)))
    return found


def _settings(query_language: pa.DictionaryArray, pool: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return the setting of each row."""
    x, y = (encoded.dictionary.to_pylist() for encoded in (query_language, pool))
    of_cell = [2 if b == ALL else int(a != b) for a in x for b in y]
    code = query_language.indices.to_numpy() * len(y) + pool.indices.to_numpy()
    return pa.DictionaryArray.from_arrays(np.array(of_cell, np.int32)[code], list(SETTINGS))


def _constant(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), [text])


def load_results(path: str | Path) -> Evaluation:
    """Read a results file and the per-query table beside it, as ``Evaluation.save`` writes them.

    Raises:
        PanglotError: one of the two is missing or damaged, has another schema, or is of another evaluation.
    """
    path = Path(path)
    results = read_form(path, dict[str, Any], fix=FIX)
    schema = results.get("schema")
    if schema != SCHEMA_VERSION:
        raise PanglotError(
            f"{path}: has schema {json.dumps(schema)} and this panglot reads {SCHEMA_VERSION}; "
            "evaluate the model again, or use the panglot that wrote it."
        )
    validated(ResultsFile, results, path, fix=FIX)
    shares = {name: found for name, found in results["bias"].items() if name.startswith("top_shares@")}
    validated(dict[str, Shares], shares, path, fix=FIX)
    validated(dict[str, Figures], results["bias"].get("by_language", {}), path, fix=FIX)
    table_path = path.with_name(Path(str(results.get("per_query") or path.with_suffix(".parquet"))).name)
    if not table_path.is_file():
        raise PanglotError(
            f"{path}: the figures of its queries, {table_path.name}, are not beside it; copy both files."
        )
    with parquet(table_path) as file:
        table = file.read()
        table.validate(full=True)
    plain, perturbed = _apart(table)
    found = Evaluation({key: value for key, value in results.items() if key != "per_query"}, plain, perturbed)
    for column in (*ROW_COLUMNS, *found.measures):
        if column not in table.column_names:
            raise PanglotError(f"{table_path}: has no column '{column}'; it is not the table of {path.name}.")
        kind = table.schema.field(column).type
        is_fitting = pa.types.is_string if column in KEYS.values() else is_number
        if not is_fitting(kind) or not len(table):
            raise PanglotError(f"{table_path}: '{column}' is empty or of {kind}; copy both files again.")
    _check_measures(path, results, found.measures)
    _check_belongs(path, results["settings"], plain, table_path)
    return found


def as_results(results: Evaluation | str | Path) -> Evaluation:
    """Return results as they are, or load the file of this path."""
    return of_kind(results, load_results, Evaluation)


def _apart(table: pa.Table) -> tuple[pa.Table, pa.Table | None]:
    """Split the rows of queries as they are from those of changed ones."""
    if PERTURBATION not in table.column_names:
        return table, None
    changed = pc.is_valid(table[PERTURBATION])
    perturbed = table.filter(changed)
    known = [name for name in perturbed.column_names if perturbed[name].null_count < len(perturbed)]
    return table.filter(pc.invert(changed)).drop_columns(PERTURBATION), perturbed.select(known)


def _check_measures(path: Path, results: dict[str, Any], measures: list[str]) -> None:
    """Refuse figures that lack a measure that the others have."""
    parts = [*results["settings"].values(), results["matrix"]] if results["matrix"] else []
    parts += [found.get(setting) for found in results["by_language"].values() for setting in SETTINGS]
    grids = [results["matrix"].get(measure, {}) for measure in measures if results["matrix"]]
    cells = [[(x, y) for x, row in grid.items() for y in row] for grid in grids]
    if any(part and not part.keys() >= set(measures) for part in parts) or any(c != cells[0] for c in cells):
        raise PanglotError(f"{path}: a figure is missing that others have; {FIX}.")


def _check_belongs(path: Path, settings: dict[str, Any], table: pa.Table, table_path: Path) -> None:
    """Refuse a table whose means are not the figures of the results file."""
    cells = cells_of(table)
    keys, weights = figures_of(cells, {"settings": all_cells})
    for setting, figures in settings.items():
        for measure, value in (figures or {}).items():
            chosen = weights[(keys["setting"] == setting).to_numpy()].sum(axis=0)
            found = averages(cell_means(cells, values_of(table, measure)), chosen[None])[0]
            if not abs(found - value) <= TOLERANCE:
                raise PanglotError(
                    f"{table_path}: does not belong to {path.name}, whose {setting} {measure} is "
                    f"{value:.4f} and not {found:.4f}; copy both files of one evaluation."
                )


def check_of_model(results: Mapping[str, Any]) -> None:
    """Raise a ``PanglotError`` where the lists are not the model's own: they were reranked or balanced."""
    if results["model"].keys() & {"reranker", "balanced"}:
        raise PanglotError(
            f"the results of {results['model']['name']} are of lists that were reranked or balanced; "
            "evaluate without --rerank and --balanced."
        )


def describe_run(seed: int = 0, command: str | None = None) -> dict[str, Any]:
    """Return what every results file starts with: schema, versions, command, time, seed."""
    return {
        "schema": SCHEMA_VERSION,
        "panglot": version("panglot"),
        "command": command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that figures depend on."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_model(
    model: "SentenceTransformer", name: str, training: dict[str, Any] | None
) -> dict[str, Any]:
    """Return a model's name, checksum, prompts, maximum length, cut dimension and how it was trained."""
    return {
        "name": name,
        "sha256": encoders.model_sha256(model),
        "prompts": encoders.prompts_of(model),
        "max_length": encoders.max_length_of(model),
        "truncate_dim": model.truncate_dim,
        "training": training,
    }


def describe_other(name: str, prompts: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return what results say of something that is not a ``SentenceTransformer``, such as BM25."""
    unknown = dict.fromkeys(("max_length", "training"))
    known = {"precision": "float32", "centring": None}
    return {"name": name, "sha256": None, "prompts": prompts, **unknown, **known, **more}


def describe_benchmark(benchmark: Benchmark) -> dict[str, Any]:
    """Return a benchmark's name, checksum, languages and sizes."""
    return {
        "name": benchmark.name,
        "sha256": benchmark.sha256,
        "languages": list(benchmark.languages),
        "queries": len(benchmark.queries),
        "passages": len(benchmark.passages),
        "candidate_text": benchmark.candidate_text,
    }


# the form of a results file, for pydantic: see ``docs/reference/results-file.md``


class Source(TypedDict):
    """A set that a model was trained on."""

    name: str
    languages: list[str]


class Training(TypedDict):
    """What is read of a ``run.json``."""

    data: NotRequired[list[Source]]


class _Model(TypedDict):
    name: str
    sha256: str | None
    prompts: NotRequired[dict[str, str] | None]
    max_length: NotRequired[Count | None]
    truncate_dim: NotRequired[Count | None]
    training: NotRequired[Training | None]
    precision: NotRequired[str]
    centring: NotRequired[dict[str, Any] | None]
    reranker: NotRequired[dict[str, Any]]
    balanced: NotRequired[str]


class _Benchmark(TypedDict):
    name: str
    sha256: str
    languages: list[str]
    queries: Count
    passages: Count
    candidate_text: str
    loaded: NotRequired["_Loaded"]


class _Loaded(TypedDict, total=False):
    data: str
    split: str
    columns: dict[str, str]
    every_item: bool


Measured = dict[str, Number]
Figures = dict[str, Number | None]
Bound = Annotated[list[Number], Field(min_length=2, max_length=2)] | None
Bounds = dict[str, Bound]


class _OfLanguage(TypedDict):
    monolingual: NotRequired[Measured | None]
    crosslingual: NotRequired[Measured | None]
    multilingual: NotRequired[Measured | None]
    rank_distance: NotRequired[Number | None]


class _Grids(TypedDict):
    share: dict[str, Figures]
    fair: dict[str, Figures]


class Shares(_Grids):
    """How the best ranks are shared out among languages."""

    exposure: NotRequired[_Grids]


class _LanguageBounds(TypedDict):
    monolingual: NotRequired[Bounds | None]
    crosslingual: NotRequired[Bounds | None]
    multilingual: NotRequired[Bounds | None]
    rank_distance: NotRequired[Bound]


class _Intervals(TypedDict):
    settings: NotRequired[dict[str, Bounds | None]]
    bias: NotRequired[Bounds]
    by_language: NotRequired[dict[str, _LanguageBounds]]
    matrix: NotRequired[dict[str, dict[str, Bounds]]]


class _Figure(TypedDict):
    value: Number | None
    low: NotRequired[Number | None]
    high: NotRequired[Number | None]


class _Group(TypedDict):
    languages: list[str]
    settings: dict[str, dict[str, _Figure | None] | None]
    rank_distance: _Figure | None


class _Pairs(TypedDict):
    pairs: Count
    crosslingual: dict[str, _Figure | None] | None


class _Groups(TypedDict):
    languages: dict[str, dict[str, _Group]]
    pairs: dict[str, dict[str, _Pairs]]


class ResultsFile(TypedDict):
    """The form of a results file; see ``docs/reference/results-file.md``."""

    schema: int
    seed: NotRequired[Count]
    model: _Model
    benchmark: _Benchmark
    settings: dict[str, Measured | None]
    bias: dict[str, Number | dict[str, Any] | None]
    by_language: dict[str, _OfLanguage]
    matrix: dict[str, dict[str, Figures]]
    intervals: NotRequired[_Intervals | None]
    groups: NotRequired[_Groups | None]
    created: NotRequired[str]
    per_query: NotRequired[str]
    versions: NotRequired[dict[str, str] | None]
