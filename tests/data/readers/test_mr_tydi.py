"""Mr. TyDi: the official archives' layout and the hub's."""

from functools import partial

import pytest
from small_files import Content, JudgementsOf, WriteFiles

from panglot.data import load_benchmark
from panglot.errors import PanglotError

read_mr_tydi = partial(load_benchmark, "mr-tydi")

TOPICS = {"finnish": "7\tMikä lentää yöllä?\n", "thai": "7\tฝนคืออะไร\n8\tนกฮูกกินอะไร\n"}
QRELS = {"finnish": "7\tQ0\t12#3\t1\n", "thai": "7\tQ0\t12#3\t1\n8\tQ0\t5#0\t1\n"}
TEXTS = {
    "finnish": [("12#3", "Pöllö", "Pöllö lentää yöllä."), ("12#4", "Pöllö", "Se syö hiiriä.")],
    "thai": [("12#3", "ฝน", "น้ำจากเมฆ"), ("5#0", "นกฮูก", "มันกินหนู")],
}
ARCHIVE: dict[str, Content] = {}
HUB: dict[str, Content] = {}
for word, topics in TOPICS.items():
    place = f"mrtydi-v1.1-{word}"
    ARCHIVE[f"{place}/topic.test.tsv"] = HUB[f"{place}/ir-format-data/topics.test.txt"] = topics
    ARCHIVE[f"{place}/qrels.test.txt"] = HUB[f"{place}/ir-format-data/qrels.test.txt"] = QRELS[word]
    ARCHIVE[f"{place}/collection/docs.jsonl.gz"] = [
        {"id": name, "contents": f"{title}\n\n{text}"} for name, title, text in TEXTS[word]
    ]
    HUB[f"{place}/corpus.jsonl.gz"] = [
        {"docid": name, "title": title, "text": text} for name, title, text in TEXTS[word]
    ]
EXPECTED = [("fi:7", "fi:12#3", 1), ("th:7", "th:12#3", 1), ("th:8", "th:5#0", 1)]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("layout", [ARCHIVE, HUB], ids=["archive", "hub"])
def test_the_official_layouts(
    write_files: WriteFiles, judgements_of: JudgementsOf, layout: dict[str, Content], version: str
) -> None:
    files = {name.replace("1.1", version): content for name, content in layout.items()}
    benchmark = read_mr_tydi(write_files(files))
    assert benchmark.languages == ("fi", "th")
    assert judgements_of(benchmark) == EXPECTED
    assert list(benchmark.queries.texts) == ["Mikä lentää yöllä?", "ฝนคืออะไร", "นกฮูกกินอะไร"]
    between = "\n\n" if layout is ARCHIVE else " "
    assert list(benchmark.passages.titled()) == [
        f"{title}{between}{text}" for word in ("finnish", "thai") for _, title, text in TEXTS[word]
    ]
    assert benchmark.passages.languages.tolist() == [0, 0, 1, 1]


def test_the_hubs_two_data_sets_side_by_side(write_files: WriteFiles) -> None:
    files = {f"mr-tydi{'-corpus' * ('corpus' in name)}/{name}": content for name, content in HUB.items()}
    assert len(read_mr_tydi(write_files(files), languages=["th"]).passages) == 2


def test_missing_files_are_said(write_files: WriteFiles) -> None:
    folder = write_files({name: content for name, content in ARCHIVE.items() if "docs" not in name})
    with pytest.raises(
        PanglotError, match=r"mr-tydi lacks its passages in fi, th: there is no mrtydi-v1.1-LANGUAGE/c"
    ):
        read_mr_tydi(folder)
    with pytest.raises(
        PanglotError, match=r"no queries of mr-tydi, such as mrtydi-v1.1-LANGUAGE/topic.dev.tsv"
    ):
        read_mr_tydi(folder, split="dev")
