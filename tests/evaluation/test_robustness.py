"""The cost of perturbed queries, by hand and against resampling in a loop."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sentence_transformers import SentenceTransformer

from panglot import evaluate, sample_benchmark
from panglot.errors import PanglotError
from panglot.evaluation import load_results
from panglot.evaluation.robustness import perturbed_drops


def table(values: list[float]) -> pa.Table:
    """Two items in English and German; the English ones also against the pool of all."""
    rows = [
        ("e1", 0, "en", "en"),
        ("e2", 1, "en", "en"),
        ("d1", 0, "de", "de"),
        ("d2", 1, "de", "de"),
        ("e1", 0, "en", "*"),
        ("e2", 1, "en", "*"),
    ]
    names = ("query_id", "item", "query_language", "pool")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return pa.table({**columns, "AP": pa.array(values, pa.float64())})


def test_drops_by_hand() -> None:
    found = perturbed_drops(
        table([1, 0.5, 0.8, 0.6, 1, 1]), table([0.5, 0.5, 0.8, 0.2, 1, 0]), "AP", {"en": 0.5, "de": 0.25}
    )
    mono = found["settings"]["monolingual"]
    # English .75 to .5, German .7 to .5
    assert (mono["before"], mono["after"], mono["change"]) == pytest.approx((0.725, 0.5, -0.225))
    assert found["settings"]["crosslingual"] is None
    assert found["settings"]["multilingual"]["change"] == pytest.approx(-0.5)
    german = found["by_language"]["de"]
    assert german["changed"] == 0.25 and german["multilingual"] is None
    # resamples have item 0 twice (change 0), both (-.2), or item 1 twice (-.4)
    assert (german["monolingual"]["low"], german["monolingual"]["high"]) == pytest.approx((-0.4, 0))


def test_the_interval_is_paired() -> None:
    # every query loses exactly .1: however items are drawn, so does the mean
    before = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3]
    found = perturbed_drops(table(before), table([v - 0.1 for v in before]), "AP")
    for figure in found["settings"].values():
        if figure is not None:
            assert (figure["low"], figure["high"]) == pytest.approx((-0.1, -0.1))


def test_other_queries_and_unknown_measures_are_refused() -> None:
    one = table([1.0] * 6)
    with pytest.raises(PanglotError, match="not of the same queries"):
        perturbed_drops(one, one.slice(0, 5), "AP")
    with pytest.raises(PanglotError, match="no 'nDCG@10'"):
        perturbed_drops(one, one, "nDCG@10")


def test_rows_of_changed_queries_are_those_of_the_figures(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    evaluate(tiny_encoder, benchmark, perturb=["typos", "lower-case"]).save(tmp_path / "results.json")
    found = load_results(tmp_path / "results.json")
    frame = found.to_frame()
    assert list(dict.fromkeys(frame["perturbation"])) == ["", "typos", "lower-case"]
    frame = frame[(frame["measure"] == "AP") & (frame["setting"] == "monolingual")]
    means = frame.groupby(["perturbation", "query_language"], observed=True)["value"].mean()
    for kind, drops in found.results["perturbed"].items():
        figure = drops["settings"]["monolingual"]
        assert means[kind].mean() == pytest.approx(figure["after"])
        assert means[""].mean() == pytest.approx(figure["before"])
        for code in ("de", "en"):
            assert means[kind, code] == pytest.approx(drops["by_language"][code]["monolingual"]["after"])


def test_code_switching_goes_with_other_kinds_and_a_kind_counts_once(
    tiny_encoder: SentenceTransformer,
) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    lexicon = {"en": {"the": ["die"]}}
    kinds = ["typos", "code-switch", "typos"]
    found = evaluate(tiny_encoder, benchmark, perturb=kinds, lexicon=lexicon).perturbed
    assert found is not None
    assert dict(Counter(found["perturbation"].to_pylist())) == dict.fromkeys(kinds, 144)
    alone = evaluate(tiny_encoder, benchmark, perturb=["typos"]).perturbed
    assert alone is not None and alone["AP"].to_pylist() == found["AP"].to_pylist()[:144]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"perturb": ["code-switch"]}, "code-switch needs a lexicon"),
        ({"perturb": ["typos"], "lexicon": {"en": {"a": ["b"]}}}, "a lexicon is for code-switch"),
        ({"lexicon": {"en": {"a": ["b"]}}}, "a lexicon is for code-switch"),
        ({"perturb": ["typos", "tpos"]}, "'tpos' is not a change of queries"),
    ],
)
def test_kinds_that_cannot_work_are_refused_before_texts_are_encoded(
    tiny_encoder: SentenceTransformer, given: dict[str, Any], message: str
) -> None:
    encoded: list[int] = []
    with pytest.raises(PanglotError, match=message):
        evaluate(tiny_encoder, sample_benchmark(), progress=encoded.append, **given)
    assert not encoded
