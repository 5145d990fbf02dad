"""NeuCLIR: topics with their translations, judgements of several languages, documents in both layouts."""

from functools import partial
from typing import Any

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import load_benchmark
from panglot.errors import PanglotError

read_neuclir = partial(load_benchmark, "neuclir")


def version(lang: str, source: str, title: str, description: str) -> dict[str, str]:
    return {
        "lang": lang,
        "source": source,
        "topic_title": title,
        "topic_description": description,
        "topic_narrative": "-",
    }


TOPICS: list[dict[str, Any]] = [
    {
        "topic_id": "4",
        "languages_with_qrels": ["fas", "rus"],
        "topics": [
            version("eng", "original", "Bread prices", "Find news on the price of bread."),
            version("fas", "google translation", "machine", "machine"),
            version("fas", "human translation", "قیمت نان", "اخبار قیمت نان را بیابید."),
            version("rus", "human translation", "Цены на хлеб", "Найдите новости о цене хлеба."),
        ],
    },
    {
        "topic_id": "5",
        "languages_with_qrels": [],
        "topics": [
            version("eng", "original", "Not judged", "Nothing."),
            version("fas", "human translation", "بی‌داوری", "هیچ."),
            version("rus", "human translation", "Без оценки", "Ничего."),
        ],
    },
]
DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    "fas": [{"id": "a-1", "title": "نان", "text": "نان گران شد.", "url": "-", "time": None, "cc_file": "-"}],
    "rus": [
        {"id": "b-1", "title": "Хлеб", "text": "Хлеб дорожает.", "url": "-", "time": None, "cc_file": "-"},
        {"id": "b-2", "title": None, "text": "Идёт дождь.", "url": "-", "time": None, "cc_file": "-"},
    ],
}
TOGETHER = "4 fas a-1 3\n4 rus b-1 1\n4 rus b-2 0\n"
FILES: dict[str, Content] = {
    "topics.0720.utf8.jsonl": TOPICS,
    "2022-qrels.all": TOGETHER,
    "data/fas-00000-of-00001.jsonl.gz": DOCUMENTS["fas"],
    "data/rus-00000-of-00001.jsonl.gz": DOCUMENTS["rus"],
}
GAINS = [("en:4", "fa:a-1", 3), ("en:4", "ru:b-1", 1), ("en:4", "ru:b-2", 0)]


def test_the_official_files(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    benchmark = read_neuclir(write_files(FILES))
    assert benchmark.languages == ("en", "fa", "ru")
    assert judgements_of(benchmark) == GAINS
    assert list(benchmark.queries.texts) == ["Bread prices Find news on the price of bread."]
    assert list(benchmark.passages.titled()) == ["نان نان گران شد.", "Хлеб Хлеб дорожает.", "Идёт дождь."]
    assert benchmark.passages.languages.tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("query_text", "expected"),
    [("title", "Bread prices"), ("description", "Find news on the price of bread.")],
)
def test_the_fields_of_a_query(write_files: WriteFiles, query_text: str, expected: str) -> None:
    assert list(read_neuclir(write_files(FILES), query_text=query_text).queries.texts) == [expected]


def test_peoples_translations_ask_too(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    benchmark = read_neuclir(write_files(FILES), translations=True, query_text="title")
    assert list(benchmark.queries.ids) == ["en:4", "fa:4", "ru:4"]
    assert list(benchmark.queries.texts) == ["Bread prices", "قیمت نان", "Цены на хлеб"]
    assert benchmark.query_items.tolist() == [0, 0, 0]
    assert judgements_of(benchmark) == [
        (f"{language}:4", passage, gain) for language in ("en", "fa", "ru") for _, passage, gain in GAINS
    ]


def test_the_year_2023_with_a_file_a_language(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    folder = write_files(
        {
            "neuclir-2023-topics.0605.jsonl": TOPICS,
            "neuclir-2023-qrels.final/qrels.final.gains.fas": "4 0 a-1 3\n",
            "neuclir-2023-qrels.final/qrels.final.gains.rus": "4 0 b-1 1\n4 0 b-2 0\n",
            "fas/docs.jsonl": DOCUMENTS["fas"],
            "rus/docs.jsonl": DOCUMENTS["rus"],
        }
    )
    assert judgements_of(read_neuclir(folder, split="2023")) == GAINS
    assert judgements_of(read_neuclir(folder, split="2023", languages=["ru"])) == GAINS[1:]
    with pytest.raises(PanglotError, match=r"no topics.0720.utf8.jsonl of neuclir"):
        read_neuclir(folder)


def test_one_language_of_the_file_of_all(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    folder = write_files({name: content for name, content in FILES.items() if "rus" not in name})
    assert judgements_of(read_neuclir(folder, languages=["fa"])) == GAINS[:1]
    with pytest.raises(
        PanglotError, match=r"in ru: there is no data/LANGUAGE-00000-of-00001.jsonl.gz; .* here: fa"
    ):
        read_neuclir(folder)


TOPICS_JSONL = "topics.0720.utf8.jsonl"


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("2022-qrels.all", "4 0 a-1 3\n", "second column"),
        ("2022-qrels.all", "9 fas a-1 3\n", "'en:9'"),
        (TOPICS_JSONL, [{"topics": []}], "'topic_id'"),
        (TOPICS_JSONL, [{"topic_id": "4", "topics": TOPICS[0]["topics"][1:]}], "no English topic"),
    ],
)
def test_bad_files_are_named(write_files: WriteFiles, name: str, content: Content, named: str) -> None:
    with pytest.raises(PanglotError, match=f"{name}, line 1: .*{named}"):
        read_neuclir(write_files({**FILES, name: content}))


def test_unknown_options_are_refused(write_files: WriteFiles) -> None:
    folder = write_files(FILES)
    with pytest.raises(PanglotError, match="neuclir has no split '2021'"):
        read_neuclir(folder, split="2021")
    with pytest.raises(PanglotError, match="no query text 'narrative'"):
        read_neuclir(folder, query_text="narrative")
    with pytest.raises(PanglotError, match="neuclir has no language 'zh'"):
        read_neuclir(folder, languages=["zh"])
