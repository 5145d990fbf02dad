"""PDF and Word files as documents."""

from pathlib import Path

import docx
import pytest

from panglot.errors import PanglotError
from panglot.search.documents import office, read_documents

PAGE = b"BT /F1 12 Tf 72 720 Td (The bakery opens at seven.) Tj ET"


def pdf() -> bytes:
    """Return a PDF of one page and one line, with its title, written by hand."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(PAGE), PAGE),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (Opening hours) >>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\n" % (len(objects) + 1)
    return content + head + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hours.pdf").write_bytes(pdf())
    document = docx.Document()
    document.core_properties.title = "Baking"
    document.add_paragraph("Before the first heading.")
    document.add_heading("Bread", 1)
    document.add_paragraph("Flour and water.")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "rye", "500 g"
    document.save(str(tmp_path / "bread.docx"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_pages_and_headings_are_sections(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    bread, hours = read_documents([folder])
    assert (hours.id, hours.title, hours.sections[0].text) == (
        "hours.pdf",
        "Opening hours",
        "The bakery opens at seven.",
    )
    assert (bread.id, bread.title) == ("bread.docx", "Baking")
    assert [(section.heading, section.text) for section in bread.sections] == [
        ("", "Before the first heading."),
        ("Bread", "Flour and water.\nrye\t500 g"),
    ]
    assert "skipped 1 files of other kinds (.png 1)" in caplog.messages[0]


def test_without_the_extra_they_are_skipped_with_a_note(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(office, "find_spec", lambda _: None)
    (folder / "note.txt").write_text("Closed on Mondays.")
    assert [document.id for document in read_documents([folder])] == ["note.txt"]
    assert "skipped 3 files of other kinds (.docx 1, .pdf 1, .png 1)" in caplog.messages[0].replace(
        ".pdf 1, .docx 1", ".docx 1, .pdf 1"
    )
    assert "panglot[documents]" in caplog.messages[0]
    with pytest.raises(PanglotError, match=r"hours\.pdf: is a \.pdf file; .*panglot\[documents\]"):
        list(read_documents([folder / "hours.pdf"]))


@pytest.mark.parametrize("name", ["broken.pdf", "broken.docx"])
def test_a_damaged_file_is_one_sentence_and_a_folder_goes_on(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(PanglotError, match=rf"{name}: cannot be read as"):
        list(read_documents([folder / name]))
    skipped: list[str] = []
    assert len(list(read_documents([folder], skipped=skipped))) == 2
    assert len(skipped) == 1
