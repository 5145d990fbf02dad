"""BM25: tokens, scores worked by hand, bm25s' own ranking, and the published figure on nfcorpus."""

from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path

import bm25s
import numpy as np
import pytest

from panglot.data import Benchmark, load_benchmark
from panglot.data.readers.parallel import ParallelText, counterparts
from panglot.data.readers.questions import read_lareqa
from panglot.errors import PanglotError
from panglot.evaluation import ALL, per_query
from panglot.search.baseline import bm25_evaluation, bm25_ranks, bm25_work
from panglot.search.bm25 import Bm25Pool, bm25_tokens, query_tokens

MakeBenchmark = Callable[..., Benchmark]
TOKENS = {
    "Don't STOP, l'été! 3.14 Straße": ["don", "t", "stop", "l", "été", "3", "14", "strasse"],
    "東京都は AI": ["東京", "京都", "都は", "ai"],
    "ラーメン ２杯": ["ラー", "ーメ", "メン", "2", "杯"],
    "한국어 책": ["한국", "국어", "책"],
    "ภาษา ดี": ["ภา", "าษ", "ษา", "ดี"],  # a vowel mark stays with its consonant
    "हिन्दी में": ["हिन्दी", "में"],
    "می\u200cروم": ["میروم"],
    "—…!": [],
}


@pytest.mark.parametrize("text", TOKENS)
def test_tokens_are_words_or_bigrams_by_script(text: str) -> None:
    assert bm25_tokens(text) == TOKENS[text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Donau\u00addampf\u00adschiff", ["donaudampfschiff"]),  # soft hyphens
        ("zero\u200bwidth \ufeffmark\u2060ed \u200e12\u200f", ["zerowidth", "marked", "12"]),
        ("ไทย\u200bดี", ["ไท", "ทย", "ดี"]),
        ("ខ្មែរ\u200bល្អ", ["ខ្មែ" + "រ", "ល្អ"]),
        ("क्\u200dष", ["क्ष"]),
        ("ﬁne ℌ ΑΣ ας", ["fine", "h", "ασ", "ασ"]),
        ("İlk ilk", ["ilk", "ilk"]),
    ],
)
def test_words_are_folded_as_unicode_says_without_what_is_invisible(text: str, expected: list[str]) -> None:
    assert bm25_tokens(text) == expected


@pytest.mark.parametrize("language", ["tr", "az", "tr-CY", "kk-Latn"])
def test_a_word_with_a_capital_i_has_both_forms_where_its_small_letter_has_no_dot(language: str) -> None:
    assert bm25_tokens("ISI ısı İLK ilk", language) == ["isi", "ısı", "ilk", "ilk", "ısı"]
    assert bm25_tokens("ISI", "kk") == bm25_tokens("ISI", "en") == ["isi"]


def test_a_question_in_a_language_that_is_not_known_may_be_turkish() -> None:
    assert query_tokens("ISI ve ISI") == ["isi", "ve", "isi", "ısı", "ısı"]
    assert query_tokens("İlk iş") == ["ilk", "iş"]
    assert query_tokens("heat and Heat") == ["heat", "and", "heat"]


@pytest.mark.shared
def test_turkish_is_ranked_by_words_at_least_as_well_as_by_unicodes_own_rules(
    shared_data: Path,
) -> None:
    benchmark = read_lareqa(shared_data / "lareqa/xquad-r", "xquad-r").restrict(["tr"])
    found = per_query(benchmark, bm25_ranks(benchmark), ["AP"])
    assert np.mean(found.column("AP").to_numpy()) >= 0.6977


def test_scores_are_those_worked_by_hand() -> None:
    pool = Bm25Pool([["owl", "night", "owl"], ["owl", "day"], ["cat"]], k1=1.2, b=0.75)
    mean = (3 + 2 + 1) / 3
    idf_owl, idf_day = log(1 + (3 - 2 + 0.5) / (2 + 0.5)), log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    first = idf_owl * 2 / (2 + 1.2 * (0.25 + 0.75 * 3 / mean))
    second = (idf_owl + idf_day) * 1 / (1 + 1.2 * (0.25 + 0.75 * 2 / mean))
    assert pool.scores(["owl", "day", "fish"]) == pytest.approx([first, second, 0], rel=1e-6)
    twice = pool.scores(["owl", "owl"])
    assert twice == pytest.approx([2 * first, 2 * idf_owl / 2.2, 0], rel=1e-6)
    assert pool.scores(["fish"]).tolist() == pool.scores([]).tolist() == [0, 0, 0]


def test_a_pool_without_any_word_scores_nothing() -> None:
    assert Bm25Pool([[], []]).scores(["owl"]).tolist() == [0, 0]


def with_texts(benchmark: Benchmark, queries: list[str], passages: list[str]) -> Benchmark:
    return replace(
        benchmark,
        queries=replace(benchmark.queries, texts=queries),
        passages=replace(benchmark.passages, texts=passages),
    )


