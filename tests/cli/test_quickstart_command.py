"""``panglot quickstart``, as a new user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from panglot import load_encoder, sample_benchmark
from panglot.encoders import model_sha256

pytestmark = pytest.mark.slow
SETTINGS = {"monolingual": "monolingual", "crosslingual": "cross-lingual", "multilingual": "multilingual"}


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a quickstart, and what it printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    command = [sys.executable, "-c", "from panglot.cli import main; main()", "quickstart"]
    done = subprocess.run([*command, "--output", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def results(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_training_helps_in_all_three_settings_and_lowers_the_rank_distance(
    quickstart: tuple[Path, str],
) -> None:
    before, after = (results(quickstart[0], name) for name in ("before", "after"))
    for setting in SETTINGS:
        assert after["settings"][setting]["AP"] > before["settings"][setting]["AP"]
    assert after["bias"]["rank_distance"] < before["bias"]["rank_distance"]


def test_the_table_shows_before_and_after(quickstart: tuple[Path, str]) -> None:
    folder, printed = quickstart
    before, after = (results(folder, name) for name in ("before", "after"))
    for setting, name in SETTINGS.items():
        (row,) = [text for text in printed.splitlines() if text.strip().startswith(f"mAP {name}")]
        assert f"{before['settings'][setting]['AP']:.3f}" in row
        assert f"{after['settings'][setting]['AP']:.3f}" in row
    (row,) = [text for text in printed.splitlines() if text.strip().startswith("rank distance")]
    assert f"{before['bias']['rank_distance']:.1f}" in row
    assert f"{after['bias']['rank_distance']:.1f}" in row


def test_three_searches_show_passages_of_any_language(quickstart: tuple[Path, str]) -> None:
    lines = quickstart[1].splitlines()
    benchmark = sample_benchmark()
    questions, passages = set(benchmark.queries.texts), benchmark.passages.texts
    heads = [
        (k, match[1], match[2])
        for k, text in enumerate(lines)
        if (match := re.match(r"(Spanish|Arabic|Chinese): (.+)", text))
    ]
    assert [language for _, language, _ in heads] == ["Spanish", "Arabic", "Chinese"]
    for k, _, question in heads:
        assert any(text.startswith(question[:20]) for text in questions)
        for hit in lines[k + 1 : k + 4]:
            found = re.match(r"  [01]\.\d\d ([a-z]{2})  (.+)", hit)
            assert found, hit
            assert found[1] in benchmark.languages
            assert any(text.startswith(found[2][:20]) for text in passages)


def test_the_files_are_there(quickstart: tuple[Path, str]) -> None:
    folder = quickstart[0]
    for name in ("before.json", "before.parquet", "after.json", "after.parquet"):
        assert (folder / name).stat().st_size > 0
    after = results(folder, "after")
    assert after["model"]["training"]["batches"]["strategy"] == "hybrid"
    assert after["model"]["sha256"] == model_sha256(load_encoder(str(folder / "model"), device="cpu"))
    assert (folder / "model" / "README.md").exists()
