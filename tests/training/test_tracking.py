"""What is logged of a run: pairs a second, padding, monolingual batches; and where it is sent."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from panglot import make_sampler, sample_pairs
from panglot.data import pairs_from_rows
from panglot.training import StepReport, Training

Runner = Callable[..., tuple[Training, SentenceTransformer]]


def logged(outcome: Training) -> list[dict[str, float]]:
    return [entry for entry in outcome.log if "loss" in entry]


def set_clock(monkeypatch: pytest.MonkeyPatch, *moments: float) -> None:
    """Let the trainer read these seconds, one after the other."""
    left: Iterator[float] = iter(moments)
    monkeypatch.setattr("panglot.training.trainer.time", SimpleNamespace(perf_counter=lambda: next(left)))


# with both ends and the prompts "Query: " and "Passage: ": 18, 14, 11 and 10 tokens, 53 in all;
# one micro-batch pads them to 4 * 18, micro-batches of 36 hold two of 18 and two of 11
@pytest.mark.parametrize(("budget", "padded"), [(10_000, 4 * 18), (36, 2 * 18 + 2 * 11), (1, 53)])
def test_padding_efficiency_is_the_share_of_tokens_that_are_texts(
    run: Runner, tmp_path: Path, budget: int, padded: int
) -> None:
    lines: list[dict[str, object]] = [
        {"item_id": "a", "language": "en", "query": "aa", "passage": "abc"},
        {"item_id": "b", "language": "en", "query": "a", "passage": "abcdefg"},
    ]
    how: dict[str, Any] = {"steps": 1, "micro_batch_tokens": budget}
    sources = [pairs_from_rows(lines, "two")]
    outcome, _ = run(tmp_path, how, sources=sources, strategy="english", batch_size=2)
    assert logged(outcome)[0]["padding_efficiency"] == pytest.approx(53 / padded)


def test_the_share_of_monolingual_batches_is_counted_between_two_lines_of_the_log(
    run: Runner, tmp_path: Path
) -> None:
    outcome, _ = run(tmp_path, {"steps": 20, "micro_batch_tokens": 4096}, batch_size=2)
    sampler = make_sampler([sample_pairs()], batch_size=2)
    drawn = [sampler.draw(step).kind == "monolingual" for step in range(20)]
    told = [entry["monolingual_share"] for entry in logged(outcome)]
    assert told == [sum(drawn[:10]) / 10, sum(drawn[10:]) / 10]
    assert told[0] != told[1]


def test_pairs_a_second_are_those_since_the_last_line_of_the_log(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, 100.0, 104.0, 104.0, 109.0, 109.0)  # the first step, then two logs, read twice
    outcome, _ = run(tmp_path, {"steps": 20}, batch_size=2)
    # ten steps of two pairs in 4 s, then in 5 s
    assert [entry["pairs_per_second"] for entry in logged(outcome)] == [20 / 4, 20 / 5]


def test_time_spent_measuring_is_not_counted(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = [sample_pairs().select(languages=["en", "de"], items=range(4))]
    # the first step at 0 s, measuring from 3 s to 1003 s, a log at 1004 s, measuring again
    set_clock(monkeypatch, 0.0, 3.0, 1003.0, 1004.0, 1004.0, 1005.0, 2000.0)
    outcome, _ = run(tmp_path, {"steps": 2, "eval_steps": 1}, batch_size=2, held_out=held_out)
    assert [entry["pairs_per_second"] for entry in logged(outcome)] == [2 * 2 / 4]


def test_the_loss_and_what_it_was_like_are_told_and_kept(run: Runner, tmp_path: Path) -> None:
    told: list[StepReport] = []
    outcome, _ = run(tmp_path, {"steps": 2}, progress=told.append)
    figures = [report.figures for report in told if "loss" in report.figures]
    names = {"loss", "info_nce", "pairs_per_second", "padding_efficiency", "monolingual_share"}
    assert len(figures) == 1
    assert names <= figures[0].keys()
    assert json.loads((tmp_path / "log.json").read_text())["log"] == outcome.log
    assert names <= logged(outcome)[0].keys()


def test_tensorboard_is_sent_what_is_logged(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    outcome, _ = run(tmp_path / "run", {"steps": 20, "report_to": ["tensorboard"]}, batch_size=2)
    found: dict[str, list[float]] = {}
    for file in (tmp_path / "events").rglob("events.out.tfevents.*"):
        events: Any = EventAccumulator(str(file))
        events.Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, []).extend(event.value for event in events.Scalars(tag))
    for name in ("loss", "pairs_per_second"):
        assert found[f"train/{name}"] == pytest.approx([entry[name] for entry in logged(outcome)])
    assert len(logged(outcome)) == 2


def test_without_a_tracker_no_event_file_is_written(run: Runner, tmp_path: Path) -> None:
    run(tmp_path, {"steps": 1})
    assert not list(tmp_path.rglob("events*"))
