"""The results file: everything measured and everything needed to repeat it."""

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
from panglot.files import write_json, written_whole

SCHEMA_VERSION = 1
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
