"""mMARCO: the same queries and passages in every language, judged in all of them."""

from functools import partial

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import load_benchmark
from panglot.data.readers import collection
from panglot.errors import PanglotError

read_mmarco = partial(load_benchmark, "mmarco")

GOOGLE = "data/google"
FILES: dict[str, Content] = {
    "data/qrels.dev.small.tsv": "300\t0\t7\t1\n20\t0\t9\t1\n",
    f"{GOOGLE}/queries/dev/english_queries.dev.small.tsv": "20\twhat is rain\n300\twho bakes\n",
    f"{GOOGLE}/queries/dev/german_queries.dev.small.tsv": "300\twer backt\n20\twas ist Regen\n9\tohne\n",
    f"{GOOGLE}/collections/english_collection.tsv": "7\tA baker bakes.\n8\tOwls fly.\n9\tRain is water.\n",
    f"{GOOGLE}/collections/german_collection.tsv": "7\tEin Bäcker.\n8\tEulen.\n9\tRegen\tist nass.\n",
}


@pytest.mark.parametrize("in_memory", [1 << 20, 0])
def test_a_query_is_judged_in_every_language(
    write_files: WriteFiles, judgements_of: JudgementsOf, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(collection, "IN_MEMORY", in_memory)
    benchmark = read_mmarco(write_files(FILES))
    assert benchmark.languages == ("de", "en")
    assert judgements_of(benchmark) == [
        (f"{x}:{query}", f"{y}:{passage}", 1)
        for x in ("de", "en")
        for query, passage in (("20", "9"), ("300", "7"))
        for y in ("de", "en")
    ]
    items = dict(zip(benchmark.queries.ids, benchmark.query_items.tolist(), strict=True))
    assert items["de:20"] == items["en:20"] != items["de:300"] == items["en:300"]
    texts = dict(zip(benchmark.passages.ids, benchmark.passages.texts, strict=True))
    assert texts["de:9"] == "Regen\tist nass."
    assert benchmark.passages.titles is None
    assert benchmark.passages.languages.tolist() == [0, 0, 0, 1, 1, 1]


def test_one_language(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    benchmark = read_mmarco(write_files(FILES), languages=["de"])
    assert judgements_of(benchmark) == [("de:20", "de:9", 1), ("de:300", "de:7", 1)]


def test_a_translation_that_is_missing_takes_its_judgements_with_it(
    write_files: WriteFiles, judgements_of: JudgementsOf
) -> None:
    files = {**FILES, "data/google/queries/dev/german_queries.dev.small.tsv": "20\twas ist Regen\n"}
    benchmark = read_mmarco(write_files(files))
    assert "de:300" not in benchmark.queries.ids
    assert len(judgements_of(benchmark)) == 6


def test_bad_files_are_named(write_files: WriteFiles) -> None:
    english = "data/google/collections/english_collection.tsv"
    folder = write_files({**FILES, english: "7\tA baker bakes.\n"})
    message = r"small.tsv, line 2: passage 'en:9' .* \(2 of 8 judgements"
    with pytest.raises(PanglotError, match=message):
        read_mmarco(folder)
    assert len(read_mmarco(folder, partial_corpus=True).gains) == 6
    with pytest.raises(PanglotError, match="line 2: is not of the form id, tab, passage"):
        read_mmarco(write_files({**FILES, english: "7\tA\n8 B\n"}))
    with pytest.raises(PanglotError, match=r"line 3: query '5' .* in the files of queries \(1 of 3 queries"):
        read_mmarco(
            write_files({**FILES, "data/qrels.dev.small.tsv": "300\t0\t7\t1\n20\t0\t9\t1\n5\t0\t7\t1\n"})
        )


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("data/qrels.dev.small.tsv", r"no qrels.dev.small.tsv of mmarco; fetch it from"),
        (
            "data/google/collections/german_collection.tsv",
            "in de: there is no .*LANGUAGE_collection.tsv; .* here: en",
        ),
    ],
)
def test_missing_files_are_said(write_files: WriteFiles, gone: str, message: str) -> None:
    folder = write_files({name: content for name, content in FILES.items() if name != gone})
    with pytest.raises(PanglotError, match=message):
        read_mmarco(folder)
    with pytest.raises(PanglotError, match=r"no queries of mmarco, such as .*_queries.dev.tsv"):
        read_mmarco(folder, split="dev")
