"""One table in every form: figures with intervals and marks, safe wherever they are read."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest
from rich.console import Console

from panglot.report.blocks import Section
from panglot.report.frames import (
    Table,
    numbers,
    texts,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
    to_records,
    to_rich,
    wide,
)
from panglot.report.html import page
from panglot.report.markdown import markdown
from panglot.report.write import write_assets

FIGURES = pd.DataFrame(
    {
        "run": ["zero-shot", "<b>_hybrid_|", "zero-shot"],
        "setting": ["monolingual", "monolingual", "multilingual"],
        "value": [0.5, 0.75, 0.25],
        "low": [0.4, 0.7, float("nan")],
        "high": [0.6, 0.8, float("nan")],
        "verdict": [None, "better", "worse"],
    }
)


@pytest.fixture
def table() -> Table:
    shown = wide(FIGURES.assign(text=texts(FIGURES, form=".2f")), ["run"], "setting")
    return Table("figures", "mAP & more", shown, FIGURES, note="▲ better")


def test_figures_are_written_with_intervals_and_marks() -> None:
    assert texts(FIGURES, form=".2f").tolist() == ["0.50 [0.40, 0.60]", "0.75 [0.70, 0.80] ▲", "0.25 ▼"]
    shares = FIGURES.rename(columns={"value": "kept", "low": "kept_low", "high": "kept_high"})
    assert texts(shares, "kept", ".0f", times=100).tolist() == ["50 [40, 60]", "75 [70, 80] ▲", "25 ▼"]
    assert texts(FIGURES.assign(value=float("nan"))).tolist() == ["", "", ""]


def test_numbers_are_written_and_words_stay() -> None:
    frame = pd.DataFrame({"size": [8, 16], "gain": [-0.5, float("nan")], "cached": ["no", "yes"]})
    shown = numbers(frame, {"gain": "+.2f", "cached": ".1f", "missing": ".1f"})
    assert shown.to_dict("list") == {"size": [8, 16], "gain": ["−0.50", ""], "cached": ["no", "yes"]}


def test_columns_and_rows_go_in_order_of_appearance(table: Table) -> None:
    assert list(table.shown.columns) == ["run", "monolingual", "multilingual"]
    assert table.shown.to_numpy().tolist() == [
        ["zero-shot", "0.50 [0.40, 0.60]", "0.25 ▼"],
        ["<b>_hybrid_|", "0.75 [0.70, 0.80] ▲", ""],
    ]


def test_markdown_escapes_what_it_would_read(table: Table) -> None:
    assert to_markdown(table).splitlines() == [
        "**mAP & more**",
        "",
        "| run | monolingual | multilingual |",
        "| :-- | --: | --: |",
        r"| zero-shot | 0.50 \[0.40, 0.60\] | 0.25 ▼ |",
        r"| \<b\>\_hybrid\_\| | 0.75 \[0.70, 0.80\] ▲ |  |",
        "",
        "▲ better",
    ]


def test_latex_is_a_tabular(table: Table) -> None:
    lines = to_latex(table).splitlines()
    assert lines[2] == r"\begin{tabular}{lrr}"
    assert lines[4] == r"run & monolingual & multilingual \\"
    hybrid = r"\textless{}b\textgreater{}\_hybrid\_\textbar{} & 0.75 [0.70, 0.80] $\blacktriangle$ &  \\"
    assert lines[7] == hybrid


def test_csv_holds_the_data_in_full_and_no_formula(table: Table) -> None:
    found = pd.read_csv(io.StringIO(to_csv(table)))
    assert found["value"].tolist() == FIGURES["value"].tolist()
    risky = replace(table, data=pd.DataFrame({"=name": ["=1+1", "-x", "fine"], "value": [-1.5, 2, 3]}))
    assert to_csv(risky) == "'=name,value\n'=1+1,-1.5\n'-x,2.0\nfine,3.0\n"


def test_records_are_plain(table: Table) -> None:
    assert to_records(table)[2] == {
        **{"run": "zero-shot", "setting": "multilingual", "value": 0.25},
        **{"low": None, "high": None, "verdict": "worse"},
    }


def test_a_terminal_shows_intervals_below_figures_and_heads_once() -> None:
    shown = pd.DataFrame(
        {"set": ["a", "a"], "run": ["x", "y"], "mAP": ["0.5 [0.4, 0.6]", "0.7 [0.6, 0.8] ▲"]}
    )
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(to_rich(Table("t", "title", shown, shown, heads=2)))
    lines = [line.split() for line in console.export_text().splitlines() if line.strip(" ─")]
    assert lines == [
        *(["title"], ["set", "run", "mAP"]),
        *(["a", "x", "0.5"], ["[0.4,", "0.6]"]),
        *(["y", "0.7"], ["[0.6,", "0.8]", "▲"]),
    ]


def test_a_page_shows_a_table_and_says_its_marks(table: Table) -> None:
    folded = replace(table, name="details", title="details", folded=True)
    html = page("title", "subtitle", [Section("one", "One", [table, folded])])
    assert "&lt;b&gt;_hybrid_|" in html
    assert "<b>_hybrid_" not in html
    assert html.count("significantly better") == html.count("significantly worse") == 2
    assert html.count("<details><summary>details</summary>") == 1
    text = markdown("title", "subtitle", [Section("one", "One", [table, folded])])
    assert text.count("<details><summary>details</summary>") == 1
    assert text.count("| zero-shot |") == 2


def test_html_names_rows_and_columns(table: Table) -> None:
    root = ElementTree.fromstring(to_html(replace(table, title='"quoted" & more')))
    (found,) = root.iter("table")
    assert [cell.get("scope") for cell in found.iter("th")] == ["col"] * 3 + ["row"] * 2
    assert [cell.get("class") for cell in found.iter("td")] == ["n"] * 4
    assert found.findtext("caption") == '"quoted" & more'
    assert ["".join(cell.itertext()) for cell in found.iter("td")][2:] == [
        "0.75 [0.70, 0.80] ▲significantly better",
        "",
    ]


def test_a_table_is_written_in_three_forms(table: Table, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("assets")
    written = write_assets([Section("one", "One", [table])], folder)
    assert [path.name for path in written] == ["figures.csv", "figures.tex", "figures.md"]
    assert all(path.stat().st_size for path in written)
