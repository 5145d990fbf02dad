"""``panglot evaluate`` on the bundled sample."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from panglot import evaluate, load_encoder, sample_benchmark
from panglot.data.pairs_files.read import SAMPLE_FOLDER

Runner = Callable[..., Any]
CHANGING = ("command", "created")


def same(results: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in results.items() if name not in (*CHANGING, "per_query")}


def test_json_is_what_the_python_api_gives(panglot: Runner, tiny_checkpoint: Path) -> None:
    printed = panglot("evaluate", tiny_checkpoint, "--languages", "en,sw", "--json").results
    encoder = load_encoder(str(tiny_checkpoint))
    benchmark = sample_benchmark().restrict(["en", "sw"])
    expected = evaluate(encoder, benchmark, name=str(tiny_checkpoint)).results
    assert same(printed) == same(json.loads(json.dumps(expected)))
    assert printed["command"] == f"panglot evaluate {tiny_checkpoint} --languages en,sw --json"


def test_output_holds_the_results_and_the_figures_of_each_query(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    place, given = tmp_path / "found" / "results.json", ("--languages", "en,sw,zh", "--json")
    printed = panglot("evaluate", tiny_checkpoint, "--output", place, *given).results
    written = json.loads(place.read_text(encoding="utf-8"))
    assert same(written) == same(printed)
    table = pq.read_table(place.with_name(written["per_query"]))
    # 24 questions in 3 languages, each ranked in 3 pools of one language and in the pool of all
    assert table.num_rows == 24 * 3 * 4
    own = [
        row["AP"]
        for row in table.select(["query_language", "pool", "AP"]).to_pylist()
        if row["query_language"] == row["pool"]
    ]
    assert written["settings"]["monolingual"]["AP"] == pytest.approx(sum(own) / len(own))


def columns(path: Path) -> list[list[str]]:
    return [text.split() for text in path.read_text(encoding="utf-8").splitlines()]


def test_runs_and_judgements_say_what_the_results_say(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    given = ("--languages", "en,sw", "--measures", "Success@1", "--json")
    results = panglot("evaluate", tiny_checkpoint, *given, "--runs", tmp_path, "--run-depth", "3").results
    names = [f"{query}-{pool}" for query in ("en", "sw") for pool in ("en", "sw", "all")]
    assert {path.name for path in tmp_path.glob("*.run")} == {f"{name}.run" for name in names}
    for name in names:
        relevant = {
            (query, passage) for query, _, passage, gain in columns(tmp_path / f"{name}.qrels") if gain != "0"
        }
        ranked = [
            (query, passage, int(rank)) for query, _, passage, rank, *_ in columns(tmp_path / f"{name}.run")
        ]
        assert len(ranked) == 24 * 3
        first = [(query, passage) in relevant for query, passage, rank in ranked if rank == 1]
        query, pool = name.split("-")
        by_language = results["by_language"][query]["multilingual"]
        found = by_language if pool == "all" else {"Success@1": results["matrix"]["Success@1"][query][pool]}
        assert found["Success@1"] == pytest.approx(sum(first) / 24)


def test_a_person_is_told_where_the_runs_are(panglot: Runner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    outcome = panglot("evaluate", tiny_checkpoint, "--languages", "en", "--runs", tmp_path)
    assert f"runs and qrels: {tmp_path}" in outcome.out


def test_the_tables_show_settings_languages_and_matrix(panglot: Runner, tiny_checkpoint: Path) -> None:
    outcome = panglot("evaluate", tiny_checkpoint, "--languages", "en,sw", "--measures", "RR@10,AP")
    results = panglot(
        "evaluate", tiny_checkpoint, "--languages", "en,sw", "--measures", "RR@10,AP", "--json"
    ).results
    assert "48 queries, 48 passages, 2 languages" in " ".join(outcome.out.split())
    for figures in results["settings"].values():
        assert f"{figures['RR@10']:.4f}" in outcome.out
        assert f"{figures['AP']:.4f}" in outcome.out
    swahili = next(text for text in outcome.out.splitlines() if "Swahili (sw)" in text)
    assert f"{results['by_language']['sw']['multilingual']['RR@10']:.4f}" in swahili
    assert f"{100 * results['matrix']['RR@10']['sw']['en']:.0f}" in outcome.out
    assert outcome.err == ""


def test_a_file_of_pairs_is_a_benchmark(panglot: Runner, tiny_checkpoint: Path) -> None:
    held_out = SAMPLE_FOLDER / "held-out.jsonl"
    given = ("evaluate", tiny_checkpoint, "--languages", "de,th", "--json")
    pairs = panglot(*given, "--benchmark", "pairs", "--data", held_out).results
    bundled = panglot(*given).results
    assert pairs["settings"] == bundled["settings"]
    assert pairs["benchmark"]["name"] == "held-out"


def test_one_language_has_one_setting(panglot: Runner, tiny_checkpoint: Path) -> None:
    results = panglot("evaluate", tiny_checkpoint, "--languages", "en", "--json").results
    assert results["settings"]["crosslingual"] is None
    assert panglot("evaluate", tiny_checkpoint, "--languages", "en").code == 0


def test_changed_queries_are_measured_beside_those_as_they_are(
    panglot: Runner, tiny_checkpoint: Path
) -> None:
    given = (
        "evaluate",
        tiny_checkpoint,
        "--languages",
        "de,zh",
        "--measures",
        "AP",
        "--perturb",
        "lower-case",
    )
    found = panglot(*given, "--json").results
    assert list(found["perturbed"]) == ["lower-case"]
    changes = found["perturbed"]["lower-case"]
    assert changes["by_language"]["de"]["changed"] == 1  # every German question begins with a capital
    assert changes["by_language"]["zh"]["monolingual"]["change"] == 0
    for setting, figures in changes["settings"].items():
        assert figures["before"] == pytest.approx(found["settings"][setting]["AP"])
    shown = panglot(*given).out
    assert "when queries are changed" in shown and "lower-case" in shown


def test_words_are_measured_as_vectors_are(panglot: Runner) -> None:
    found = panglot("evaluate", "bm25", "--languages", "en,de", "--measures", "AP", "--json").results
    assert found["model"]["name"] == "bm25"
    assert found["settings"]["monolingual"]["AP"] > found["settings"]["crosslingual"]["AP"]
    refused = panglot("evaluate", "bm25", "--bf16")
    assert refused.code == 2
    assert "BM25 has no vectors, so --bf16 has no effect" in refused.err


def test_a_store_gives_the_figures_of_its_embeddings(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    some = ("--languages", "en,sw")
    assert panglot("encode", tiny_checkpoint, *some, "--output", store, "--dtype", "float32").code == 0
    stored = panglot("evaluate", tiny_checkpoint, *some, "--store", store, "--json").results
    plain = panglot("evaluate", tiny_checkpoint, *some, "--json").results
    assert stored["model"]["store"] == "float32"
    for setting, figures in plain["settings"].items():
        assert stored["settings"][setting] == pytest.approx(figures, abs=1e-6)


def test_truncated_embeddings_are_measured_and_the_results_say_so(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    some = (tiny_checkpoint, "--languages", "en,sw")
    cut = panglot("evaluate", *some, "--truncate-dim", "4", "--json").results
    encoder = load_encoder(str(tiny_checkpoint), truncate_dim=4)
    benchmark = sample_benchmark().restrict(["en", "sw"])
    assert cut["settings"] == evaluate(encoder, benchmark).results["settings"]
    assert cut["model"]["truncate_dim"] == 4
    store = tmp_path / "store"
    stored = ("encode", *some, "--truncate-dim", "4", "--output", store, "--dtype", "float32")
    assert panglot(*stored).code == 0
    asked = ("evaluate", *some, "--store", store, "--json")
    of_store = panglot(*asked, "--truncate-dim", "4").results
    assert of_store["settings"]["multilingual"] == pytest.approx(cut["settings"]["multilingual"], abs=1e-6)
    whole = panglot(*asked)
    assert whole.code == 2 and "embeddings of 4 dimensions, the model now gives 32" in whole.err


def test_a_suite_is_measured_part_by_part(panglot: Runner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    for code, lines in (("deu", "Hallo.\nEs regnet.\n"), ("eng", "Hello.\nIt rains.\n")):
        (tmp_path / f"tatoeba.deu-eng.{code}").write_text(lines, encoding="utf-8")
    given = ("evaluate", tiny_checkpoint, "--benchmark", "tatoeba", "--data", tmp_path)
    found = panglot(*given, "--json").results
    assert list(found["parts"]) == ["de-en"]
    assert found["settings"]["monolingual"] is None
    centred = panglot(*given, "--centre", "corpus", "--json").results
    assert centred["model"]["centring"]["sources"][0]["name"] == "tatoeba"
    changed = panglot(*given, "--perturb", "lower-case", "--json").results
    assert changed["perturbed"]["lower-case"]["settings"]["crosslingual"]["before"] == pytest.approx(
        changed["settings"]["crosslingual"][changed["perturbed"]["lower-case"]["measure"]]
    )
    store = tmp_path / "store"
    assert panglot("encode", tiny_checkpoint, *given[2:], "--output", store, "--dtype", "float32").code == 0
    stored = panglot(*given, "--store", store, "--json").results
    assert stored["settings"]["crosslingual"] == pytest.approx(found["settings"]["crosslingual"], abs=1e-6)
    assert panglot("evaluate", "bm25", *given[2:], "--json").results["parts"]["de-en"]["queries"] == 4


def test_lists_of_all_languages_are_balanced(panglot: Runner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    given = ("evaluate", tiny_checkpoint, "--languages", "de,en")
    plain = panglot(*given, "--json").results
    for kind in ("scores", "turns"):
        path = tmp_path / f"{kind}.json"
        printed = panglot(*given, "--balanced", kind, "--output", path)
        assert f"are balanced by {kind}" in printed.out
        found = json.loads(path.read_text())
        assert found["model"]["balanced"] == kind
        for setting in ("monolingual", "crosslingual"):  # lists of one language stay as they are
            assert found["settings"][setting] == plain["settings"][setting]
        assert found["bias"]["rank_distance"] != plain["bias"]["rank_distance"]
        assert panglot("inspect", path).code == 2
    alone = panglot("evaluate", tiny_checkpoint, "--languages", "de", "--balanced", "turns")
    assert alone.code == 2 and "balancing is measured on two or more languages" in alone.err


def test_lists_are_reranked(
    panglot: Runner, tiny_checkpoint: Path, tiny_reranker: Path, tmp_path: Path
) -> None:
    given = ("evaluate", tiny_checkpoint, "--languages", "de,en", "--rerank", tiny_reranker)
    found = panglot(*given, "--rerank-depth", 5, "--json").results
    assert found["model"]["reranker"]["name"] == str(tiny_reranker)
    assert found["model"]["reranker"]["depth"] == 5
    printed = panglot(*given)
    assert "the first 100 passages of each list are reranked" in printed.out
    for wrong in (("--runs", tmp_path / "runs"), ("--perturb", "typos"), ("--rerank-depth", 0)):
        refused = panglot(*given, *wrong)
        assert refused.code == 2 and "Traceback" not in refused.err
    refused = panglot("evaluate", tiny_checkpoint, "--rerank", tiny_checkpoint)
    assert refused.code == 2 and "cross-encoder" in refused.err
