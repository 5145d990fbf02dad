"""The way of a user who has a hub: models, data and pairs from it, a model pushed to it, what goes wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from architectures import make_checkpoint
from loopback_hub import GONE, LoopbackHub, loopback_hub
from small_files import Content, as_bytes

from panglot import load_encoder
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import model_sha256

MODELS = ("xlm-roberta-base", "LaBSE", "mdeberta-v3-base", "bge-m3")
QUERIES, COLLECTION = "1\tq1\n2\tq2\n", "10\tp10\n11\tp11\n12\tp12\n"
NFCORPUS: dict[str, Content] = {
    "corpus.jsonl": [
        {"_id": "d1", "title": "Owls", "text": "They fly."},
        {"_id": "d2", "title": "", "text": "Bread."},
    ],
    "queries.jsonl": [{"_id": "q1", "text": "What flies?"}],
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
}
DATA: dict[str, Mapping[str, Content]] = {  # in the layouts of the hub's repositories
    "unicamp-dl/mmarco": {
        "data/triples.train.ids.small.tsv": "1\t10\t11\n2\t12\t11\n",
        **{
            f"data/google/{place}": text
            for language in ("german", "english")
            for place, text in (
                (f"queries/train/{language}_queries.train.tsv", QUERIES),
                (f"collections/{language}_collection.tsv", COLLECTION),
            )
        },
    },
    "castorini/mr-tydi": {
        "mrtydi-v1.1-swahili/train.jsonl.gz": [
            {
                "query_id": "7",
                "query": "Nani?",
                "positive_passages": [{"docid": "5#0", "title": "Mtu", "text": "Ni mimi."}],
                "negative_passages": [],
            }
        ]
    },
    "miracl/miracl": {
        "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv": "0\tNani huoka mkate?\n",
        "miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-dev.tsv": "0\tQ0\t1#0\t1\n",
    },
    "miracl/miracl-corpus": {
        f"miracl-corpus-v1.0-sw/docs-{k}.jsonl.gz": [{"docid": f"{k}#0", "title": "", "text": f"Mkate {k}."}]
        for k in range(3)
    },
    "clips/beir-nl-nfcorpus": NFCORPUS,
    "mteb/NFCorpus-PL": NFCORPUS,
    "facebook/belebele": {
        f"data/{code}_Latn.jsonl": [
            {
                "link": "https://w/Tea",
                "question_number": 1,
                "flores_passage": f"Tea ({code}).",
                "question": f"What ({code})?",
                **{f"mc_answer{k}": "x" for k in range(1, 5)},
                "correct_answer_num": "2",
                "dialect": f"{code}_Latn",
                "ds": "2023-05-03",
            }
        ]
        for code in ("deu", "eng")
    },
    "maker/terms": NFCORPUS,
    "clips/beir-nl-scifact": NFCORPUS,
}
ASKED = [
    *(("encoder", f"maker/{name}") for name in MODELS),
    ("data", "mmarco-train de en"),
    ("data", "mr-tydi-train sw"),
    ("data", "miracl sw"),
    ("data", "belebele de en"),
    ("data", "beir-nl-nfcorpus"),
    ("data", "beir-pl-nfcorpus"),
    ("pairs", "hf:maker/pairs"),
    ("push", "run"),
    ("encoder", "maker/gated"),
    ("reranker", "maker/gated"),
    ("translator", "maker/gated"),
    ("pairs", "hf:maker/terms"),
    ("data", "beir-nl-scifact"),
    ("encoder", "maker/unknown"),
    ("pairs", "hf:maker/unknown"),
    ("data", "beir-nl-nq"),
    ("encoder", f"maker/LaBSE {GONE}"),
    ("data", "mr-tydi-train ko"),
    ("encoder", "runs/seed-0"),
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("models")
    for name in MODELS:
        make_checkpoint(home / name, name)
    return home


@pytest.fixture(scope="module")
def hub(checkpoints: Path) -> Iterator[LoopbackHub]:
    with loopback_hub() as hub:
        for name in MODELS:
            hub.add(f"models/maker/{name}", checkpoints / name)
        for repo, files in DATA.items():
            hub.add(f"datasets/{repo}", {name: as_bytes(content, name) for name, content in files.items()})
        hub.add("models/maker/gated", {"config.json": b"{}"})
        hub.add("datasets/maker/pairs", {"train.jsonl": (SAMPLE_FOLDER / "train.jsonl").read_bytes()})
        hub.gated = {"models/maker/gated", "datasets/maker/terms", "datasets/clips/beir-nl-scifact"}
        hub.cuts = {"model.safetensors": 1, "data/google/collections/german_collection.tsv": 1}
        yield hub


def ask(hub: LoopbackHub, folder: Path, *asked: tuple[str, str], **more: str) -> list[Any]:
    """Do things in a process of its own, in a folder that has nothing but ``runs``."""
    (folder / "runs").mkdir()
    own = {**hub.environment(folder / "home"), "PANGLOT_CACHE": str(folder / "cache"), **more}
    tests = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("hub_user.py")), json.dumps(asked)],
        env={**os.environ, **own, "PYTHONPATH": tests},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def answers(hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    return dict(zip(ASKED, ask(hub, tmp_path_factory.mktemp("user"), *ASKED), strict=True))


Answers = dict[tuple[str, str], Any]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_hub_is_that_of_its_files(answers: Answers, checkpoints: Path, name: str) -> None:
    own = model_sha256(load_encoder(str(checkpoints / name), device="cpu"))
    assert answers["encoder", f"maker/{name}"] == own


@pytest.mark.slow
def test_data_in_the_layouts_of_the_hub_is_fetched_and_read(answers: Answers) -> None:
    found = {name.split()[0]: value for (_, name), value in answers.items() if isinstance(value, dict)}
    assert found["mmarco-train"] == {"languages": ["de", "en"], "pairs": 2}
    assert found["mr-tydi-train"] == {"languages": ["sw"], "pairs": 1}
    assert found["miracl"] == {"languages": ["sw"], "queries": 1, "passages": 3}
    assert found["belebele"] == {"languages": ["de", "en"], "queries": 2, "passages": 2}
    for code in ("nl", "pl"):
        assert found[f"beir-{code}-nfcorpus"] == {"languages": [code], "queries": 1, "passages": 2}


@pytest.mark.slow
def test_a_transfer_that_is_cut_is_asked_for_again(answers: Answers, hub: LoopbackHub) -> None:
    assert answers  # what came of it is right: see above
    assert set(hub.cuts.values()) == {0}
    paths = [asked.split()[1] for asked in hub.asked if asked.startswith("GET ")]
    assert sum(path.endswith("german_collection.tsv") for path in paths) == 2


@pytest.mark.slow
def test_a_model_trained_on_pairs_of_the_hub_and_pushed_is_loaded_by_others(answers: Answers) -> None:
    assert answers["pairs", "hf:maker/pairs"] == 48
    assert answers["push", "run"]["own"] == answers["push", "run"]["loaded"]


TERMS = "accept terms first; do so on the {}'s page of the hub, then run 'hf auth login'"
NOTHING = "the hub has no such {}, or it is private"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("encoder", "maker/gated"), TERMS.format("model")),
        (("reranker", "maker/gated"), TERMS.format("model")),
        (("translator", "maker/gated"), TERMS.format("model")),
        (("pairs", "hf:maker/terms"), TERMS.format("data set")),
        (("data", "beir-nl-scifact"), TERMS.format("data set")),
        (("encoder", "maker/unknown"), NOTHING.format("model")),
        (("pairs", "hf:maker/unknown"), NOTHING.format("data set")),
        (("data", "beir-nl-nq"), NOTHING.format("data set")),
        (("encoder", f"maker/LaBSE {GONE}"), "the hub does not have that revision"),
        (("data", "mr-tydi-train ko"), "the hub has no such file in that data set"),
        (("encoder", "runs/seed-0"), "'runs/seed-0' is not a model: there is no such folder"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_the_hub_refuses_is_one_sentence_with_a_fix(
    answers: Answers, asked: tuple[str, str], sentence: str
) -> None:
    assert sentence in answers[asked]
    assert "\n" not in answers[asked]


@pytest.mark.slow
def test_a_missing_folder_is_not_looked_up_on_the_hub(answers: Answers, hub: LoopbackHub) -> None:
    assert answers
    assert not [asked for asked in hub.asked if "seed-0" in asked]


@pytest.mark.slow
def test_offline_mode_is_named_where_it_is_the_cause(hub: LoopbackHub, tmp_path: Path) -> None:
    asked = [("encoder", "maker/LaBSE"), ("reranker", "maker/LaBSE"), ("pairs", "hf:maker/pairs")]
    for sentence in ask(hub, tmp_path, *asked, ("data", "mr-tydi-train sw"), HF_HUB_OFFLINE="1"):
        assert "HF_HUB_OFFLINE is set" in sentence
        assert "\n" not in sentence


@pytest.mark.slow
def test_no_answer_is_a_sentence(tmp_path: Path) -> None:
    nobody = LoopbackHub("http://127.0.0.1:9")
    for sentence in ask(nobody, tmp_path, ("encoder", "maker/LaBSE"), ("data", "mr-tydi-train sw")):
        assert "check the network and the proxy" in sentence
        assert "\n" not in sentence
