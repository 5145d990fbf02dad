"""NTREX-128 and FLORES+: sentences translated line by line."""

import json
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_files import Judged

from panglot.data import Benchmark, load_data
from panglot.data.suite import Suite
from panglot.errors import PanglotError

read_ntrex = partial(load_data, "ntrex-128")
read_flores = partial(load_data, "flores-plus")

SENTENCES = {
    "eng": ["The bridge is open.", "Nobody was hurt."],
    "deu": ["Die Brücke ist offen.", "Niemand wurde verletzt."],
    "zho": ["桥已开放。", "无人受伤。"],
}


@pytest.fixture
def ntrex(tmp_path: Path) -> Path:
    folder = tmp_path / "NTREX-128"
    folder.mkdir()
    names = {"src.eng": "eng", "ref.deu": "deu", "ref.zho-CN": "zho", "ref-2.deu": "deu"}
    for name, code in names.items():
        text = "".join(f"{line}\r\n" for line in SENTENCES[code])
        (folder / f"newstest2019-{name}.txt").write_text(text, encoding="utf-8", newline="")
    (tmp_path / "LANGUAGES.tsv").write_text("deu German\n")
    return tmp_path


SCRIPTS = {"eng": "eng_Latn", "deu": "deu_Latn", "zho": "cmn_Hans"}


@pytest.fixture(params=["parquet", "jsonl", "release", "flores200"])
def flores(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Each layout in which the official files have been given out."""
    place = "flores200_dataset/devtest" if request.param == "flores200" else "devtest"
    folder = tmp_path / place
    folder.mkdir(parents=True)
    for code, lines in SENTENCES.items():
        full = SCRIPTS[code]
        rows = [
            {"id": k, "iso_639_3": full[:3], "iso_15924": full[4:], "glottocode": "-", "text": line}
            for k, line in enumerate(lines)
        ]
        if request.param == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{full}.parquet")
        elif request.param == "jsonl":
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{full}.jsonl").write_text(text, encoding="utf-8")
        else:
            name = f"devtest.{full}" if request.param == "release" else f"{full}.devtest"
            (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def pairs_with_english(suite: Benchmark | Suite) -> None:
    assert isinstance(suite, Suite)
    assert [(part.name, part.languages) for part in suite.parts] == [
        ("de-en", ("de", "en")),
        ("zh-en", ("en", "zh")),
    ]
    german, chinese = suite.parts
    assert german.passages.texts == [*SENTENCES["deu"], *SENTENCES["eng"]]
    assert chinese.passages.texts == [*SENTENCES["eng"], *SENTENCES["zho"]]
    assert german.query_items.tolist() == chinese.query_items.tolist() == [0, 1, 0, 1]
    assert german.judged_passage.tolist() == [2, 3, 0, 1]


def all_with_all(benchmark: Benchmark | Suite, judged: Judged) -> None:
    assert isinstance(benchmark, Benchmark)
    assert benchmark.languages == ("de", "en", "zh")
    own = [benchmark.queries.ids[k] for k in range(len(benchmark.queries))]
    found = judged(benchmark)[own[1]]
    assert found == {"Niemand wurde verletzt.": -1, "Nobody was hurt.": 1, "无人受伤。": 1}


def test_ntrex(ntrex: Path, judged: Judged) -> None:
    for folder in (ntrex, ntrex / "NTREX-128"):
        pairs_with_english(read_ntrex(folder))
        all_with_all(read_ntrex(folder, pairs="all"), judged)
    some = read_ntrex(ntrex, languages=["zh"])
    assert isinstance(some, Suite)
    assert some.languages == ("en", "zh")


def test_flores(flores: Path, judged: Judged) -> None:
    pairs_with_english(read_flores(flores))
    all_with_all(read_flores(flores, pairs="all"), judged)
    without = read_flores(flores, pairs="all", languages=["de", "zh"])
    assert without.languages == ("de", "zh")
    with pytest.raises(PanglotError, match=r"holds no files of flores-plus"):
        read_flores(flores, split="dev")


def test_flores_rows_go_together_by_id(tmp_path: Path) -> None:
    (tmp_path / "devtest").mkdir()
    for code, order in (("eng", [0, 1]), ("deu", [1, 0])):
        rows = [{"id": k, "text": SENTENCES[code][k]} for k in order]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "devtest" / f"{SCRIPTS[code]}.parquet")
    suite = read_flores(tmp_path)
    assert isinstance(suite, Suite)
    assert suite.parts[0].passages.texts == [*SENTENCES["deu"], *SENTENCES["eng"]]


def test_bad_files_are_named(ntrex: Path, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="has no pairs 'some'"):
        read_ntrex(ntrex, pairs="some")
    path = ntrex / "NTREX-128" / "newstest2019-ref.deu.txt"
    path.write_text("eins\nzwei\ndrei\n", encoding="utf-8")
    with pytest.raises(
        PanglotError, match=r"ref\.deu\.txt: has 3 lines, but newstest2019-src\.eng\.txt has 2"
    ):
        read_ntrex(ntrex)
    (ntrex / "NTREX-128" / "newstest2019-src.eng.txt").unlink()
    with pytest.raises(PanglotError, match="has no English file, which the pairs need"):
        read_ntrex(ntrex)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(PanglotError, match="holds no files of ntrex"):
        read_ntrex(tmp_path / "elsewhere")
    (tmp_path / "devtest").mkdir()
    table = pa.Table.from_pylist([{"id": 0, "sentence": "-"}])
    pq.write_table(table, tmp_path / "devtest" / "eng_Latn.parquet")
    pq.write_table(table, tmp_path / "devtest" / "deu_Latn.parquet")
    with pytest.raises(
        PanglotError, match=r"eng_Latn\.parquet: has no column 'text'|deu_Latn\.parquet: has no"
    ):
        read_flores(tmp_path)
