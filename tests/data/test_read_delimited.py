"""CSV and TSV as spreadsheets and scripts write them; whatever is wrong, the line is named."""

from pathlib import Path

import pytest

from panglot.data.pairs_files import read as module
from panglot.data.pairs_files.read import read_rows
from panglot.errors import PanglotError

HEAD = ["item_id", "language", "query", "passage"]


def read(path: Path, text: str, encoding: str = "utf-8") -> list[tuple[int, str, str]]:
    path.write_bytes(text.encode(encoding))
    return [
        (int(line), row["query"], row["passage"])
        for batch, lines in read_rows(path)
        for line, row in zip(lines, batch.to_pylist(), strict=True)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    text = end.join(delimiter.join(cells) for cells in (HEAD, ["a", "en", "Who?", "Me."])) + end
    assert read(tmp_path / "mine.csv", text) == [(2, "Who?", "Me.")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark(tmp_path: Path, encoding: str) -> None:
    text = ",".join(HEAD) + "\na,el,Ποιος;,Εγώ.\n"
    assert read(tmp_path / "mine.csv", text, encoding) == [(2, "Ποιος;", "Εγώ.")]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    text = ",".join(HEAD) + '\na,en,"Who, me?","She said ""yes"".\nTwice."\n\nb,en,Q,P\n'
    rows = read(tmp_path / "mine.csv", text)
    assert rows == [(2, "Who, me?", 'She said "yes".\nTwice.'), (5, "Q", "P")]


def test_a_tsv_without_quoting_keeps_its_quotation_marks(tmp_path: Path) -> None:
    text = "\t".join(HEAD) + '\na\ten\t"Stop" he said\tHe "stopped"\nb\ten\tQ\t"open\n'
    assert read(tmp_path / "mine.tsv", text) == [(2, '"Stop" he said', 'He "stopped"'), (3, "Q", '"open')]


def test_a_tsv_with_quoting_loses_them(tmp_path: Path) -> None:
    text = "\t".join(HEAD) + '\na\ten\t"A ""B"""\t"C\tD"\n'
    assert read(tmp_path / "mine.tsv", text) == [(2, 'A "B"', "C\tD")]


def test_blank_lines_before_the_header_are_passed_over(tmp_path: Path) -> None:
    text = "\n\n" + ";".join(HEAD) + "\na;en;Who?;Me.\n"
    assert read(tmp_path / "mine.csv", text) == [(4, "Who?", "Me.")]


def test_negatives_that_are_no_texts_are_named_by_line(tmp_path: Path) -> None:
    text = ",".join([*HEAD, "negatives"]) + '\na,en,Q,P,"[""x""]"\nb,en,Q,P,"[1, 2]"\n'
    with pytest.raises(PanglotError, match="line 3: 'negatives' is neither"):
        read(tmp_path / "mine.csv", text)


def test_long_cells_and_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    text = ",".join(HEAD) + "\n" + "".join(f"i{k},en,q{k},{'x' * 200_000}\n" for k in range(7))
    rows = read(tmp_path / "mine.csv", text)
    assert [(line, query, len(passage)) for line, query, passage in rows] == [
        (k + 2, f"q{k}", 200_000) for k in range(7)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (",".join(HEAD) + "\na,en,q,p\nb,en,q,p,more\n", "line 3: has 5 cells where the header has 4"),
        (",".join(HEAD) + '\na,en,q,p\nb,en,"q,p\nc,en,q,p\n', "line 3: its quotation marks do not close"),
        (",".join(HEAD) + '\na,en,"q"x,p\n', "line 2: its quotation marks do not close"),
        ("item_id,query,query,passage\n", "line 1: column 'query' occurs twice"),
    ],
)
def test_a_broken_table_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PanglotError, match=words):
        read(tmp_path / "mine.csv", text)


def test_another_encoding_is_said_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match=r"line 3: is not UTF-8"):
        read(tmp_path / "mine.csv", ",".join(HEAD) + "\na,de,q,p\nb,de,größer,p\n", "latin-1")
