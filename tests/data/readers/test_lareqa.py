"""LAReQA: the sentence that holds the answer, in every language that has the question."""

import json
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from panglot.data import Benchmark, load_benchmark, read_lareqa
from panglot.data.pairs_files import squad
from panglot.data.readers import questions
from panglot.errors import PanglotError
from panglot.parse import read_form

Question = tuple[str, str, int]  # id, text, start of the answer


def paragraph(context: str, breaks: list[list[int]], questions: list[Question]) -> dict[str, Any]:
    return {
        "context": context,
        "sentences": [context[start:end] for start, end in breaks],
        "sentence_breaks": breaks,
        "qas": [
            {"id": name, "question": text, "answers": [{"answer_start": start, "text": "-"}]}
            for name, text, start in questions
        ],
    }


#                  0        9 10        20 23       33
OWLS = paragraph(
    "Owls fly. Bats hang.   Foxes dig.",
    [[0, 9], [10, 20], [23, 33]],
    [
        ("inside", "What do owls do?", 5),
        ("last", "And bats?", 19),  # the last character of a sentence
        ("end", "Who flies?", 9),  # the end stands outside: a gap of one
        ("gap", "Who hangs?", 22),  # in the gap before foxes: bats
        ("first", "Who digs?", 23),  # the first character of a sentence
        ("beyond", "Why?", 40),  # behind all of them
    ],
)
BREAD = paragraph("Flour. Water.", [[0, 6], [7, 13]], [("bread", "What is in bread?", 7)])
EULEN = paragraph(
    "Eulen fliegen. Füchse graben.",
    [[0, 14], [15, 29]],
    [("inside", "Was tun Eulen?", 0), ("first", "Wer gräbt?", 20), ("nur", "Warum?", 15)],
)


def write(folder: Path, **languages: list[list[dict[str, Any]]]) -> Path:
    """Write one file a language: articles of paragraphs."""
    for language, articles in languages.items():
        data = [{"title": "-", "paragraphs": paragraphs} for paragraphs in articles]
        (folder / f"{language}.json").write_text(json.dumps({"version": "1", "data": data}))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, en=[[OWLS], [BREAD]], de=[[EULEN]])


def answers(benchmark: Benchmark) -> dict[str, list[str]]:
    """Return the relevant passages' texts of each query id."""
    found: dict[str, list[str]] = {}
    for q, p in zip(benchmark.judged_query, benchmark.judged_passage, strict=True):
        found.setdefault(benchmark.queries.ids[q], []).append(benchmark.passages.texts[p])
    return {query: sorted(texts) for query, texts in found.items()}


def test_the_answer_is_the_sentence_that_holds_its_start(folder: Path) -> None:
    found = answers(read_lareqa(folder, "mine"))
    assert found["en:last"] == ["Bats hang."]
    assert found["de:nur"] == ["Füchse graben."]
    assert found["en:bread"] == ["Water."]


def test_in_a_gap_it_is_the_last_sentence_that_starts_before(folder: Path) -> None:
    found = answers(read_lareqa(folder, "mine"))
    assert found["en:end"] == ["Owls fly."]
    assert found["en:gap"] == ["Bats hang."]
    assert found["en:beyond"] == ["Foxes dig."]


def test_where_sentences_touch_the_answer_is_in_the_one_that_starts_there(tmp_path: Path) -> None:
    cats = paragraph("猫在睡觉。狗在叫。", [[0, 5], [5, 9]], [("dog", "谁在叫?", 5), ("cat", "谁在睡觉?", 4)])
    found = answers(read_lareqa(write(tmp_path, zh=[[cats]]), "mine"))
    assert found == {"zh:dog": ["狗在叫。"], "zh:cat": ["猫在睡觉。"]}


def test_a_question_finds_its_answer_in_every_language_that_has_it(folder: Path) -> None:
    found = answers(read_lareqa(folder, "mine"))
    assert found["en:inside"] == found["de:inside"] == ["Eulen fliegen.", "Owls fly."]
    assert found["en:first"] == found["de:first"] == ["Foxes dig.", "Füchse graben."]


