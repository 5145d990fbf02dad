"""The files beside a page."""

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from panglot.errors import PanglotError
from panglot.report.contents import gather
from panglot.report.write import write_report


def test_each_picture_and_table_has_its_files(runs: SimpleNamespace, tmp_path: Path) -> None:
    contents = gather(runs.evaluations, resamples=20, flips=50)
    written = write_report(contents, tmp_path / "r.html", assets=tmp_path / "figures")
    names = {path.name for path in written[1:]}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    for picture in ("matrix-1", "matrix-2", "change-2", "rank-distance", "shares"):
        assert {f"{picture}.svg", f"{picture}.png"} <= names
    for table in ("settings", "differences", "languages", "matrix-1", "change-2", "bias", "groups-training"):
        assert {f"{table}.csv", f"{table}.tex", f"{table}.md"} <= names
    rows = list(csv.reader((tmp_path / "figures" / "settings.csv").open(encoding="utf-8")))
    value = float(rows[1][rows[0].index("multilingual")])
    assert value == runs.evaluations[0].results["settings"]["multilingual"]["AP"]


def test_the_same_results_give_the_same_page(runs: SimpleNamespace, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(gather(runs.evaluations, resamples=20, flips=50), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_what_is_not_installed_is_said(
    runs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = gather(runs.evaluations[:1], resamples=10)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(PanglotError, match=r"pip install 'panglot\[report\]'"):
        write_report(contents, tmp_path / "r.html")
    assert not list(tmp_path.iterdir())
