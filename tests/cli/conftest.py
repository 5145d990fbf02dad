"""The command line, run in this process."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers.utils.logging import disable_progress_bar

from panglot.cli import main
from panglot.data import sample_benchmark
from panglot.evaluation import Evaluation, describe_run, evaluate_embeddings
from panglot.evaluation.results import describe_benchmark


@dataclass(frozen=True)
class Outcome:
    """The outcome of a command."""

    code: object
    out: str
    err: str

    @property
    def results(self) -> Any:
        """What was printed as JSON, and nothing else."""
        return json.loads(self.out)


@pytest.fixture
def panglot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``panglot ARGUMENTS...`` on a wide screen."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("panglot.progress.WAIT", math.inf)  # a slow machine prints no more than a fast one
    disable_progress_bar()  # type: ignore[no-untyped-call]  # main is too late once it is imported

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["panglot", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Outcome(stopped.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on the sample in three languages, of random vectors: the second has more meaning in them."""
    folder = tmp_path_factory.mktemp("runs")
    benchmark = sample_benchmark().restrict(["en", "de", "sw"])
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(int(benchmark.query_items.max()) + 1, 32))
    item_of = np.zeros(len(benchmark.passages), np.int64)
    item_of[benchmark.judged_passage] = benchmark.query_items[benchmark.judged_query]
    paths = []
    for name, share in (("plain", 0.2), ("tuned", 2.0)):
        vectors = [
            share * meaning[items] + rng.normal(size=(len(items), 32))
            for items in (benchmark.query_items, item_of)
        ]
        unit = [(v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in vectors]
        found = evaluate_embeddings(benchmark, *unit)
        described = {
            **describe_run(),
            "model": {"name": name, "sha256": name},
            "benchmark": describe_benchmark(benchmark),
        }
        paths.append(folder / f"{name}.json")
        Evaluation({**described, **found.results}, found.per_query).save(paths[-1])
    return paths
