"""What ``import panglot`` offers."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

import panglot
from panglot import PanglotError
from panglot.encoders import name_of

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", panglot.__all__)
def test_a_public_name_is_found(name: str) -> None:
    assert getattr(panglot, name) is not None


def test_no_public_name_is_that_of_a_part() -> None:
    parts = {path.stem for path in Path(panglot.__file__).parent.iterdir() if path.stem != "__init__"}
    assert not parts & set(panglot.__all__)


def test_compare_takes_evaluations() -> None:
    from panglot.evaluation import compare_results

    assert panglot.compare is compare_results


def test_importing_panglot_does_not_load_torch() -> None:
    code = "import sys, panglot; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        panglot.nothing  # noqa: B018


def test_what_is_printed_is_one_line() -> None:
    pairs, benchmark = panglot.sample_pairs(), panglot.sample_benchmark()
    assert repr(pairs) == "ParallelPairs('sample': 48 items, 576 rows, 12 languages)"
    assert repr(benchmark) == "Benchmark('sample': 288 queries, 288 passages, 12 languages)"
    assert repr(benchmark.queries) == "Texts(288)"
    assert repr(pairs.index) == "PairIndex(48 items, 576 entries, 12 languages)"
    sampler = panglot.make_sampler(pairs, batch_size=8)
    assert repr(sampler) == "Sampler(hybrid, alpha 0.5, batches of 8 from sample)"
    assert repr(panglot.make_sampler(pairs, strategy="mixed", batch_size=8)) == (
        "Sampler(mixed, batches of 8 from sample)"
    )


def test_a_config_shows_what_differs_from_the_defaults() -> None:
    assert repr(panglot.TrainingConfig()) == "TrainingConfig()"
    config = panglot.TrainingConfig.model_validate({"batches": {"alpha": 0.3}, "training": {"steps": 200}})
    assert repr(config) == "TrainingConfig(batches=BatchesPart(alpha=0.3))"


@pytest.mark.parametrize(("path", "options"), re.findall(r"^::: (\S+)\n((?: .*\n)*)", PAGE, re.M))
def test_a_name_of_the_page_is_where_the_page_says(path: str, options: str) -> None:
    home, _, name = path.rpartition(".")
    found = getattr(import_module(home), name)
    heading = re.search(r"heading: (\w+)", options)
    own = heading[1] if heading else name
    assert f"`{path}`" in PAGE or getattr(panglot, own) is found
    members = re.search(r"members: \[(.*)\]", options)
    assert all(hasattr(found, member) for member in (members[1].split(", ") if members else ()))


def test_a_model_that_panglot_did_not_load_has_the_name_of_its_base(
    static_encoder: SentenceTransformer,
) -> None:
    assert name_of(static_encoder) == "unnamed encoder"
    static_encoder.model_card_data.base_model = "maker/base"
    assert name_of(static_encoder) == "maker/base"


def test_names_and_paths_stand_for_what_they_load(
    tiny_checkpoint: Path, tiny_reranker: Path, tmp_path: Path
) -> None:
    from panglot.encoders import as_reranker

    model, benchmark = (
        panglot.load_encoder(tiny_checkpoint, device="cpu"),
        panglot.sample_benchmark().restrict(["de"]),
    )
    results = [
        panglot.evaluate(one, benchmark, measures=["AP"], progress=False)
        for one in (str(tiny_checkpoint), model)
    ]
    assert results[0].results["settings"] == results[1].results["settings"]
    for name, evaluation in zip("ab", results, strict=True):
        evaluation.save(tmp_path / name)
    assert panglot.compare(str(tmp_path / "a"), tmp_path / "b", flips=10).baseline == "a"
    path = tmp_path / "pairs.csv"
    path.write_text("item_id,language,query,passage\na,en,Who?,We.\nb,en,What?,This.\nc,en,Where?,There.\n")
    mined = panglot.mine_negatives(tiny_checkpoint, path, 1)
    assert repr(mined) == "Mined('pairs': 3 rows, up to 1 negatives each)"
    assert (mined.rows == panglot.mine_negatives(model, panglot.load_pairs(path), 1).rows).all()
    assert len(panglot.join_pairs(["sample", path])) == 48 + 3
    assert len(panglot.benchmark_from_pairs(path).queries) == 3
    assert len(panglot.pairs_from_benchmark("sample")) == 24
    assert panglot.encode(tiny_checkpoint, ["one"]).shape == (1, 32)
    assert as_reranker(tiny_reranker).name == str(tiny_reranker)
    with panglot.Index.create(tmp_path / "index", tiny_checkpoint) as index:
        assert index.facts.name == str(tiny_checkpoint)
    assert panglot.Index.open(tmp_path / "index", tiny_checkpoint).model.get_embedding_dimension() == 32


WRONG: dict[str, Callable[[], Any]] = {
    "Benchmark": lambda: panglot.evaluate("any", panglot.sample_pairs()),  # type: ignore[arg-type]
    "Evaluation": lambda: panglot.compare({}, {}),  # type: ignore[arg-type]
    "ParallelPairs": lambda: panglot.make_sampler([panglot.sample_benchmark()]),  # type: ignore[list-item]
    "Reranker": lambda: panglot.evaluate("any", "sample", reranker=0),  # type: ignore[arg-type]
    "SentenceTransformer": lambda: panglot.encode(panglot.sample_pairs(), []),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("needed", WRONG)
def test_another_type_is_refused_with_the_one_that_is_needed(needed: str) -> None:
    with pytest.raises(PanglotError, match=f"is given where {needed}"):
        WRONG[needed]()
