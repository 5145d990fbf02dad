"""MTOP: translations of a request, and requests of the same intent."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_files import Judged, Sizes

from panglot.data.readers.parallel import read_mtop
from panglot.errors import PanglotError

Row = tuple[str, str, str]  # id, intent, utterance

TEST: dict[str, list[Row]] = {
    "en": [("7", "IN:CREATE_ALARM", "wake me at six"), ("8", "IN:PLAY_MUSIC", "play some jazz")],
    "de": [
        ("7", "IN:CREATE_ALARM", "weck mich um sechs"),
        ("8", "IN:PLAY_MUSIC", "spiel Jazz"),
        ("9", "IN:CREATE_ALARM", "weck mich um sechs"),  # reads the same as 7
    ],
    "fr": [("8", "IN:PLAY_MUSIC", "joue du jazz")],
}
DEV: dict[str, list[Row]] = {
    "en": [
        ("1", "IN:CREATE_ALARM", "alarm at noon"),
        ("2", "IN:CREATE_ALARM", "set an alarm"),
        ("3", "IN:SEND_MESSAGE", "text my aunt"),
    ],
    "de": [("1", "IN:CREATE_ALARM", "Wecker auf zwölf")],
    "fr": [("4", "IN:PLAY_MUSIC", "mets une chanson")],
}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """MTOP as it comes: a folder a language, eight columns divided by tabs, no heading."""
    for name, split in (("test", TEST), ("eval", DEV)):
        for language, rows in split.items():
            (tmp_path / language).mkdir(exist_ok=True)
            lines = [
                f"{id_}\t{intent}\t0:4:SL:X\t{text}\tmusic\t{language}_XX\t[{intent} {text} ]\t"
                + json.dumps({"tokens": text.split()})
                + "\n"
                for id_, intent, text in rows
            ]
            (tmp_path / language / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "README").write_text("-")
    return tmp_path


@pytest.fixture
def xsemplr(tmp_path: Path) -> Path:
    for name, split in (("test", TEST), ("dev", DEV)):
        entries: dict[str, dict[str, dict[str, str]]] = {}
        for language, rows in split.items():
            for id_, intent, text in rows:
                entry = entries.setdefault(id_, {"question": {}, "forms": {}})
                entry["question"][language] = text
                entry["forms"][language] = f"[{intent} [SL:X {text} ] ]"
        content = [
            {"id": id_, "mr": {"slot_intent": entry["forms"]}, "question": entry["question"]}
            for id_, entry in entries.items()
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    return tmp_path


@pytest.fixture(params=["official", "xsemplr"])
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def test_a_request_looks_for_its_translations_and_not_for_itself(folder: Path, judged: Judged) -> None:
    found = judged(read_mtop(folder))
    assert found["en:7"] == {"wake me at six": -1, "weck mich um sechs": 1}
    assert found["fr:8"] == {"joue du jazz": -1, "spiel Jazz": 1, "play some jazz": 1}
    # what reads the same is one passage; neither query may find it
    assert found["de:7"] == {"weck mich um sechs": -1, "wake me at six": 1}
    assert found["de:9"] == {"weck mich um sechs": -1}


def test_translations_of_a_request_are_one_item(folder: Path, sizes: Sizes) -> None:
    benchmark = read_mtop(folder)
    assert sizes(benchmark) == {"de": (3, 2), "en": (2, 2), "fr": (1, 1)}
    items = dict(zip(benchmark.queries.ids, benchmark.query_items.tolist(), strict=True))
    assert items["en:7"] == items["de:7"]
    assert items["en:8"] == items["de:8"] == items["fr:8"]
    assert len(set(items.values())) == 3


def test_a_request_looks_for_requests_of_its_intent(folder: Path, judged: Judged, sizes: Sizes) -> None:
    benchmark = read_mtop(folder, task="intent")
    assert sizes(benchmark) == {"de": (3, 1), "en": (2, 3), "fr": (1, 1)}
    alarms = {"Wecker auf zwölf": 1, "alarm at noon": 1, "set an alarm": 1}
    music = {"mets une chanson": 1}
    assert judged(benchmark) == {
        **{"de:7": alarms, "de:8": music, "de:9": alarms},
        **{"en:7": alarms, "en:8": music, "fr:8": music},
    }
    assert (np.diff(benchmark.judged_query) >= 0).all()


def test_languages_and_splits_can_be_chosen(folder: Path, judged: Judged, sizes: Sizes) -> None:
    assert read_mtop(folder, languages=["fr", "en"]).languages == ("en", "fr")
    turned = read_mtop(folder, split="dev", task="intent", candidates="test", languages=["en"])
    assert sizes(turned) == {"en": (3, 2)}
    assert judged(turned) == {"en:1": {"wake me at six": 1}, "en:2": {"wake me at six": 1}, "en:3": {}}


def test_wrong_choices_are_told(folder: Path) -> None:
    for options, message in [
        ({"languages": ["en"]}, "compares languages; name 2"),
        ({"languages": ["en", "ko"]}, "has no language 'ko'; choose among de, en, fr"),
        ({"split": "eval"}, "has no split 'eval'; it has test, dev, train"),
        ({"task": "slot"}, "has no task 'slot'; use utterance or intent"),
        ({"task": "intent", "candidates": "test"}, "both of 'test'; name two splits"),
        ({"split": "train"}, "holds no MTOP train data"),
    ]:
        with pytest.raises(PanglotError, match=message):
            read_mtop(folder, **options)  # type: ignore[arg-type]


def test_a_broken_line_is_named(official: Path) -> None:
    path = official / "de" / "test.txt"
    path.write_text(path.read_text(encoding="utf-8") + "10\tIN:GET_WEATHER\twie wird es\n", encoding="utf-8")
    with pytest.raises(PanglotError, match=r"test\.txt, line 4: has 3 columns"):
        read_mtop(official)
    path.write_bytes("7\tIN:A\t\tgrün\t\t\t\t\n".encode("latin-1"))
    with pytest.raises(PanglotError, match=r"test\.txt, line 1: is not UTF-8"):
        read_mtop(official)


def test_an_id_that_stands_twice_is_named(official: Path) -> None:
    path = official / "fr" / "test.txt"
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    with pytest.raises(PanglotError, match="id '8' occurs twice in 'fr'"):
        read_mtop(official)


def test_an_entry_in_another_form_is_numbered(xsemplr: Path) -> None:
    content = json.loads((xsemplr / "test.json").read_text(encoding="utf-8"))
    content[1]["mr"]["slot_intent"]["en"] = "play"
    (xsemplr / "test.json").write_text(json.dumps(content))
    with pytest.raises(PanglotError, match=r"test\.json: 1\.mr\.slot_intent\.en has no intent"):
        read_mtop(xsemplr)
    (xsemplr / "test.json").write_text('{"data": []}')
    with pytest.raises(PanglotError, match=r"test\.json: its content is wrong"):
        read_mtop(xsemplr)


@pytest.mark.shared
def test_the_real_data(shared_data: Path, sizes: Sizes) -> None:
    languages = ["de", "en", "es", "fr", "hi", "th"]
    utterances = read_mtop(shared_data / "mtop")
    assert {language: queries for language, (queries, _) in sizes(utterances).items()} == dict.fromkeys(
        languages, 1237
    )
    assert ((utterances.gains > 0).sum(), (utterances.gains < 0).sum()) == (1237 * 6 * 5, 1237 * 6)
    intents = read_mtop(shared_data / "mtop", task="intent")
    assert sizes(intents) == dict.fromkeys(languages, (1237, 859))
    # each request's intent is the same in all languages, so judgements are a square of one language's
    counts = {}
    for name in ("test", "dev"):
        forms = [
            entry["mr"]["slot_intent"]["en"].split()[0]
            for entry in json.loads((shared_data / "mtop" / f"{name}.json").read_text(encoding="utf-8"))
        ]
        counts[name] = {form: forms.count(form) for form in set(forms)}
    same = sum(n * counts["dev"].get(form, 0) for form, n in counts["test"].items())
    assert len(intents.gains) == 36 * same
