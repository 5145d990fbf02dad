"""The paper's main experiment: its plan, and the whole of it in miniature, with a hub on this machine."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import make_checkpoint
from loopback_hub import LoopbackHub, loopback_hub
from translators import learn, make_m2m100

from panglot import PanglotError, load_pairs, sample_pairs
from panglot.data.catalogue import entry_named
from panglot.experiments import paper
from panglot.experiments.paper import LANGUAGES, PARALLEL, SIZES, VALIDATION, Reproduction, Step, disk, steps

NAMES = entry_named(PARALLEL).files  # one of queries and one of passages for each language
Row = dict[str, Any]
UNCHECKED = """
from unittest import mock
from panglot.cli import main
with mock.patch("panglot.data.fetch.get.verify"), mock.patch("panglot.data.fetch.web.verify"):  # small files
    main()
"""


def test_the_plan_has_every_source_and_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PANGLOT_DATA", raising=False)
    found = list(steps(Reproduction(scale=0.01, seeds=2, benchmarks=("xquad-r",)), tmp_path))
    by_name = {step.what: step for step in found}
    assert not any(step.done for step in found)
    assert by_name["fetch mmarco-train"].work == "15 files"  # triples; queries and passages of 7 languages
    assert by_name["translate mmarco-train"].work == "10,656 rows into th, tr"
    assert by_name["translate wiki-qa"].work == "8,000 rows into ar, de, es, hi, ru, th, tr, zh"
    assert by_name["train with hybrid batches, seed 1"].work == "up to 1,000 steps of 100 pairs"
    assert by_name["evaluate on xquad-r"].work == "7 models, 13,014 passages each"
    # 10,656 rows, a question and a passage of 120 tokens together, twice, at 5,000 tokens a second
    assert by_name["translate mmarco-train"].hours == pytest.approx(10_656 * 2 * 120 / 5_000 / 3_600)
    # 7 languages of 8,841,823 passages, 400 bytes each
    assert by_name["fetch mmarco-train"].gigabytes == pytest.approx(7 * 8_841_823 * 400 / 1e9)
    assert len(found) == len(SIZES) + len(VALIDATION) + 1 + len(SIZES) + 3 * 2 + 1


def test_disk_is_what_is_kept_and_the_largest_of_the_rest() -> None:
    found = [
        Step("fetch", "", gigabytes=3.0),
        Step("fetch more", "", gigabytes=2.0, done=True),
        Step("train", "", gigabytes=7.0, keeps=False),
        Step("evaluate", "", gigabytes=9.0, keeps=False),
    ]
    assert disk(found) == 12.0


def test_translated_pairs_are_those_of_one_scale_and_translator(tmp_path: Path) -> None:
    wanted = Reproduction(scale=0.1, sources=("wiki-qa",), translator="models/one")
    path = wanted.pairs_file("wiki-qa", tmp_path)
    path.parent.mkdir(parents=True)
    path.touch()

    def is_done(wanted: Reproduction) -> bool:
        return next(step.done for step in steps(wanted, tmp_path) if step.what == "translate wiki-qa")

    assert is_done(wanted)
    assert not is_done(replace(wanted, scale=0.2))
    assert not is_done(replace(wanted, translator="models/other"))


def test_pairs_of_another_translator_of_that_name_are_refused(tmp_path: Path) -> None:
    wanted = Reproduction(scale=0.1, sources=("wiki-qa",), translator="mine/nllb")
    path = wanted.pairs_file("wiki-qa", tmp_path)
    path.parent.mkdir(parents=True)
    path.touch()
    note = path.with_name("wiki-qa.translation.json")

    def translated() -> Path:
        return paper._translated(wanted, "wiki-qa", tmp_path, pytest.fail, print)

    assert translated() == path  # nothing says by which
    note.write_text(json.dumps({"settings": {"model": "mine/nllb"}}), encoding="utf-8")
    assert translated() == path
    note.write_text(json.dumps({"settings": {"model": "theirs/nllb"}}), encoding="utf-8")
    with pytest.raises(PanglotError, match="was translated by theirs/nllb; use that, or another --output"):
        translated()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": "mt5"}, "'mt5' is not a model of the paper; use xlm-r or labse"),
        ({"scale": 0.0}, "the scale is 0; use a share of the paper's, above 0 up to 1"),
        ({"scale": 1.5}, "the scale is 1.5"),
        ({"sources": ("msmarco",)}, "'msmarco' is not a training set of the paper; use mmarco-train, mfaq"),
        ({"benchmarks": ("squad3",)}, "'squad3' is not a benchmark that panglot knows"),
        ({"benchmarks": ("mfaq",)}, "'mfaq' is a training set; name a benchmark of 'panglot data list'"),
    ],
)
def test_what_the_paper_has_not_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PanglotError, match=sentence):
        Reproduction(**settings)


def test_the_recipe_is_the_papers_at_scale() -> None:
    recipe = Reproduction(model="labse", scale=0.1, settings=(("batches.alpha", 0.3),)).experiment().recipe
    assert recipe.model.name == "sentence-transformers/LaBSE"
    assert (recipe.training.steps, recipe.training.eval_steps, recipe.training.patience) == (10_000, 50, 3)
    assert recipe.training.metric_for_best_model == "loss"
    assert (recipe.batches.alpha, recipe.batches.size) == (0.3, 100)
    assert recipe.batches.source_sizes == {name: float(size) for name, size in SIZES.items()}
    assert recipe.loss.negatives is False


def short_items() -> list[dict[str, Row]]:
    """Three items of the sample by language, with the begin of a passage: a translator learns them."""
    items: dict[str, dict[str, Row]] = {}
    for row in sample_pairs().table.to_pylist():
        sentence = re.split(r"(?<=[.。।])", row["passage"])[0][:30]
        items.setdefault(row["item_id"], {})[row["language"]] = {**row, "passage": sentence}
    return sorted(
        items.values(), key=lambda item: sum(len(item[code]["query"]) for code in ("en", "th", "tr"))
    )[:3]


def mmarco(items: list[dict[str, Row]]) -> dict[str, bytes]:
    """Return the items as mMARCO's files; it has neither Thai nor Turkish."""
    files = {"data/triples.train.ids.small.tsv": "".join(f"{k}\t{k}\t{(k + 1) % 3}\n" for k in range(3))}
    for file in NAMES:
        if file.language in LANGUAGES and file.path is not None:
            field = "query" if "queries" in file.path else "passage"
            texts = [item[file.language][field].replace("\n", " ") for item in items]
            files[file.path] = "".join(f"{k}\t{text}\n" for k, text in enumerate(texts))
    return {path: text.encode() for path, text in files.items()}


