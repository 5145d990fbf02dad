"""Anyone's columns become the fields of parallel pairs."""

import pytest

from panglot.data.pairs_files.columns import Layout, find_layout, parse_columns
from panglot.errors import PanglotError


def test_own_names_need_no_mapping() -> None:
    layout = find_layout(["language", "passage", "url", "query", "item_id"], None, "mine.csv")
    assert layout == Layout(
        {"item_id": "item_id", "language": "language", "query": "query", "passage": "passage"}
    )
    assert layout.used == ["item_id", "language", "query", "passage"]


def test_a_mapping_renames_and_fixes() -> None:
    columns = parse_columns(["query=question", "passage=answer", "language==sw"])
    layout = find_layout(["question", "answer"], columns, "mine.csv")
    assert layout.columns == {"query": "question", "passage": "answer"}
    assert layout.fixed == {"language": "sw"}
    assert layout.numbered  # of one language: each row is an item of its own


def test_a_column_a_language_is_seen_by_itself() -> None:
    names = [
        "query_en",
        "query_de",
        "query_url",
        "passage_en",
        "passage_de",
        "query_zh_Hant",
        "passage_zh_Hant",
    ]
    layout = find_layout(names, None, "mine.csv")
    assert layout.wide == {
        "de": {"query": "query_de", "passage": "passage_de"},
        "en": {"query": "query_en", "passage": "passage_en"},
        "zh-Hant": {"query": "query_zh_Hant", "passage": "passage_zh_Hant"},
    }
    assert layout.numbered


@pytest.mark.parametrize("spelled", ["EN", "eng", "eng_Latn", "english"])
def test_a_column_of_a_language_by_another_name_is_of_its_code(spelled: str) -> None:
    layout = find_layout([f"query_{spelled}", f"passage_{spelled}", "query_id"], None, "mine.csv")
    assert list(layout.wide) == ["en"]


def test_a_pattern_names_other_columns_a_language() -> None:
    columns = {
        "query": "{language}-q",
        "passage": "{language}-a",
        "item_id": "id",
        "negatives": "{language}-n",
    }
    layout = find_layout(["id", "en-q", "en-a", "en-n", "fr-q", "fr-a"], columns, "mine.csv")
    assert layout.columns == {"item_id": "id"}
    assert layout.wide == {
        "en": {"query": "en-q", "passage": "en-a", "negatives": "en-n"},
        "fr": {"query": "fr-q", "passage": "fr-a"},
    }
    assert not layout.numbered


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["text_en", "text_de"], None),
        (["en", "de"], {"text": "{language}"}),
        (["translation.en", "translation.de"], None),
        (["line.en", "line.de"], {"text": "line"}),
    ],
)
def test_a_bitext_is_query_and_passage_at_once(names: list[str], columns: dict[str, str] | None) -> None:
    layout = find_layout(names, columns, "mine.csv")
    assert layout.wide == {
        "en": {"query": names[0], "passage": names[0]},
        "de": {"query": names[1], "passage": names[1]},
    }


def test_ids_beside_a_column_a_language_are_what_the_mapping_says() -> None:
    names = ["query_id", "query_en", "query_de", "passage_id", "passage_en", "passage_de"]
    ids = find_layout(names, parse_columns(["item_id=query_id", "passage_id=passage_id"]), "mine.csv")
    assert sorted(ids.wide) == ["de", "en"]
    assert ids.columns == {"item_id": "query_id", "passage_id": "passage_id"}
    texts = parse_columns(["query=query_{language}", "passage=passage_{language}"])
    indonesian = find_layout(names, texts, "mine.csv")
    assert sorted(indonesian.wide) == ["de", "en", "id"]
    assert indonesian.columns == {}


def test_one_id_alone_is_an_id() -> None:
    names = ["query_en", "passage_en", "query_de", "passage_de", "passage_id"]
    layout = find_layout(names, None, "mine.csv")
    assert sorted(layout.wide) == ["de", "en"]
    assert layout.columns == {"passage_id": "passage_id"}


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("question passage item_id language", {}, "'query'"),
    ("query passage language", {}, "'item_id'"),
    ("a", {"query": "b"}, "'b'"),
    ("a", {"text": "t_{language}"}, "'t_{language}'"),
    ("q_en p_en q_eng p_eng", {"query": "q_{language}", "passage": "p_{language}"}, "'q_en' and 'q_eng'"),
    ("query.text query.source passage.en", {}, "'text'"),
    ("query_en query_de passage", {"query": "query_{language}"}, "'passage'"),
    ("query_en passage_en query_de passage_de language", {}, "'language'"),
    ("a", {"answer": "a"}, "'answer'"),
    ("a", {"query": "=a"}, "'query'"),
    ("a", {"passage": "{row}"}, "'passage'"),
    ("a", {"item_id": "id_{language}"}, "'item_id'"),
    ("a", {"text": "a", "query": "a"}, "query"),
    ("q p", {"language": "=englisch"}, "'englisch'"),
]


@pytest.mark.parametrize(("names", "columns", "named"), REFUSED)
def test_what_cannot_be_mapped_is_said(names: str, columns: dict[str, str], named: str) -> None:
    with pytest.raises(PanglotError) as refused:
        find_layout(names.split(), columns, "mine.csv")
    assert named in str(refused.value)
