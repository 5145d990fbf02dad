"""The entries: each is whole, honest, and can be read; and what the reader of entries refuses."""

from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from panglot.data.catalogue import catalogue
from panglot.data.catalogue.entry import Entry, entry_named, read_entries
from panglot.data.catalogue.load import READERS, TRAINING
from panglot.errors import PanglotError
from panglot.evaluation import parse_measure
from panglot.languages import is_language

ENTRIES = catalogue()
# fmt: off
WANTED = [
    "sample", "pairs", "xquad-r", "mlqa-r", "miracl", "mr-tydi", "mr-tydi-train", "mmarco", "mmarco-train",
    "mkqa", "belebele", "neuclir", "ciral", "afriqa", "mtop", "mtop-intent", "xm3600", "xflickrco",
    "tatoeba", "ntrex-128", "flores-plus", "mfaq", "coco-35l", "arcd", "iapp-wiki-qa", "cmrc2018", "msmarco",
    "trec-covid", "nfcorpus", "nq", "hotpotqa", "fiqa", "arguana", "webis-touche2020", "cqadupstack",
    "quora", "dbpedia-entity", "scidocs", "fever", "climate-fever", "scifact", "beir-pl-nfcorpus",
    "beir-nl-nfcorpus", "hindi-beir-arguana",
]
# fmt: on
OWN = {"sample", "pairs", "squad", "beir-parallel"}


def test_all_that_was_promised_is_there() -> None:
    assert not set(WANTED) - ENTRIES.keys()


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.title
    assert entry.what.endswith(".")
    assert entry.folder
    for measure in entry.measures:
        parse_measure(measure)
    for language in entry.languages:
        assert is_language(language), language
    if entry.name in OWN:
        return
    assert entry.source
    assert entry.citation
    assert entry.languages or entry.kind == "encoder"
    assert entry.measures or entry.kind != "benchmark"
    assert entry.licence or "licence" in (entry.note or ""), "an unknown licence is said in the note"
    assert entry.local
    assert entry.holds
    assert entry.files
    assert "{" not in repr(entry.files), "a mark was not filled"


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_an_entrys_reader_is_there_and_takes_its_options(entry: Entry) -> None:
    if entry.kind == "encoder":
        return
    module, function = (READERS | TRAINING)[entry.reader].split(":")
    reader = getattr(import_module(module), function)
    assert entry.options.keys() <= signature(reader).parameters.keys()


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_an_entrys_files_can_be_checked_or_it_says_why_not(entry: Entry) -> None:
    labels = [file.label for file in entry.files]
    assert len(set(labels)) == len(labels)
    for file in entry.files:
        assert file.language is None or file.language in entry.languages
        assert file.url is None or file.url.startswith("https://")
        for checksum, length in ((file.sha256, 64), (file.md5, 32)):
            assert checksum is None or (len(checksum) == length and int(checksum, 16) >= 0)
        if file.sha256 is None and file.md5 is None and file.revision is None:
            said = (entry.note or "").lower()
            assert "checksum" in said or "revision" in said or "hub" in said, file.label


def test_entries_with_the_same_data_share_a_folder() -> None:
    mtop, intent = ENTRIES["mtop"], ENTRIES["mtop-intent"]
    assert (intent.folder, intent.files, intent.local) == ("mtop", mtop.files, mtop.local)
    assert intent.options != mtop.options


TOML = """
title = "Toy {set}"
kind = "benchmark"
what = "A toy."
languages = ["en", "sw"]
reader = "beir"
local = ["toy/{set}"]
[[files]]
url = "https://example.org/{set}/{}.gz"
each = { en = "english", sw = "swahili" }
size = { en = 1 }
[[sets]]
set = "a"
[[sets]]
set = "b"
md5 = "0123"
title = "The second, {city}"
city = "Ulm"
"""


def test_a_family_becomes_entries() -> None:
    first, second = read_entries(TOML, "toy")
    assert (first.name, first.family, first.title, first.folder) == ("toy-a", "toy", "Toy a", "toy-a")
    assert (second.name, second.title, second.local) == ("toy-b", "The second, Ulm", ("toy/b",))
    assert [file.url for file in first.files] == [
        "https://example.org/a/english.gz",
        "https://example.org/a/swahili.gz",
    ]
    assert [(file.language, file.size, file.md5) for file in second.files] == [
        ("en", 1, "0123"),
        ("sw", None, "0123"),
    ]
    assert first.licence is None
    assert first.files[0].sha256 is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('kind = "benchmark"', 'kind = "corpus"', "kind"),
        ('reader = "beir"', 'rader = "beir"', "'reader'"),
        ("url = ", "link = ", "files.0.link"),
        ("url = ", "hub = ", "'url'"),
        ('title = "Toy {set}"', "title = ", "TOML"),
        ("size = { en = 1 }", 'unpack = "rar"', "files.0.unpack"),
        ('what = "A toy."', 'what = "A toy."\nsettings = ["all"]', "settings.0"),
    ],
)
def test_a_mistake_in_an_entry_is_named(old: str, new: str, named: str) -> None:
    with pytest.raises(PanglotError, match=f"^catalogue entry toy.*{named}"):
        read_entries(TOML.replace(old, new, 1), "toy")


def test_an_unknown_entry_is_said() -> None:
    with pytest.raises(PanglotError, match="'nothing' is not a benchmark that panglot knows"):
        entry_named("nothing")


def test_the_page_of_benchmarks_names_every_entry_and_family() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "benchmarks.md").read_text(encoding="utf-8")
    for entry in ENTRIES.values():
        assert f"| `{entry.family or entry.name}` |" in page