def squad(texts: list[tuple[str, str]]) -> str:
    """Return questions and passages in SQuAD's format with LAReQA's sentences."""
    paragraphs = [
        {
            "context": passage,
            "sentences": [passage],
            "sentence_breaks": [[0, len(passage)]],
            "qas": [{"id": str(k), "question": query, "answers": [{"answer_start": 0, "text": passage[:2]}]}],
        }
        for k, (query, passage) in enumerate(texts)
    ]
    data = [{"title": str(k), "paragraphs": [paragraph]} for k, paragraph in enumerate(paragraphs)]
    return json.dumps({"version": "1", "data": data})


def put_data(folder: Path, items: list[dict[str, Row]]) -> None:
    """Write what is not on the hub: XQuAD-R in all its languages, and SQuADShifts."""
    files = {f"xquad-r/{code}.json": code for code in entry_named("xquad-r").languages}
    files |= {
        f"squadshifts/{name}_v1.0.json": "en" for name in ("new_wiki", "nyt", "reddit", "amazon_reviews")
    }
    for name, code in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        texts = [(item[code]["query"], item[code]["passage"]) for item in items]
        (folder / name).write_text(squad(texts), encoding="utf-8")


def put_models(hub: LoopbackHub, folder: Path, items: list[dict[str, Row]]) -> None:
    """Put a small XLM-R on the hub, and a translator that knows the items by heart."""
    make_checkpoint(folder / "xlm-r", "xlm-roberta-base")
    (folder / "base").mkdir()
    torch.manual_seed(0)
    make_m2m100(folder / "base")
    texts = [
        (item["en"][field], code, item[code][field])
        for item in items
        for code in ("th", "tr")
        for field in ("query", "passage")
    ]
    learn(folder / "base", texts, folder / "translator")
    hub.add("models/FacebookAI/xlm-roberta-base", folder / "xlm-r")
    hub.add("models/facebook/nllb-200-distilled-600M", folder / "translator")


@pytest.mark.slow
def test_the_whole_paper_in_miniature(tmp_path: Path) -> None:
    items = short_items()
    put_data(tmp_path / "data", items)
    output, tiny = tmp_path / "run", ("batches.size=2", "training.steps=2", "training.max_length=32")
    what = ["paper", "--scale", "0.001", "--source", PARALLEL, "--benchmark", "xquad-r", "--json"]
    how = ["--output", str(output), *(word for setting in tiny for word in ("--set", setting))]
    command = [sys.executable, "-c", UNCHECKED, "reproduce", *what, *how]
    with loopback_hub() as hub:
        put_models(hub, tmp_path, items)
        hub.add("datasets/unicamp-dl/mmarco", mmarco(items))
        own = {"PANGLOT_CACHE": str(tmp_path / "cache"), "PANGLOT_DATA": str(tmp_path / "data")}
        environment = {**os.environ, **hub.environment(tmp_path / "home"), **own}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    pairs = load_pairs(Reproduction(scale=0.001).pairs_file(PARALLEL, output))
    assert pairs.languages == LANGUAGES
    found = json.loads(done.stdout)
    assert [run["name"] for run in found["runs"]] == [
        "zero-shot", "monolingual, seed 0", "crosslingual, seed 0", "hybrid, seed 0",
    ]  # fmt: skip
    published = found["tables"]["published-xquad-r"]["rows"]
    assert {"hybrid", "XLM-R, hybrid batches"} <= {row["model"] for row in published}
    log = next((output / "runs").glob("*/model/log.json"))
    assert "eval_loss" in log.read_text(encoding="utf-8")  # of SQuADShifts