def test_every_sentence_is_a_candidate(folder: Path) -> None:
    benchmark = read_lareqa(folder, "mine")
    assert (benchmark.name, benchmark.candidate_text) == ("mine", "sentence")
    assert benchmark.languages == ("de", "en")
    languages = [benchmark.languages[k] for k in benchmark.passages.languages]
    assert list(zip(languages, benchmark.passages.texts, strict=True)) == [
        ("de", "Eulen fliegen."),
        ("de", "Füchse graben."),
        ("en", "Owls fly."),
        ("en", "Bats hang."),
        ("en", "Foxes dig."),
        ("en", "Flour."),
        ("en", "Water."),
    ]


def test_queries_of_one_question_are_one_item(folder: Path) -> None:
    benchmark = read_lareqa(folder, "mine")
    items: dict[str, set[int]] = {}
    for label, item in zip(benchmark.queries.ids, benchmark.query_items.tolist(), strict=True):
        items.setdefault(label.split(":")[1], set()).add(item)
    assert len(benchmark.queries) == 10
    assert sorted(items) == ["beyond", "bread", "end", "first", "gap", "inside", "last", "nur"]
    assert all(len(numbers) == 1 for numbers in items.values())
    assert len(set.union(*items.values())) == 8


def test_a_candidate_may_bring_its_paragraph(folder: Path) -> None:
    benchmark = read_lareqa(folder, "mine", "sentence+context")
    assert benchmark.candidate_text == "sentence+context"
    assert benchmark.passages.texts[-1] == "Water. Flour. Water."
    assert answers(benchmark)["en:gap"] == ["Bats hang. Owls fly. Bats hang.   Foxes dig."]


def test_the_checksum_changes_with_the_data(tmp_path: Path) -> None:
    before = read_lareqa(write(tmp_path, en=[[OWLS]]), "mine").sha256
    assert read_lareqa(tmp_path, "mine").sha256 == before
    assert read_lareqa(write(tmp_path, en=[[OWLS], [BREAD]]), "mine").sha256 != before


def test_files_that_are_no_language_are_passed_over(folder: Path) -> None:
    (folder / "readme-first.json").write_text("{}")
    assert read_lareqa(folder, "mine").languages == ("de", "en")


def test_articles_are_documents_and_a_folder_of_pairs_is_parsed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def read(path: Path, form: Any) -> Any:
        parsed.append(path.name)
        return read_form(path, form)

    monkeypatch.setattr(questions, "read_form", read)
    monkeypatch.setattr(squad, "read_form", read)
    pairs = questions.folder_pairs(folder)
    assert sorted(parsed) == ["de.json", "en.json"]
    rows = pairs.table.to_pylist()
    document_of = {row["query"]: row["document_id"] for row in rows}
    assert document_of["What is in bread?"] == document_of["Who digs?"]  # both articles are called "-"
    assert len(pairs) == 8  # questions with one answer in German and English are one item

    untitled = (folder / "en.json").read_text().replace('"title": "-"', '"title": ""')
    (folder / "en.json").write_text(untitled)
    asked = read_lareqa(folder, "mine").restrict(["en"])
    assert asked.query_documents is not None
    documents = dict(zip(asked.queries.ids, asked.query_documents.tolist(), strict=True))
    assert documents["en:bread"] != documents["en:first"] == documents["en:inside"]


def test_a_folder_without_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match=r"holds no LAReQA files"):
        read_lareqa(tmp_path, "mine")


def test_broken_json_is_named_with_its_line(folder: Path) -> None:
    (folder / "en.json").write_text('{"data": [\n{"paragraphs": \n oh}]}')
    with pytest.raises(PanglotError) as caught:
        read_lareqa(folder, "mine")
    assert str(caught.value).startswith(f"{folder / 'en.json'}, line 3: is not valid JSON")


