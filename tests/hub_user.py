"""Run by test_hub.py in a process of its own: the hub's client reads the hub's address when it is imported.

It does what a person with a hub does, and prints what came of it as JSON.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import still_gc  # noqa: F401  # before what takes long to import

from panglot import PanglotError, load_benchmark, load_encoder, load_pairs, train
from panglot.data.catalogue import entry_named
from panglot.data.catalogue.training import training_pairs
from panglot.data.fetch import get_data
from panglot.data.suite import as_benchmark
from panglot.encoders import load_reranker, model_sha256
from panglot.report.export import push_model
from panglot.translate import load_translator


def outcome(call: Callable[[str], Any], name: str) -> Any:
    """Return what a call returns, or the sentence of its ``PanglotError``."""
    try:
        return call(name)
    except PanglotError as error:
        return str(error)


def checksum(name_and_revision: str) -> str:
    name, _, revision = name_and_revision.partition(" ")
    return model_sha256(load_encoder(name, revision=revision or None, device="cpu"))


def fetched(name_and_languages: str) -> Any:
    """Fetch a data set of the catalogue and read it; the files are small ones, so their checksums differ."""
    name, _, languages = name_and_languages.partition(" ")
    entry = entry_named(name)
    with mock.patch("panglot.data.fetch.get.verify"), mock.patch("panglot.data.fetch.web.verify"):
        get_data(entry, languages=languages.split() or None)
    if entry.kind == "pairs":
        pairs = training_pairs(name)
        return {"languages": pairs.languages, "pairs": len(pairs)}
    found = as_benchmark(load_benchmark(name))
    return {"languages": found.languages, "queries": len(found.queries), "passages": len(found.passages)}


def pushed(folder: Path) -> dict[str, Any]:
    """Train a model of the hub on pairs of the hub, push it, and load it as anybody would."""
    model = load_encoder("maker/LaBSE", device="cpu")
    train(model, [load_pairs("hf:maker/pairs")], folder, batch_size=4, steps=1, progress=False)
    push_model(folder, "me/hybrid")
    return {"own": model_sha256(model), "loaded": checksum("me/hybrid")}


def main() -> None:
    asked = json.loads(sys.argv[1])
    calls: dict[str, Callable[[str], Any]] = {
        "encoder": checksum,
        "reranker": lambda name: load_reranker(name) and "loaded",
        "translator": load_translator,
        "data": fetched,
        "pairs": lambda name: len(load_pairs(name)),
        "push": lambda name: pushed(Path(name)),
    }
    print(json.dumps([outcome(calls[what], name) for what, name in asked]))


if __name__ == "__main__":
    main()
