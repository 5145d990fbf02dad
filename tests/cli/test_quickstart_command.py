"""``panglot quickstart``, as a new user runs it, on the small encoder and with fewer steps."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm

from panglot import load_encoder, sample_benchmark
from panglot.encoders import model_sha256
from panglot.evaluation import load_results
from panglot.experiments import quickstart as quickstart_of_package

STAGES = ("zero-shot", "mixed", "hybrid")
SHORT = """
from panglot.cli import main
from panglot.experiments import quickstart

quickstart.STEPS, quickstart.BATCH, quickstart.LEARNING_RATE = 6, 16, 5e-4
quickstart.computes_bfloat16 = lambda: False  # which is slower for so small an encoder
main()
"""


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory, small_checkpoint: Path) -> tuple[Path, str]:
    """The folder of a quickstart, and what it printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    command = ["quickstart", "--model", str(small_checkpoint), "--output", str(folder)]
    code, printed, said = warm.run(command, code=SHORT)
    assert code == 0, said
    return folder, printed


def results(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_hybrid_batches_lead_in_the_multilingual_pool(quickstart: tuple[Path, str]) -> None:
    found = [results(quickstart[0], name) for name in STAGES]
    before, mixed, hybrid = (one["settings"]["multilingual"]["AP"] for one in found)
    assert hybrid > max(before, mixed)
    assert found[2]["bias"]["own_language_wins"] <= found[1]["bias"]["own_language_wins"]


def test_the_headline_and_the_table_show_the_figures_of_the_files(quickstart: tuple[Path, str]) -> None:
    folder, printed = quickstart
    found = {name: results(folder, name) for name in STAGES}
    wins = ", ".join(f"{name} {100 * one['bias']['own_language_wins']:.0f} %" for name, one in found.items())
    assert wins in printed
    for name, one in found.items():
        (row,) = [
            line for line in printed.splitlines() if re.match(rf"\s+{name}\s.*±|.*\({name}\).*±", line)
        ][-1:] or [line for line in printed.splitlines() if line.strip().startswith("none") and "±" in line]
        for setting in ("monolingual", "crosslingual", "multilingual"):
            assert f"{one['settings'][setting]['AP']:.3f} ±" in row


def test_three_questions_are_answered_side_by_side(quickstart: tuple[Path, str]) -> None:
    lines, benchmark = quickstart[1].splitlines(), sample_benchmark()
    heads = [k for k, line in enumerate(lines) if re.match(r"(Spanish|Arabic|Chinese): ", line)]
    assert [lines[k].split(":")[0] for k in heads] == ["Spanish", "Arabic", "Chinese"]
    for head in heads:
        rows = [line for line in lines[head : head + 9] if re.match(r"\s+[✓·]", line)]
        assert len(rows) == 5
        for row in rows:
            codes = re.findall(r"[✓·] ([a-z]{2}) ", row)
            assert len(codes) == len(STAGES)
            assert set(codes) <= set(benchmark.languages)


def test_models_results_and_the_report_are_written(quickstart: tuple[Path, str]) -> None:
    folder = quickstart[0]
    for name in STAGES:
        assert (folder / f"{name}.parquet").stat().st_size > 0
    hybrid = results(folder, "hybrid")
    assert hybrid["model"]["training"]["batches"]["strategy"] == "hybrid"
    assert hybrid["model"]["sha256"] == model_sha256(load_encoder(str(folder / "hybrid"), device="cpu"))
    assert (folder / "mixed" / "README.md").exists()
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")[:300]


def test_the_three_results_can_be_read_by_a_program(
    quickstart: tuple[Path, str],
    panglot: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluations = {name: load_results(quickstart[0] / f"{name}.json") for name in STAGES}
    stages = [quickstart_of_package.Stage(name, found, 1, []) for name, found in evaluations.items()]
    monkeypatch.setattr(quickstart_of_package, "quickstart", lambda *_, **__: stages)
    found = panglot("quickstart", "--output", tmp_path, "--json").results
    assert found == {name: one.results for name, one in evaluations.items()}


def test_the_results_say_in_which_precision_texts_were_encoded(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickstart_of_package, "STRATEGIES", ())  # the zero-shot encoder alone
    monkeypatch.setattr("panglot.encoders.computes_bfloat16", lambda: True)
    (stage,) = quickstart_of_package.quickstart(tmp_path, model=str(tiny_checkpoint), say=lambda _: None)
    assert stage.evaluation.results["model"]["precision"] == "bfloat16"
