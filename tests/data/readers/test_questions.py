"""Questions that look for a paragraph: Belebele, SQuAD's format; and for each other: MKQA."""

import gzip
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_files import Judged, Sizes

from panglot.data import load_benchmark, load_pairs
from panglot.data.readers.questions import folder_pairs, read_squad
from panglot.errors import PanglotError

read_belebele = partial(load_benchmark, "belebele")
read_mkqa = partial(load_benchmark, "mkqa")
read_arcd = partial(load_benchmark, "arcd")
read_cmrc2018 = partial(load_benchmark, "cmrc2018")
read_iapp = partial(load_benchmark, "iapp-wiki-qa")


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def belebele_row(link: str, number: int, passage: str, question: str, dialect: str) -> dict[str, Any]:
    options = {f"mc_answer{k}": f"option {k}" for k in range(1, 5)}
    start = {"link": link, "question_number": number, "flores_passage": passage, "question": question}
    return {**start, **options, "correct_answer_num": "2", "dialect": dialect, "ds": "2023-05-03"}


@pytest.fixture
def belebele(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    english = [
        belebele_row("https://w/Tea", 1, "Tea is brewed.", "How is tea made?", "eng_Latn"),
        belebele_row("https://w/Tea", 2, "Tea is brewed.", "What is brewed?", "eng_Latn"),
        belebele_row("https://w/Sea", 1, "The sea is salty.", "What is salty?", "eng_Latn"),
    ]
    german = [  # in another order
        belebele_row("https://w/Sea", 1, "Das Meer ist salzig.", "Was ist salzig?", "deu_Latn"),
        belebele_row("https://w/Tea", 1, "Tee wird gebrüht.", "Wie macht man Tee?", "deu_Latn"),
        belebele_row("https://w/Tea", 2, "Tee wird gebrüht.", "Was wird gebrüht?", "deu_Latn"),
    ]
    (tmp_path / "data" / "eng_Latn.jsonl").write_text(lines(english), encoding="utf-8")
    (tmp_path / "data" / "deu_Latn.jsonl").write_text(lines(german), encoding="utf-8")
    return tmp_path


def test_a_question_looks_for_its_passage_in_every_language(
    belebele: Path, judged: Judged, sizes: Sizes
) -> None:
    benchmark = read_belebele(belebele)
    assert sizes(benchmark) == {"de": (3, 2), "en": (3, 2)}
    tea = {"Tee wird gebrüht.": 1, "Tea is brewed.": 1}
    sea = {"Das Meer ist salzig.": 1, "The sea is salty.": 1}
    assert list(judged(benchmark).values()) == [sea, tea, tea, tea, tea, sea]
    item = dict(zip(benchmark.queries.texts, benchmark.query_items.tolist(), strict=True))
    assert item["How is tea made?"] == item["Wie macht man Tee?"] != item["Was wird gebrüht?"]
    assert len(set(item.values())) == 3


def test_parquet_files_by_language_are_read_alike(belebele: Path, tmp_path: Path) -> None:
    before = read_belebele(belebele)
    for path in sorted((belebele / "data").glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        (tmp_path / "parquet" / path.stem).mkdir(parents=True)
        pq.write_table(
            pa.Table.from_pylist(rows), tmp_path / "parquet" / path.stem / "test-00000-of-00001.parquet"
        )
    after = read_belebele(tmp_path / "parquet")
    assert (after.queries.ids, after.passages.texts) == (before.queries.ids, before.passages.texts)
    assert after.judged_passage.tolist() == before.judged_passage.tolist()


def test_the_options_may_stand_in_the_query(belebele: Path) -> None:
    benchmark = read_belebele(belebele, languages=["en"], query_text="question+options")
    assert benchmark.queries.texts[0] == "How is tea made? option 1 option 2 option 3 option 4"


def test_a_link_with_two_passages_keeps_them_apart(belebele: Path, judged: Judged) -> None:
    path = belebele / "data" / "eng_Latn.jsonl"
    more = belebele_row("https://w/Tea", 1, "Tea is drunk at five.", "When is tea?", "eng_Latn")
    path.write_text(path.read_text() + lines([more]))
    found = judged(read_belebele(belebele, languages=["en"]))
    assert list(found.values())[-1] == {"Tea is drunk at five.": 1}


def test_bad_belebele_is_named(belebele: Path) -> None:
    path = belebele / "data" / "deu_Latn.jsonl"
    good = path.read_text(encoding="utf-8")
    path.write_text(good + good.splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(PanglotError, match=r"deu_Latn\.jsonl, line 4: question '.*' occurs twice"):
        read_belebele(belebele)
    path.write_text(good + '{"link": "x"}\n', encoding="utf-8")
    with pytest.raises(PanglotError, match=r"deu_Latn\.jsonl, line 4: has no 'flores_passage'"):
        read_belebele(belebele)
    with pytest.raises(PanglotError, match="no query text 'options'"):
        read_belebele(belebele, query_text="options")
    path.unlink()
    (belebele / "data" / "eng_Latn.jsonl").unlink()
    with pytest.raises(PanglotError, match="holds no files of belebele"):
        read_belebele(belebele)


OWLS = {
    "context": "Owls fly at night.",
    "qas": [
        {"id": 11, "question": "When do owls fly?", "answers": [{"text": "at night", "answer_start": 9}]},
        {"id": 12, "question": "Do owls swim?", "is_impossible": True, "answers": []},
    ],
}
BATS = {
    "context": "Bats hang.",
    "qas": [{"id": 13, "question": "What hangs?", "answers": [{"text": "Bats", "answer_start": 0}]}],
}
AGAIN = {"context": "Owls fly at night.", "qas": [{"id": 14, "question": "What flies?", "answers": []}]}


def squad(paragraphs: list[dict[str, Any]]) -> str:
    return json.dumps({"version": "v1.0", "data": [{"title": "Animals", "paragraphs": paragraphs}]}, indent=1)


def test_paragraphs_of_squad_are_the_pool(tmp_path: Path, judged: Judged) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "arcd.json").write_text(squad([OWLS, BATS, AGAIN]))
    benchmark = read_arcd(tmp_path)
    assert (benchmark.name, benchmark.languages) == ("arcd", ("ar",))
    assert benchmark.passages.texts == ["Owls fly at night.", "Bats hang."]
    assert judged(benchmark) == {
        "11": {"Owls fly at night.": 1},
        "13": {"Bats hang.": 1},
        "14": {"Owls fly at night.": 1},
    }
    assert benchmark.passages.titles is None
    titled = read_arcd(tmp_path, candidate_text="title+passage")
    assert titled.passages.titles == ["Animals", "Animals"]


def test_one_question_a_line_in_an_archive(tmp_path: Path, judged: Judged) -> None:
    (tmp_path / "squad_format").mkdir()
    start = {"text": ["x"], "answer_start": [0], "answer_end": [1]}
    rows = [
        {"article_id": "a", "question_id": "a_0", "context": "นกบิน", "question": "อะไรบิน", "answers": start},
        {"article_id": "a", "question_id": "a_1", "context": "นกบิน", "question": "ใครบิน", "answers": start},
    ]
    with zipfile.ZipFile(tmp_path / "squad_format" / "data.zip", "w") as archive:
        archive.writestr("data/test.jsonl", lines(rows))
    assert judged(read_iapp(tmp_path)) == {"a_0": {"นกบิน": 1}, "a_1": {"นกบิน": 1}}
    with pytest.raises(PanglotError, match=r"data\.zip: has no data/valid\.jsonl in it"):
        read_iapp(tmp_path, split="valid")
    with pytest.raises(PanglotError, match="has no split 'dev'"):
        read_iapp(tmp_path, split="dev")


def test_bad_squad_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    options: dict[str, Any] = {"name": "mine", "language": "sw", "files": {"test": "mine.json"}}
    for content, message in [
        (squad([OWLS, OWLS]), "mine.json: question id '11' occurs twice"),
        (squad([{"context": "-"}]), r"mine.json: 'data.0.paragraphs.0.qas' is missing"),
        (squad([{"context": " ", "qas": []}]), "paragraphs.0.context is wrong"),
        ('{"data": [\n}', "mine.json, line 2: is not valid JSON"),
        ("[]", "mine.json: its content is wrong"),
    ]:
        path.write_text(content)
        with pytest.raises(PanglotError, match=message):
            read_squad(tmp_path, **options)
    path.unlink()
    with pytest.raises(PanglotError, match=r"mine\.json: no such file"):
        read_squad(tmp_path, **options)


@pytest.mark.shared
def test_the_real_sets(shared_data: Path, sizes: Sizes) -> None:
    folder = shared_data / "mono-qa"
    # 465 paragraphs, of which five occur twice
    assert sizes(read_arcd(folder / "ar-arcd")) == {"ar": (1395, 460)}
    assert sizes(read_cmrc2018(folder / "zh-cmrc2018")) == {"zh": (3219, 848)}
    questions = 0
    for split in ("test", "valid", "train"):
        benchmark = read_iapp(folder / "th-iapp", split=split)
        questions += len(benchmark.queries)
        assert len(benchmark.gains) == len(benchmark.queries)
    with zipfile.ZipFile(folder / "th-iapp" / "squad_format" / "data.zip") as archive:
        rows = sum(len(archive.read(name).splitlines()) for name in archive.namelist())
    assert questions == rows


@pytest.fixture
def mkqa(tmp_path: Path) -> Path:
    rows = [
        {
            "example_id": 563260143484355911,
            "query": "who sings in the rain",
            "queries": {"en": "who sings in the rain", "da": "hvem synger i regnen", "zh_tw": "誰在雨中唱歌"},
            "answers": {"en": [{"type": "entity", "text": "Gene"}]},
        },
        {
            "example_id": 2,
            "query": "how many legs has a crab",
            "queries": {
                "en": "how many legs has a crab",
                "da": "hvor mange ben har en krabbe",
                "zh_tw": "蟹有幾條腿",
            },
            "answers": {"en": [{"type": "number", "text": "10"}]},
        },
    ]
    (tmp_path / "mkqa.jsonl.gz").write_bytes(gzip.compress(lines(rows).encode()))
    return tmp_path


def test_a_question_of_mkqa_looks_for_its_translations(mkqa: Path, judged: Judged, sizes: Sizes) -> None:
    benchmark = read_mkqa(mkqa)
    assert sizes(benchmark) == {"da": (2, 2), "en": (2, 2), "zh-Hant": (2, 2)}
    assert judged(benchmark)["da:2"] == {
        "hvor mange ben har en krabbe": -1,
        "how many legs has a crab": 1,
        "蟹有幾條腿": 1,
    }


def test_bad_mkqa_is_named(mkqa: Path) -> None:
    path = mkqa / "mkqa.jsonl.gz"
    rows = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    path.write_bytes(gzip.compress((rows[0] + rows[0]).encode()))
    with pytest.raises(
        PanglotError, match=r"mkqa\.jsonl\.gz, line 2: example_id '563260143484355911' occurs twice"
    ):
        read_mkqa(mkqa)
    path.write_bytes(gzip.compress((rows[0] + rows[1].replace('"da"', '"sv"')).encode()))
    with pytest.raises(
        PanglotError, match=r"line 1: has no text in 'queries.sv'|line 2: has no text in 'queries.da'"
    ):
        read_mkqa(mkqa)
    path.write_bytes(gzip.compress("".join(rows).encode()))
    with pytest.raises(PanglotError, match="compares languages"):
        read_mkqa(mkqa, languages=["en"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PanglotError, match=r"mkqa\.jsonl\.gz, line 2: .*cut short"):
        read_mkqa(mkqa)


def xquad(questions: dict[str, str], context: str) -> str:
    """Return one paragraph with questions by id."""
    qas = [{"id": name, "question": text, "answers": []} for name, text in questions.items()]
    return squad([{"context": context, "qas": qas}, {"context": f"{context} 2", "qas": []}])


def test_questions_of_several_languages_are_parallel(tmp_path: Path, judged: Judged, sizes: Sizes) -> None:
    (tmp_path / "xquad.en.json").write_text(xquad({"a": "Who?", "b": "Where?"}, "Owls."))
    (tmp_path / "xquad.ro.json").write_text(xquad({"a": "Cine?"}, "Bufnițe."))
    (tmp_path / "notes.json").write_text("{}")
    benchmark = load_benchmark("squad", tmp_path)
    assert sizes(benchmark) == {"en": (2, 2), "ro": (1, 2)}
    both = {"Owls.": 1, "Bufnițe.": 1}
    assert judged(benchmark) == {"en:a": both, "en:b": {"Owls.": 1}, "ro:a": both}
    assert benchmark.query_items.tolist() == [0, 1, 0]
    romanian = load_benchmark("squad", tmp_path, languages=["ro"])
    assert judged(romanian) == {"ro:a": {"Bufnițe.": 1}}
    pairs = folder_pairs(tmp_path)
    assert (len(pairs), pairs.languages, pairs.index.entries) == (2, ("en", "ro"), 3)


def test_articles_of_a_folder_are_documents_in_all_languages(tmp_path: Path) -> None:
    for code, sun, moon in (("en", "Sun", "Moon"), ("de", "Sonne", "Mond")):
        articles = [(sun, ["a", "b"]), (moon, ["c"]), (None, ["d"]), (None, ["e"])]
        data = [
            {
                "title": title,
                "paragraphs": [
                    {
                        "context": f"{label} in {code}.",
                        "qas": [{"id": label, "question": f"{label}, {code}?"}],
                    }
                    for label in labels
                ],
            }
            for title, labels in articles
        ]
        (tmp_path / f"xquad.{code}.json").write_text(json.dumps({"data": data}))
    pairs = folder_pairs(tmp_path)
    found: dict[str, set[str]] = {}
    for row in pairs.table.to_pylist():
        found.setdefault(row["document_id"], set()).add(row["query"][0])
    assert sorted(map(sorted, found.values())) == [["a", "b"], ["c"], ["d"], ["e"]]


@pytest.mark.shared
def test_articles_of_lareqa_are_documents(shared_data: Path) -> None:
    pairs = folder_pairs(shared_data / "lareqa" / "xquad-r")
    assert len({row["document_id"] for row in pairs.table.to_pylist()}) == 48


def test_the_language_of_a_file_is_in_its_name_in_its_ids_or_given(tmp_path: Path) -> None:
    named = tmp_path / "german.json"
    named.write_text(xquad({"a": "Wer?"}, "Eulen."))
    assert load_benchmark("squad", named).languages == ("de",)
    path = tmp_path / "GermanQuAD_test.json"
    path.write_text(xquad({"31": "Wer?"}, "Eulen."))
    with pytest.raises(PanglotError, match=r"language of question '31'; .*--column language==de"):
        load_benchmark("squad", path)
    given = load_benchmark("squad", path, columns={"language": "=de"})
    assert (given.languages, given.queries.ids, given.passages.ids) == (("de",), ["31"], ["p0", "p1"])
    with pytest.raises(PanglotError, match="'query' cannot be mapped"):
        load_benchmark("squad", path, columns={"query": "question"})
    tydi = tmp_path / "tydiqa-goldp-v1.1-dev.json"
    both = json.loads(xquad({"finnish-7-0": "Kuka?"}, "Pöllö."))
    both["data"] += json.loads(xquad({"korean-7-1": "누구?"}, "올빼미."))["data"]
    tydi.write_text(json.dumps(both))
    assert load_benchmark("squad", tydi).languages == ("fi", "ko")


def test_questions_on_one_paragraph_share_a_passage_id_as_pairs(tmp_path: Path) -> None:
    path = tmp_path / "xquad.en.json"
    path.write_text(squad([OWLS, BATS, AGAIN]))
    pairs = load_pairs(path)
    rows = [(row["item_id"], row["passage_id"], row["query"]) for row in pairs.table.to_pylist()]
    assert rows == [
        ("11", "p0", "When do owls fly?"),
        ("13", "p1", "What hangs?"),
        ("14", "p0", "What flies?"),
    ]
    assert pairs.table.column("passage").to_pylist() == [
        "Owls fly at night.",
        "Bats hang.",
        "Owls fly at night.",
    ]
    assert set(pairs.table.column("document_id").to_pylist()) == {"Animals"}
    assert load_pairs(path, columns={"language": "=sw"}).languages == ("sw",)
