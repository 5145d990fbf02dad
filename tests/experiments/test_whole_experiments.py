"""Whole experiments, on the sample and on files in their official layouts, of a few lines each."""

import json
from pathlib import Path
from typing import Any

import pytest
from small_files import Content, write_files
from typer.testing import CliRunner

from panglot.cli import app
from panglot.experiments.cost import Cost

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
LEFT_OUT = ['grid.languages=["de", "en", "ru", "sw"]', 'grid.measured=["en", "ru", "sw"]']
LEFT_OUT += ['grid.strategies=["hybrid"]', 'grid.left_out={Russian={languages=["ru"]}}']
SCALES = ['grid.languages=["de", "en", "tr"]', "grid.counts=[2, 3]", "grid.all_languages=false"]
SCALES += ['grid.measured=["de", "tr"]', "grid.reference=2", "grid.max_steps=2", "grid.sizes=[4, 8]"]
SCALES += ["grid.size_languages=2", "grid.noise_pairs=8"]
CLASSES, BY_CLASS = ("family", "group"), "queries, by class"
# by question: pairs, benchmarks, files, settings, names of tables, and what rows of a table hold
Expected = dict[str, tuple[tuple[str, ...], set[tuple[str, ...]]]]
QUESTIONS: dict[str, tuple[str, tuple[str, ...], Files, list[str], set[str], Expected]] = {
    "low-resource": (
        *("sample", ("sample", "afriqa", "beir-parallel:nfcorpus"), afriqa() | nfcorpus()),
        [*LOW, 'grid.measured={sample=["de", "en", "sw"]}'],
        {"low-resource-sample", "low-resource-sample-classes", "low-resource-sample-contrast"},
        {
            "low-resource-afriqa-classes": (CLASSES, {(BY_CLASS, "2")}),
            "low-resource-beir-parallel:nfcorpus-classes": (CLASSES, {(BY_CLASS, "4"), (BY_CLASS, "5")}),
        },
    ),
    "unseen-languages": (
        *("sample", ("sample", "miracl", "miracl-hard-negatives"), miracl() | miracl_hard_negatives()),
        [*LEFT_OUT, 'grid.others=["bm25"]'],
        {"unseen-sample-left-out", "unseen-sample-kept", "unseen-sample-each", "unseen-sample"},
        {
            "unseen-miracl-left-out": (("group",), {("left out",)}),
            "unseen-miracl-hard-negatives": (("run",), {("zero-shot",), ("bm25",)}),
        },
    ),
    "baselines": (
        *("sample", ("sample", "mtop"), mtop()),
        [
            *('grid.encoders=[{name="tiny"}]', 'grid.languages=["de", "en"]'),
            'grid.measured_languages={sample=["de", "en"]}',
        ],
        {"leaderboard-monolingual", "leaderboard-pairs", "tuned"},
        {"leaderboard": (("line",), {("tiny",), ("tiny (hybrid)",), ("BM25",)})},
    ),
    "domain-shift": (
        *("coco-35l", ("sample", "xm3600"), captions()),
        [
            *('grid.languages=["de", "sw"]', 'grid.budgets=["steps"]', 'grid.perturb=["typos"]'),
            'measure="nDCG@10"',  # changed queries are measured by another, the first
        ],
        {"domain-shift-losses-languages", "domain-shift-held-out-monolingual"},
        {"domain-shift-losses": (("shift",), {("held-out, typos",), ("xm3600",), ("xm3600, typos",)})},
    ),
    "scaling": (
        *("sample", ("sample",), {}, SCALES),
        {"languages-sample-steps", "languages-sample-1", "sizes-sample-batch-sizes"}
        | {"costs-sample-batch-sizes", "noise-sample-batch-sizes"},
        {},
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_command_trains_measures_and_answers(
    name: str, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def cost(recipe: Any, sources: Any, pairs: int) -> Cost:
        measured.append(recipe.batches.size)
        return Cost(10.0, pairs, 2**20 * recipe.batches.size, 2**21)

    monkeypatch.setattr("panglot.experiments.cost.measure_cost", cost)  # which takes processes of their own
    pairs, benchmarks, files, settings, tables, expected = QUESTIONS[name]
    monkeypatch.setenv("PANGLOT_DATA", str(write_files(tmp_path / "data", files)))
    out = tmp_path / "out"
    command = ["experiment", name, "--pairs", pairs, "--seeds", "1", "--output", str(out)]
    command += ["--model", str(tiny_checkpoint)]
    command += ["--held-out", "0.3"] if name == "domain-shift" else []
    command += [word for benchmark in benchmarks for word in ("--benchmark", benchmark)]
    small = ["training.steps=2", "training.max_length=24", "training.bf16=false", "bf16=false"]
    small += ["batches.size=4", "training.learning_rate=0.01"]
    command += [word for one in (*small, *settings) for word in ("--set", one)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads((out / "summary.json").read_text(encoding="utf-8"))["tables"]
    assert tables <= set(found)
    assert all(table["rows"] for table in found.values())
    for table, (columns, rows) in expected.items():
        assert {tuple(row[column] for column in columns) for row in found[table]["rows"]} >= rows
    assert "<figure>" in (out / "report.html").read_text(encoding="utf-8")
    assert "nan" not in (out / "report.md").read_text(encoding="utf-8").lower().split()
    for ending in (".csv", ".md", ".tex"):
        assert (out / f"{next(iter(found))}{ending}").stat().st_size > 50
    if name == "scaling":
        rows_of = found["costs-sample-batch-sizes"]["rows"]
        assert [row["seconds"] for row in rows_of] == [0.8, 0.8]  # 8 pairs at 10 a second
        assert [row["peak memory, MiB"] for row in rows_of] == [4, 8]
        again = CliRunner().invoke(app, command)
        assert again.exit_code == 0
        assert measured == [4, 8]  # not measured twice


def test_strategies_are_compared_with_variants_and_centring(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'[model]\nname = "{tiny_checkpoint.as_posix()}"\n[batches]\nsize = 4\n'
        '[training]\nsteps = 2\nmax_length = 24\n[data]\nlanguages = ["de", "en"]'
    )
    command = ["experiment", "strategies", str(recipe), "--pairs", "sample", "--seeds", "1", "--json"]
    command += ["--output", str(tmp_path / "out"), "--benchmark", f"sample={tmp_path}", "--centred"]
    command += ["--strategy", "monolingual,hybrid"]
    command += ["--variant", "cold:loss.matryoshka_dims=[8,16],loss.temperature=0.5"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    keys = [run["key"] for run in summary["runs"][1:]]
    assert [key["data"]["languages"] for key in keys] == [["de", "en"]] * 3  # the recipe's
    loss = keys[2]["loss"]
    assert (loss["matryoshka_dims"], loss["temperature"]) == ([8, 16], 0.5)  # the variant's
    tables = summary["tables"]
    names = ["zero-shot", "monolingual", "hybrid", "cold"]
    runs = [f"{name}{ending}" for name in names for ending in ("", ", centred")]
    assert list(dict.fromkeys(row["run"] for row in tables["strategies-sample"]["rows"])) == runs
    pairs = {(row["run"], row["baseline"]) for row in tables["differences-sample"]["rows"]}
    assert pairs == {(one, other) for one in ("hybrid", "cold") for other in runs if one != other}
