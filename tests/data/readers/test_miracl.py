"""MIRACL: official files, flat and as on the hub; judged zeros, titles, missing passages."""

import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import load_benchmark
from panglot.data.catalogue import entry_named
from panglot.data.readers import collection
from panglot.data.text_column import TextColumn
from panglot.errors import PanglotError

read_miracl = partial(load_benchmark, "miracl")


TOPICS = {"sw": "0\tNani huoka mkate?\n3\tMvua ni nini?\n9\tHaijaamuliwa?\n", "yo": "0\tKí ni òjò?\n"}
QRELS = {
    "sw": "0\tQ0\t1#0\t1\n0\tQ0\t2#0\t0\n3\tQ0\t2#0\t1\n",
    "yo": "0\tQ0\t1#0\t1\n",
}
CORPUS: dict[str, list[list[dict[str, Any]]]] = {
    "sw": [
        [{"docid": "1#0", "title": "Mkate", "text": "Mwokaji huoka mkate."}],
        [{"docid": "2#0", "title": "Mvua", "text": "Maji kutoka mawinguni."}],
    ],
    "yo": [[{"docid": "1#0", "title": "Òjò", "text": "Omi láti ojú ọ̀run."}]],
}
PASSAGES: dict[str, Content] = {
    f"miracl-corpus-v1.0-{code}/docs-{k}.jsonl.gz": rows
    for code, files in CORPUS.items()
    for k, rows in enumerate(files)
}
FLAT: dict[str, Content] = {
    **{f"topics.miracl-v1.0-{code}-dev.tsv": text for code, text in TOPICS.items()},
    **{f"qrels.miracl-v1.0-{code}-dev.tsv": text for code, text in QRELS.items()},
}
HUB: dict[str, Content] = {
    f"miracl-v1.0-{re.split('-', name)[2]}/{name.split('.')[0]}/{name}": text for name, text in FLAT.items()
}
EXPECTED = [
    ("sw:0", "sw:1#0", 1),
    ("sw:0", "sw:2#0", 0),
    ("sw:3", "sw:2#0", 1),
    ("yo:0", "yo:1#0", 1),
]


@pytest.mark.parametrize(
    ("layout", "in_memory"), [(FLAT, 1 << 20), (HUB, 1 << 20), (HUB, 0)], ids=["flat", "hub", "hub-on-disk"]
)
def test_the_official_layouts(
    write_files: WriteFiles,
    judgements_of: JudgementsOf,
    monkeypatch: pytest.MonkeyPatch,
    layout: dict[str, Content],
    in_memory: int,
) -> None:
    monkeypatch.setattr(collection, "IN_MEMORY", in_memory)
    benchmark = read_miracl(write_files({**layout, **PASSAGES}))
    assert isinstance(benchmark.passages.texts, list if in_memory else TextColumn)
    assert benchmark.languages == ("sw", "yo")
    assert judgements_of(benchmark) == EXPECTED
    assert list(benchmark.queries.texts) == ["Nani huoka mkate?", "Mvua ni nini?", "Kí ni òjò?"]
    assert list(benchmark.passages.titled()) == [
        "Mkate Mwokaji huoka mkate.",
        "Mvua Maji kutoka mawinguni.",
        "Òjò Omi láti ojú ọ̀run.",
    ]
    assert benchmark.passages.languages.tolist() == [0, 0, 1]
    assert benchmark.queries.languages.tolist() == [0, 0, 1]
    assert benchmark.query_items.tolist() == [0, 1, 2]


def test_the_corpus_may_lie_in_a_folder_of_its_own(write_files: WriteFiles) -> None:
    files = {f"miracl/{name}": content for name, content in HUB.items()}
    files |= {f"miracl-corpus/{name}": content for name, content in PASSAGES.items()}
    assert len(read_miracl(write_files(files)).passages) == 3