ODD: dict[str, dict[str, Any]] = {
    "no sentences": {"sentences": ...},
    "no breaks": {"sentence_breaks": ...},
    "fewer breaks than sentences": {"sentence_breaks": [[0, 9]]},
    "breaks without an end": {"sentence_breaks": [[0], [10], [23]]},
    "no context": {"context": ...},
    "no questions": {"qas": ...},
    "a question without an id": {"qas": [{"question": "q", "answers": [{"answer_start": 0}]}]},
    "a question without words": {"qas": [{"id": "a", "question": " ", "answers": [{"answer_start": 0}]}]},
    "a question without an answer": {"qas": [{"id": "a", "question": "q", "answers": []}]},
    "an answer that starts at a word": {
        "qas": [{"id": "a", "question": "q", "answers": [{"answer_start": "owls"}]}]
    },
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD.keys())
def test_a_file_in_another_form_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    odd = {name: value for name, value in {**OWLS, **changes}.items() if value is not ...}
    write(tmp_path, en=[[BREAD], [odd]])
    with pytest.raises(PanglotError) as caught:
        read_lareqa(tmp_path, "mine")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'en.json'}: ")
    assert "data.1.paragraphs.0" in message or "paragraph 2 has 3 sentences and 1 sentence_breaks" in message


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    for content in ("[]", "{}", '{"data": 3}', '"en"'):
        (tmp_path / "en.json").write_text(content)
        with pytest.raises(PanglotError, match=r"en\.json: .*(wrong|missing)"):
            read_lareqa(tmp_path, "mine")
    (tmp_path / "en.json").write_bytes('{"data": "größer"}'.encode("latin-1"))
    with pytest.raises(PanglotError, match=r"en\.json: is not UTF-8"):
        read_lareqa(tmp_path, "mine")


# queries and candidates a language (DESIGN.md)
XQUAD_R = {
    "ar": 1222,
    "de": 1276,
    "el": 1234,
    "en": 1180,
    "es": 1215,
    "hi": 1244,
    "ru": 1219,
    "th": 852,
    "tr": 1167,
    "vi": 1209,
    "zh": 1196,
}
MLQA_R = {
    "ar": (517, 2545),
    "de": (512, 2362),
    "en": (1148, 6264),
    "es": (500, 1787),
    "hi": (507, 2426),
    "vi": (511, 2828),
    "zh": (504, 2322),
}
COUNTS = {"xquad-r": {language: (1190, n) for language, n in XQUAD_R.items()}, "mlqa-r": MLQA_R}


def expected_judgements(folder: Path) -> Counter[tuple[str, str]]:
    """Count (question id, relevant sentence) over all query languages, by a search of its own."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.json")):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for part in article["paragraphs"]:
                starts = [start for start, _ in part["sentence_breaks"]]
                for question in part["qas"]:
                    at = bisect_right(starts, question["answers"][0]["answer_start"]) - 1
                    found.setdefault(question["id"], []).append(part["sentences"][at])
    return Counter((name, text) for name, texts in found.items() for text in texts for _ in texts)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_the_real_data_has_the_counts_of_the_design(shared_data: Path, name: str) -> None:
    folder = shared_data / "lareqa" / name
    benchmark = load_benchmark(name, folder)
    queries = Counter(benchmark.languages[k] for k in benchmark.queries.languages)
    passages = Counter(benchmark.languages[k] for k in benchmark.passages.languages)
    assert {language: (queries[language], passages[language]) for language in queries} == COUNTS[name]
    found: Counter[tuple[str, str]] = Counter()
    for q, p in zip(benchmark.judged_query.tolist(), benchmark.judged_passage.tolist(), strict=True):
        found[benchmark.queries.ids[q].split(":")[1], benchmark.passages.texts[p]] += 1
    assert found == expected_judgements(folder)
    if name == "xquad-r":  # every question, in every language, has an answer in every language
        assert found.total() == 1190 * 11 * 11