def test_each_pool_counts_its_own_words_and_ties_go_by_id(make_benchmark: MakeBenchmark) -> None:
    benchmark = with_texts(
        make_benchmark(
            {"q": "en"},
            {"a": "en", "b": "en", "c": "de", "d": "de", "e": "de"},
            [("q", "a", 1), ("q", "c", 1), ("q", "d", 2)],
        ),
        ["owl night"],
        ["night", "owl", "owl owl", "sun", "moon"],
    )
    ranks = bm25_ranks(benchmark, k1=0, b=0)  # then a score is the sum of the idf of what is in both
    # in English both words stand once: a and b tie, b comes first. In German c alone has one; e before d.
    # In all, owl occurs twice and night once: night weighs more.
    assert [benchmark.passages.ids[k] for k in ranks.passage] == ["a", "c", "d"]
    assert ranks.in_language.tolist() == [2, 1, 3]
    assert ranks.in_all.tolist() == [1, 2, 5]
    assert ranks.gain.tolist() == [1, 1, 2]


def test_ranks_are_those_of_bm25s(make_benchmark: MakeBenchmark) -> None:
    rng = np.random.default_rng(0)
    words = [f"w{k}" for k in range(40)]
    passages = [" ".join(rng.choice(words, rng.integers(3, 12))) for _ in range(80)]
    queries = [" ".join(rng.choice(words, 4, replace=False)) for _ in range(15)]
    benchmark = with_texts(
        make_benchmark(
            {f"q{k}": "en" for k in range(15)},
            {f"p{k:02}": "en" for k in range(80)},
            [(f"q{q}", f"p{p:02}", 1) for q in range(15) for p in range(80)],
        ),
        queries,
        passages,
    )
    own = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    own.index([text.split() for text in passages], show_progress=False)
    found, scores = own.retrieve([text.split() for text in queries], k=80, show_progress=False)
    ranks = bm25_ranks(benchmark).in_all.reshape(15, 80)
    assert (np.sort(ranks) == np.arange(1, 81)).all()
    order = np.argsort(ranks)
    for row in range(15):
        score_of = dict(zip(found[row].tolist(), scores[row].tolist(), strict=True))
        ours = [score_of[passage] for passage in order[row].tolist()]
        assert ours == pytest.approx(scores[row].tolist(), rel=1e-6)
        for a, b in zip(order[row][:-1], order[row][1:], strict=True):
            assert score_of[int(a)] > score_of[int(b)] or a > b  # ids ascend with the row


def test_results_have_the_parts_of_the_schema(make_benchmark: MakeBenchmark) -> None:
    benchmark = with_texts(
        make_benchmark(
            {"q:en": "en", "q:de": "de"},
            {"a:en": "en", "a:de": "de", "b:en": "en"},
            [(q, p, 1) for q in ("q:en", "q:de") for p in ("a:en", "a:de")],
            items=[0, 0],
        ),
        ["owl night", "Eule Nacht"],
        ["An owl at night.", "Eine Eule bei Nacht.", "A cat by day."],
    )
    told: list[int] = []
    evaluation = bm25_evaluation(benchmark, measures=["RR", "Success@1"], progress=told.append)
    assert sum(told) == bm25_work(benchmark)
    results = evaluation.results
    assert set(results) == {
        *("schema", "panglot", "command", "created", "seed", "versions", "model", "benchmark"),
        *("settings", "bias", "by_language", "matrix", "intervals", "groups"),
    }
    assert results["model"]["name"] == "bm25"
    assert results["model"]["bm25"]["k1"] == 0.9
    # English finds English; German words in English: b:en ties with a:en at 0 and is before it
    assert results["settings"]["monolingual"] == {"RR": 1, "Success@1": 1}
    assert results["matrix"]["RR"]["de"]["en"] == 0.5
    assert evaluation.per_query.num_rows == 6


def test_parameters_out_of_bounds_are_one_sentence(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en"}, [("q", "a", 1)])
    with pytest.raises(PanglotError, match=r"k1 is -1 and b is 0.4"):
        bm25_evaluation(benchmark, k1=-1)
    with pytest.raises(PanglotError, match="'MAP' is not a measure"):
        bm25_evaluation(benchmark, measures=["MAP"])


@pytest.mark.shared
def test_nfcorpus_is_near_the_published_figure(shared_data: Path) -> None:
    benchmark = load_benchmark("nfcorpus", shared_data / "beir" / "nfcorpus")
    assert isinstance(benchmark, Benchmark)
    found = bm25_evaluation(benchmark, measures=["nDCG@10", "R@100"])
    figures = found.results["settings"]["monolingual"]
    # published: 0.32, by Lucene with an English stemmer and stop words; ours has neither
    assert figures["nDCG@10"] == pytest.approx(0.32, abs=0.02)


def test_a_querys_own_text_is_no_passage_for_it() -> None:
    texts = [
        ParallelText("en:0", "0", "en", "red apple"),
        ParallelText("de:0", "0", "de", "rot apfel taxi"),
        ParallelText("en:1", "1", "en", "a taxi now"),
        ParallelText("de:1", "1", "de", "taxi jetzt bitte"),
    ]
    evaluation = bm25_evaluation(
        counterparts(texts, "hand", "0" * 64, "utterance"), measures=["Success@1", "RR@10"]
    )
    rows = evaluation.per_query.to_pylist()
    found = {(row["query_id"], row["pool"]): row["RR@10"] for row in rows}
    # in the pool of all, "a taxi now" itself would be first; two others share one of three words with
    # it and tie: the higher id, its translation, comes first
    assert found["en:1", ALL] == found["en:1", "de"] == 1
    # "red apple" shares nothing: the three others tie at 0 and go by id, en:1, de:1, de:0
    assert found["en:0", ALL] == pytest.approx(1 / 3)
    # "taxi jetzt bitte" finds de:0 and en:1, which tie
    assert found["de:1", ALL] == 1
