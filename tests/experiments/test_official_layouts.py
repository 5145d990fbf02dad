"""Whole experiments on benchmarks and pairs in their official layouts, of a few lines each."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_files import Content, write_files
from typer.testing import CliRunner

from panglot.cli import app

Files = dict[str, Content]
ITEMS = range(6)


def afriqa() -> Files:
    """Questions in Swahili and Hausa on English passages, and in Wolof on French ones."""
    return {
        f"afriqa/data/gold_passages/{code}/gold_span_passages.afriqa.{code}.{pivot}.test.json": [
            {
                **{"id": str(k), "question_lang": f"{code} {k}?", "question_translated": f"{pivot} {k}?"},
                **{"title": f"{code} {k}", "context": f"{pivot} answer {k} of {code}."},
            }
            for k in ITEMS
        ]
        for code, pivot in (("swa", "en"), ("hau", "en"), ("wol", "fr"))
    }


def nfcorpus() -> Files:
    """A set of BEIR in English, Dutch and Polish."""
    found: Files = {}
    for place in ("beir/nfcorpus", "beir-nl/nfcorpus", "beir-pl/nfcorpus"):
        texts = [{"_id": f"d{k}", "title": "", "text": f"{place} {k}"} for k in ITEMS]
        found[f"{place}/corpus.jsonl"] = texts
        found[f"{place}/queries.jsonl"] = [{"_id": f"q{k}", "text": f"{place} {k}?"} for k in ITEMS]
        lines = "".join(f"q{k}\td{k}\t1\n" for k in ITEMS)
        found[f"{place}/qrels/test.tsv"] = "query-id\tcorpus-id\tscore\n" + lines
    return found


def miracl() -> Files:
    """Three languages of MIRACL, as on the hub."""
    found: Files = {}
    for code in ("en", "ru", "sw"):
        place = f"miracl/miracl-v1.0-{code}"
        found[f"{place}/topics/topics.miracl-v1.0-{code}-dev.tsv"] = "".join(
            f"{k}\t{code} {k}?\n" for k in ITEMS
        )
        found[f"{place}/qrels/qrels.miracl-v1.0-{code}-dev.tsv"] = "".join(
            f"{k}\tQ0\t{k}#0\t1\n" for k in ITEMS
        )
        found[f"miracl/miracl-corpus-v1.0-{code}/docs-0.jsonl.gz"] = [
            {"docid": f"{k}#0", "title": code, "text": f"{code} answer {k}"} for k in ITEMS
        ]
    return found


def miracl_hard_negatives() -> Files:
    """The same in mteb's form: folders of queries, passages and judgements of a language."""
    found: Files = {}
    for code in ("en", "ru", "sw"):
        place = "miracl-hard-negatives"
        found[f"{place}/queries-{code}/dev.jsonl"] = [{"_id": str(k), "text": f"{code} {k}?"} for k in ITEMS]
        found[f"{place}/corpus-{code}/dev.jsonl"] = [
            {"_id": f"{k}#0", "title": code, "text": f"{code} answer {k}"} for k in ITEMS
        ]
        found[f"{place}/{code}/dev.jsonl"] = [
            {"query-id": str(k), "corpus-id": f"{k}#0", "score": 1} for k in ITEMS
        ]
    return found


def mtop() -> Files:
    """Three languages of MTOP."""
    return {
        f"mtop/{code}/test.txt": "".join(
            f"{k}\tIN:PLAY\t\tplay {k} {code}\tmusic\t{code}_XX\t[IN:PLAY ]\t{{}}\n" for k in ITEMS
        )
        for code in ("de", "en", "fr")
    }


def captions() -> Files:
    """Images of Crossmodal-3600, and others of COCO-35L."""
    codes = ("de", "en", "sw")
    return {
        "xm3600/captions.jsonl": [
            {"image/key": str(k), **{c: {"caption": [f"{c} {k} {n}" for n in range(2)]} for c in codes}}
            for k in ITEMS
        ],
        "coco-35l/coco_mt_train.jsonl.bz2": [
            {
                **{"image_id": f"{k}_{n}", "src_lang": "en", "caption_tokenized": f"English {k} {n}"},
                **{"trg_lang": code, "translation_tokenized": f"{code} {k} {n}"},
            }
            for code in ("sw", "de")
            for n in range(2)
            for k in range(12)
        ],
    }


LOW = ['grid.languages=["de", "en", "sw"]', 'grid.strategies=["monolingual", "hybrid"]']
CLASSES, BY_CLASS = ("family", "group"), "queries, by class"
# by benchmark: the question, pairs, files, settings, and what rows of a table hold
Expected = tuple[str, tuple[str, ...], set[tuple[str, ...]]]
QUESTIONS: dict[str, tuple[str, str, Callable[[], Files], list[str], Expected]] = {
    "afriqa": (
        *("low-resource", "sample", afriqa, LOW),
        ("low-resource-afriqa-classes", CLASSES, {(BY_CLASS, "2")}),
    ),
    "beir-parallel:nfcorpus": (
        *("low-resource", "sample", nfcorpus, LOW),
        ("low-resource-beir-parallel:nfcorpus-classes", CLASSES, {(BY_CLASS, "4"), (BY_CLASS, "5")}),
    ),
    "miracl": (
        *("unseen-languages", "sample", miracl),
        [
            *('grid.languages=["de", "en", "ru", "sw"]', 'grid.measured=["en", "ru", "sw"]'),
            *('grid.strategies=["hybrid"]', 'grid.left_out={Russian={languages=["ru"]}}'),
        ],
        ("unseen-miracl-left-out", ("group",), {("left out",)}),
    ),
    "miracl-hard-negatives": (
        *("unseen-languages", "sample", miracl_hard_negatives),
        [
            *('grid.languages=["de", "en", "ru", "sw"]', 'grid.measured=["en", "ru", "sw"]'),
            *('grid.strategies=["hybrid"]', 'grid.left_out={Russian={languages=["ru"]}}'),
            'grid.others=["bm25"]',
        ],
        ("unseen-miracl-hard-negatives", ("run",), {("zero-shot",), ("bm25",)}),
    ),
    "mtop": (
        *("baselines", "sample", mtop, ['grid.encoders=[{name="tiny"}]', 'grid.languages=["de", "en"]']),
        ("leaderboard", ("line",), {("tiny",), ("tiny (hybrid)",), ("BM25",)}),
    ),
    "xm3600": (
        *("domain-shift", "coco-35l", captions),
        ['grid.languages=["de", "sw"]', 'grid.budgets=["steps"]', 'grid.perturb=["typos"]'],
        ("domain-shift-losses", ("shift",), {("held-out, typos",), ("xm3600",), ("xm3600, typos",)}),
    ),
}


@pytest.mark.parametrize("benchmark", QUESTIONS)
def test_a_question_is_answered_on_official_files(
    benchmark: str, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, pairs, files, settings, (table, columns, expected) = QUESTIONS[benchmark]
    monkeypatch.setenv("PANGLOT_DATA", str(write_files(tmp_path / "data", files())))
    command = ["experiment", name, "--pairs", pairs, "--benchmark", benchmark, "--seeds", "1"]
    command += ["--model", str(tiny_checkpoint), "--output", str(tmp_path / "out")]
    command += ["--held-out", "0.3"] if name == "domain-shift" else []
    small = ["training.steps=2", "training.max_length=24", "training.bf16=false", "bf16=false"]
    command += [word for one in (*small, "batches.size=4", *settings) for word in ("--set", one)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["tables"]
    assert {tuple(row[column] for column in columns) for row in found[table]["rows"]} >= expected