def test_one_language_alone(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    files = {
        name: content
        for name, content in {**FLAT, **PASSAGES}.items()
        if "corpus" not in name or "sw" in name
    }
    folder = write_files(files)
    benchmark = read_miracl(folder, languages=["sw"])
    assert benchmark.languages == ("sw",)
    assert judgements_of(benchmark) == EXPECTED[:3]
    with pytest.raises(
        PanglotError, match=r"miracl lacks its passages in yo: there is no .*-LANGUAGE/docs-0.jsonl.gz"
    ):
        read_miracl(folder)
    with pytest.raises(PanglotError, match="passages are here: sw"):
        read_miracl(folder)
    with pytest.raises(PanglotError, match="miracl has no language 'de'"):
        read_miracl(folder, languages=["de"])


def test_a_gap_among_the_files_of_passages_is_said(write_files: WriteFiles) -> None:
    files = {name: content for name, content in {**FLAT, **PASSAGES}.items() if "sw/docs-0" not in name}
    with pytest.raises(PanglotError, match=r"sw/docs-0.jsonl.gz: is missing among the 1 files beside it"):
        read_miracl(write_files(files))


def test_part_of_the_passages(write_files: WriteFiles, judgements_of: JudgementsOf) -> None:
    files = {name: content for name, content in {**FLAT, **PASSAGES}.items() if "sw/docs-1" not in name}
    folder = write_files(files)
    with pytest.raises(PanglotError, match=r"sw-dev.tsv, line 2: passage 'sw:2#0' .* \(2 of 4 judgements"):
        read_miracl(folder)
    assert judgements_of(read_miracl(folder, partial_corpus=True)) == [EXPECTED[0], EXPECTED[3]]


def test_missing_topics_and_judgements_are_said(write_files: WriteFiles) -> None:
    folder = write_files({"topics.miracl-v1.0-sw-dev.tsv": TOPICS["sw"]})
    with pytest.raises(
        PanglotError, match=r"no judgements of them, such as qrels.miracl-v1.0-LANGUAGE-dev.tsv"
    ):
        read_miracl(folder)
    with pytest.raises(
        PanglotError, match=r"no queries of miracl, such as topics.miracl-v1.0-LANGUAGE-test-a.tsv"
    ):
        read_miracl(folder, split="test-a")
    with pytest.raises(PanglotError, match="nowhere: no such file or folder"):
        read_miracl(folder / "nowhere")


QUERIES = {
    **{"ar": 2896, "bn": 411, "de": 305, "en": 799, "es": 648, "fa": 632, "fi": 1271, "fr": 343, "hi": 350},
    **{"id": 960, "ja": 860, "ko": 213, "ru": 1252, "sw": 482, "te": 828, "th": 733, "yo": 119, "zh": 393},
}


@pytest.mark.shared
def test_the_real_topics_and_judgements(shared_data: Path, write_files: WriteFiles) -> None:
    passages: dict[str, Content] = {}  # made up: the real ones take gigabytes
    for path in (shared_data / "miracl").glob("qrels.*.tsv"):
        ids = dict.fromkeys(line.split()[2] for line in path.read_text(encoding="utf-8").splitlines())
        corpus = f"miracl-corpus-v1.0-{path.name.split('-')[2]}/docs-0.jsonl.gz"
        passages[corpus] = [{"docid": label, "title": "", "text": "-"} for label in ids]
    folder = write_files(passages)
    for path in (shared_data / "miracl").glob("*.tsv"):
        (folder / path.name).symlink_to(path)
    benchmark = read_miracl(folder)
    assert sorted(QUERIES) == sorted(entry_named("miracl").languages)
    assert Counter(benchmark.languages[k] for k in benchmark.queries.languages) == QUERIES
    # cat qrels* | awk '{n[$4]++} END {for (k in n) print k, n[k]}'
    assert Counter(benchmark.gains.tolist()) == {1: 31_119, 0: 99_289}
    with pytest.raises(PanglotError, match=r"there is no miracl-corpus-v1\.0-LANGUAGE/docs-0"):
        read_miracl(shared_data / "miracl", languages=["sw"])
