import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from panglot import PanglotError
from panglot.search.documents import Document, read_documents, split


def one(path: Path, **settings: Any) -> Document:
    (found,) = read_documents([path], **settings)
    return found


def jsonl(path: Path, *rows: Any) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines, encoding="utf-8")
    return path


def test_rows_of_jsonl(tmp_path: Path) -> None:
    row = {"_id": 7, "title": "T", "text": "words", "lang": "sw", "year": 1991, "metadata": {"a": [1]}}
    found = one(jsonl(tmp_path / "d.jsonl.gz", row))
    assert (found.id, found.title, found.language) == ("7", "T", "sw")
    assert found.sections[0].text == "words"
    assert found.metadata == {"year": 1991, "a": [1]}


def test_the_same_rows_as_csv_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('\ufeffid,text,language,year\n7,"a, b",sw,1991\n', encoding="utf-8")
    pq.write_table(
        pa.table({"id": [7], "text": ["a, b"], "language": ["sw"], "year": ["1991"]}), tmp_path / "d.parquet"
    )
    for name in ("d.csv", "d.parquet"):
        found = one(tmp_path / name)
        assert (found.id, found.sections[0].text, found.language) == ("7", "a, b", "sw")
        assert found.metadata == {"year": "1991"}


def test_columns_with_other_names(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("nr,Inhalt,Sprache,Kopf,year\n7,Der Mond.,de,Himmel,1991\n", encoding="utf-8")
    columns = {"text": "Inhalt", "id": "nr", "language": "Sprache", "title": "Kopf"}
    (found,) = read_documents([path], columns=columns)
    assert (found.id, found.language, found.title) == ("7", "de", "Himmel")
    assert (found.sections[0].text, found.metadata) == ("Der Mond.", {"year": "1991"})
    for wrong in (
        {"text": "Inhallt"},
        {"text": "Inhalt", "title": "Kof"},
        {"text": "Inhalt", "id": "nr", "language": "lang"},
        {"body": "Inhalt"},
    ):
        with pytest.raises(
            PanglotError, match=r"--column (text|title|language)=NAME|use text, id, language, title"
        ):
            list(read_documents([path], columns=wrong))


@pytest.mark.parametrize(("detected", "code"), [("arz", "ar"), ("wuu", "zh"), ("zxx", "und"), ("de", "de")])
def test_dialects_count_as_the_language_that_they_are_taken_for(
    detected: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Detector:
        labels = ("arz", "wuu", "zxx", "de")

        def classify(self, text: str) -> tuple[str, float]:
            return detected, 0.0

    monkeypatch.setattr(split, "_detector", lambda _: Detector())
    assert split.detect_languages([f"some text {detected}"]) == [code]
    assert split.detect_languages([f"some text {detected}"], [detected, "fr"]) == [detected]


def test_a_row_without_an_id_gets_one_of_its_text(tmp_path: Path) -> None:
    first = one(jsonl(tmp_path / "a.jsonl", {"text": "words"}))
    assert one(jsonl(tmp_path / "b.jsonl", {"text": "words", "year": 2})).id == first.id
    assert one(jsonl(tmp_path / "c.jsonl", {"text": "others"})).id != first.id


def test_passages_of_pairs_once_each(tmp_path: Path) -> None:
    rows = [
        {"item_id": "1", "passage_id": "p", "language": "en", "query": "q", "passage": "one"},
        {"item_id": "2", "passage_id": "p", "language": "en", "query": "r", "passage": "one"},
        {"item_id": "1", "passage_id": "p", "language": "sw", "query": "s", "passage": "moja"},
    ]
    found = list(read_documents([jsonl(tmp_path / "pairs.jsonl", *rows)]))
    assert [(d.id, d.language, d.sections[0].text) for d in found] == [
        ("p:en", "en", "one"),
        ("p:sw", "sw", "moja"),
    ]


def test_windows_of_one_passage_have_the_same_ids_in_any_order(tmp_path: Path) -> None:
    rows = [
        {"item_id": "1", "passage_id": "p", "language": "en", "query": "q", "passage": "one"},
        {"item_id": "2", "passage_id": "p", "language": "en", "query": "r", "passage": "two"},
        {"item_id": "p", "passage_id": "w", "language": "en", "query": "s", "passage": "three"},
        {"item_id": "4", "passage_id": "p", "language": "en", "query": "s", "passage": "one"},
    ]
    found = [
        {document.id: document.sections[0].text for document in read_documents([path])}
        for path in (jsonl(tmp_path / "a.jsonl", *rows), jsonl(tmp_path / "b.jsonl", *rows[::-1]))
    ]
    assert found[0] == found[1]
    assert sorted(found[0].values()) == ["one", "three", "two"]
    assert found[0]["w:en"] == "three"


def test_a_column_that_no_line_has_is_named(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"text": "one", "key": "1"}, {"text": "two", "head": "Two"})
    found = list(read_documents([path], columns={"title": "head", "id": "key"}))
    assert [document.title for document in found] == ["", "Two"]
    with pytest.raises(PanglotError, match=r"no column 'kex'.*--column id=NAME"):
        list(read_documents([path], columns={"id": "kex"}))


def test_columns_are_refused_where_no_source_has_any(tmp_path: Path) -> None:
    text, rows = tmp_path / "a.txt", tmp_path / "b.jsonl"
    text.write_text("A text.")
    rows.write_text('{"body": "Another."}')
    for source in (tmp_path, text, "hf:owner/name"):
        with pytest.raises(PanglotError, match="--column has no effect"):
            list(read_documents([source], columns={"text": "body"}))
    assert len(list(read_documents([text, rows], columns={"text": "body"}))) == 2


def test_names_of_columns_may_be_in_capitals(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("ID,Title,Text,Language\n7,Sky,The moon.,en\n", encoding="utf-8")
    (found,) = read_documents([path])
    assert (found.id, found.title, found.language, found.metadata) == ("7", "Sky", "en", {})


@pytest.mark.parametrize("header", ["Heading,Name", "a,b", "foo,title"])
def test_a_table_without_texts_says_how_to_name_them(header: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(f"{header}\nhello there,T\n", encoding="utf-8")
    with pytest.raises(PanglotError, match="--column text=NAME"):
        list(read_documents([path]))


def test_all_forms_of_pairs_give_their_passages(tmp_path: Path) -> None:
    squad = tmp_path / "xquad.en.json"
    paragraph = {"context": "Owls fly.", "qas": [{"id": "a", "question": "Who?"}]}
    squad.write_text(json.dumps({"data": [{"title": "Owls", "paragraphs": [paragraph]}]}, indent=1))
    questions = tmp_path / "qp.csv"
    questions.write_text(
        "id,language,question,passage\n1,en,Who?,Owls.\n1,de,Wer?,Eulen.\n", encoding="utf-8"
    )
    guessed = tmp_path / "qa.csv"
    guessed.write_text("Question,Answer,Lang\nWho?,Owls.,en\n", encoding="utf-8")
    found = {path.name: [d.sections[0].text for d in read_documents([path])] for path in tmp_path.iterdir()}
    assert found == {"xquad.en.json": ["Owls fly."], "qp.csv": ["Owls.", "Eulen."], "qa.csv": ["Owls."]}


def test_wide_pairs_have_their_passages_in_every_language(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("query_en,passage_en,query_sw,passage_sw\nq,one,s,moja\n", encoding="utf-8")
    found = list(read_documents([path]))
    assert [(d.language, d.sections[0].text) for d in found] == [("en", "one"), ("sw", "moja")]


def test_a_folder_of_texts(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/x.md").write_text("no")
    (tmp_path / "picture.png").write_bytes(b"\x89")
    (tmp_path / "sub/a.md").write_text("# Title\nwords")
    (tmp_path / "b.txt").write_text("\ufeffplain", encoding="utf-8")
    (tmp_path / "c.html").write_text('<html lang="de"><title>C</title>Wörter', encoding="utf-8")
    found = list(read_documents([tmp_path], language="en"))
    assert [(d.id, d.title, d.language) for d in found] == [
        ("b.txt", "", "en"),
        ("c.html", "C", "de"),
        ("sub/a.md", "Title", "en"),
    ]
    assert found[0].sections[0].text == "plain"
    assert found[2].metadata == {"path": "sub/a.md"}


NESTED: Any = json.loads("[" * 40 + "]" * 40)


def test_metadata_are_what_every_engine_keeps(tmp_path: Path) -> None:
    row = {"id": "1", "text": "a", "n": 2**70, "f": 1e999, "m": [True, None, 2**63 - 1]}
    found = one(jsonl(tmp_path / "d.jsonl", row))
    assert found.metadata == {"n": str(2**70), "f": "inf", "m": [True, None, 2**63 - 1]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "1", "text": "a"}, {"id": "1", "text": "b"}], "line 2: the id '1' occurs twice"),
        ([{"id": "1", "text": " "}], "line 1: 'text' is empty"),
        ([{"id": "1", "text": 5}], "line 1: 'text' or its title is not a text"),
        ([{"id": "1", "text": "a", "language": "xx"}], "line 1: 'xx' is not a language code"),
        ([{"id": "a\ud800", "text": "a"}], "line 1: holds half a character"),
        ([{"id": "1", "text": "a", "m": "\udfff"}], "line 1: holds half a character"),
        ([{"id": "x" * 300, "text": "a"}], "line 1: its id is empty or longer than 256 bytes"),
        (
            [{"id": "1", "text": "a"}, {"id": "2"}],
            "line 2: has no text in text or passage",
        ),
        ([{"id": "1", "text": "a", "m": NESTED}], "line 1: its metadata have more than 32 levels"),
        ([], "is empty"),
    ],
)
def test_bad_rows_are_named(rows: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match=message):
        list(read_documents([jsonl(tmp_path / "d.jsonl", *rows)]))


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_bytes("Wörter".encode("latin-1"))
    (tmp_path / "x.xls").write_bytes(b"%PDF")
    (tmp_path / "empty").mkdir()
    for name, message in {
        "x.md": "is not UTF-8; save",
        "x.xls": "no known kind of file",
        "none.jsonl": "no such file",
        "empty": "has no text, Markdown or HTML in it",
    }.items():
        with pytest.raises(PanglotError, match=message):
            list(read_documents([tmp_path / name]))


TEXT = "Ein Wörterbuch für Straße und Café."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", TEXT.encode("utf-8-sig")),
        ("a.md", TEXT.encode("utf-16")),
        ("a.txt", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        ("a.txt", TEXT.encode("utf-32")),
        ("a.html", b"<meta charset=iso-8859-1>" + TEXT.encode("cp1252")),
        ("a.html", f"<meta charset=latin1>{TEXT}".encode()),  # UTF-8 that says otherwise
        ("a.xhtml", b'<?xml version="1.0" encoding="ISO-8859-15"?><html>' + TEXT.encode("iso-8859-15")),
    ],
)
def test_a_text_is_read_in_the_encoding_that_it_says(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert one(tmp_path / name).sections[0].text == TEXT


@pytest.mark.parametrize(
    ("charset", "text"), [("windows-1251", "Привет"), ("Shift_JIS", "日本語"), ("iso-2022-jp", "日本語")]
)
def test_a_page_is_read_in_the_charset_that_it_declares(charset: str, text: str, tmp_path: Path) -> None:
    page = f"<title>t</title><meta charset={charset}><p>{text}"
    (tmp_path / "a.html").write_bytes(page.encode(charset))
    assert one(tmp_path / "a.html").sections[0].text == text


@pytest.mark.parametrize("charset", ["undefined", "no-such-charset", "x-user-defined"])
def test_a_page_of_an_unknown_charset_is_listed_as_one_that_cannot_be_read(
    charset: str, tmp_path: Path
) -> None:
    (tmp_path / "a.html").write_bytes(f'<meta charset="{charset}"><p>caf\xe9'.encode("latin-1"))
    (tmp_path / "b.txt").write_text("hello")
    skipped: list[str] = []
    assert [d.id for d in read_documents([tmp_path], skipped=skipped)] == ["b.txt"]
    assert "a.html" in skipped[0]


def test_what_cannot_be_read_is_listed_and_the_folder_goes_on(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("words")
    unreadable = {
        "latin.txt": TEXT.encode("latin-1"),
        "wide.txt": TEXT.encode("utf-16-le"),  # without a mark
        "lying.html": b"<meta charset=utf-8>" + TEXT.encode("latin-1"),
        "unknown.html": b"<meta charset=klingon>" + TEXT.encode("latin-1"),
        "cut.md.gz": gzip.compress(TEXT.encode())[:-9],
    }
    for name, content in unreadable.items():
        (tmp_path / name).write_bytes(content)
    skipped: list[str] = []
    assert [d.id for d in read_documents([tmp_path], skipped=skipped)] == ["good.txt"]
    assert sorted(Path(sentence.split(": ")[0]).name for sentence in skipped) == sorted(unreadable)
    with pytest.raises(PanglotError, match=r"cut\.md\.gz"):
        list(read_documents([tmp_path]))


def test_any_file_name_gives_an_id_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.table({"id": ["7"], "text": ["words"]}), tmp_path / "rows/a.parquet")
    rows = Path(os.fsdecode(bytes(tmp_path) + b"/rows/caf\xe9.parquet"))
    (tmp_path / "rows/a.parquet").rename(rows)
    assert one(rows).source.endswith("caf\\xe9.parquet")
    names = [b"caf\xe9.txt", b"caf\xe8.txt", b"caf\\xe9.txt", "日".encode() * 80 + b".md", b"new\nline.txt"]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("words")
    found = list(read_documents([tmp_path]))
    assert len({document.id for document in found}) == len(names)
    for document in found:
        assert len(document.id.encode()) <= 256
        assert document.id.isprintable() and document.source.isprintable()
    assert {document.metadata["path"] for document in found} >= {"caf\\xe9.txt", "new\\nline.txt"}
