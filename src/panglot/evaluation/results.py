"""The results file: everything measured and everything needed to repeat it."""

import json
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark
from panglot.encoders import model_sha256, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.evaluation.cells import (
    ROW_COLUMNS,
    averages,
    cell_means,
    cells_of,
    setting_masks,
    values_of,
)
from panglot.files import open_bytes, write_json, written_whole

SCHEMA_VERSION = 1
TOLERANCE = 1e-9  # between a figure in the results and the mean of its queries, summed in another order
PARTS = ("model", "benchmark", "settings", "bias", "by_language", "matrix")
PACKAGES = ("torch", "transformers", "sentence-transformers", "sentencepiece", "numpy", "pyarrow")


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        results: the content of the results file (see ``docs/results-file.md``).
        per_query: one row per query and pool; see ``evaluation.settings.per_query``.
    """

    results: dict[str, Any]
    per_query: pa.Table

    def save(self, path: str | Path) -> None:
        """Write ``path`` (JSON) and the per-query table beside it (same name, ``.parquet``)."""
        path = Path(path)
        table_path = path.with_suffix(".parquet")
        with written_whole(table_path) as part:
            pq.write_table(self.per_query, part)
        write_json(path, {**self.results, "per_query": table_path.name})


def load_results(path: str | Path) -> Evaluation:
    """Read a results file and the per-query table beside it, as ``Evaluation.save`` writes them.

    Raises:
        PanglotError: one of the two is missing or damaged, has another schema, or is of another evaluation.
    """
    path = Path(path)
    results = _read_json(path)
    schema = results.get("schema")
    if schema != SCHEMA_VERSION:
        raise PanglotError(
            f"{path}: has schema {json.dumps(schema)} and this panglot reads {SCHEMA_VERSION}; "
            "evaluate the model again, or use the panglot that wrote it."
        )
    missing = [key for key in PARTS if not isinstance(results.get(key), dict)]
    if missing:
        raise PanglotError(f"{path}: lacks '{missing[0]}'; name a file that panglot evaluate --output wrote.")
    table_path = path.with_name(Path(str(results.get("per_query") or path.with_suffix(".parquet"))).name)
    if not table_path.is_file():
        raise PanglotError(
            f"{path}: the figures of its queries, {table_path.name}, are not beside it; copy both files."
        )
    try:
        table = pq.read_table(table_path)
    except (pa.ArrowException, OSError) as error:
        raise PanglotError(f"{table_path}: is damaged or no Parquet file; copy it again.") from error
    measures = next((list(figures) for figures in results["settings"].values() if figures), [])
    for column in (*ROW_COLUMNS, *measures):
        if column not in table.column_names:
            raise PanglotError(f"{table_path}: has no column '{column}'; it is not the table of {path.name}.")
    _check_belongs(path, results["settings"], table, table_path)
    return Evaluation({key: value for key, value in results.items() if key != "per_query"}, table)


def _check_belongs(path: Path, settings: dict[str, Any], table: pa.Table, table_path: Path) -> None:
    """Refuse a table whose means are not the figures of the results file."""
    cells = cells_of(table)
    masks = setting_masks(cells)
    for setting, figures in settings.items():
        for measure, value in (figures or {}).items():
            found = averages(cell_means(cells, values_of(table, measure)), masks[setting][None])[0]
            if not abs(found - value) <= TOLERANCE:
                raise PanglotError(
                    f"{table_path}: does not belong to {path.name}, whose {setting} {measure} is "
                    f"{value:.4f} and not {found:.4f}; copy both files of one evaluation."
                )


def _read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object."""
    with open_bytes(path) as file:
        content = file.read()
    try:
        found = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "its encoding"
        raise PanglotError(f"{path}: is no whole JSON file ({where}); copy it again.") from error
    if not isinstance(found, dict):
        raise PanglotError(f"{path}: is no results file; name one that panglot evaluate --output wrote.")
    return found


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


def describe_model(model: SentenceTransformer, name: str, training: dict[str, Any] | None) -> dict[str, Any]:
    """Return a model's name, checksum, prompts, maximum length and how it was trained."""
    return {
        "name": name,
        "sha256": model_sha256(model),
        "prompts": {"query": query_prompt(model), "passage": passage_prompt(model)},
        "max_length": model.max_seq_length,
        "training": training,
    }


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
