"""Benchmarks by name: an entry of the catalogue, the folder of its data, its reader."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from panglot.data.benchmark import Benchmark, benchmark_from_pairs
from panglot.data.catalogue.entry import PARALLEL, Entry, below, catalogue, entry_named, find_data, where_is
from panglot.data.pairs import load_pairs
from panglot.data.suite import Suite
from panglot.errors import PanglotError

LOG = logging.getLogger("panglot")
READERS = {
    "afriqa": "panglot.data.readers.questions:read_afriqa",
    "beir": "panglot.data.readers.beir:read_beir",
    "beir_parallel": "panglot.data.readers.beir:read_parallel_beir",
    "belebele": "panglot.data.readers.questions:read_belebele",
    "bitext": "panglot.data.readers.parallel:read_bitext",
    "lareqa": "panglot.data.readers.questions:read_lareqa",
    "mtop": "panglot.data.readers.parallel:read_mtop",
    "pairs": "panglot.data.catalogue.load:read_pairs_file",
    "sample": "panglot.data.benchmark:sample_benchmark",
    "squad": "panglot.data.readers.questions:read_squad",
    "table": "panglot.data.readers.parallel:read_table",
    "trec": "panglot.data.readers.trec:read_trec",
}
TRAINING = {
    "coco": "panglot.data.catalogue.training:coco_rows",
    "mfaq": "panglot.data.catalogue.training:mfaq_rows",
    "mmarco_train": "panglot.data.catalogue.training:mmarco_rows",
    "mr_tydi_train": "panglot.data.catalogue.training:mr_tydi_rows",
    "pairs_table": "panglot.data.catalogue.training:table_rows",
}
WRONG_OPTIONS = {
    "split": "benchmark '{name}' has one split; leave --split out.",
    "candidate_text": "benchmark '{name}' has one kind of candidate; leave --candidate-text out.",
    "columns": "--column is for --benchmark pairs and squad alone; leave it out.",
    "every_item": "--every-item is for --benchmark pairs alone; leave it out.",
}


def load_benchmark(
    name: str,
    data: str | Path | None = None,
    candidate_text: str | None = None,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    **options: Any,
) -> Benchmark:
    """Load a benchmark by name.

    Args:
        name: one of ``panglot data list``: ``sample`` (bundled), ``xquad-r``, ``miracl``, ``nfcorpus``, ...,
            or ``pairs`` (any file of parallel pairs: each query looks for its passage).
        data: the folder or file; without it, the folders of ``PANGLOT_DATA`` and the cache are searched.
        candidate_text: LAReQA only: ``sentence`` (the default) or ``sentence+context``.
        languages: only queries and passages in these; the files of others are not read.
        split: of the official ones; the default is that on which figures are published.
        options: further ones of the reader, in place of the entry's.

    Raises:
        PanglotError: an unknown name, data that is missing or broken, or a set of several benchmarks
            (``load_data`` gives those).
    """
    loaded = load_data(name, data, candidate_text, languages, split, **options)
    if not isinstance(loaded, Benchmark):
        raise PanglotError(f"'{name}' is a suite of benchmarks with pools of their own; load it as one.")
    return loaded


def load_data(
    name: str,
    data: str | Path | None = None,
    candidate_text: str | None = None,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    **options: Any,
) -> Benchmark | Suite:
    """Load a benchmark by name, or a suite of benchmarks (Tatoeba's language pairs, CQADupStack's forums).

    Arguments and errors as in ``load_benchmark``.
    """
    entry = entry_named(name)
    if entry.reader == "beir_parallel" and ":" in name:
        return _parallel(name, data, languages, split, options)
    if entry.kind == "encoder":
        raise PanglotError(f"'{name}' is an encoder; name it as the model.")
    if entry.reader in TRAINING:
        raise PanglotError(
            f"'{name}' is for training and has no judgements to measure a model on; name a benchmark of "
            "'panglot data list'."
        )
    reader = reader_of(entry)
    given = {"candidate_text": candidate_text, "split": split}
    options = {key: value for key, value in given.items() if value is not None} | options
    taken = set(inspect.signature(reader).parameters)
    _check_options(name, options, taken)
    if languages is not None and "languages" in taken:
        options["languages"] = list(languages)
    folder: tuple[Any, ...] = () if entry.reader == "sample" else (find_data(entry, data),)
    named = {"name": name} if "name" in taken else {}
    loaded: Benchmark | Suite = reader(*folder, **named, **{**entry.layout, **entry.options, **options})
    if languages is not None and "languages" not in taken:
        return loaded.restrict(languages)
    return loaded


def _parallel(
    name: str,
    data: str | Path | None,
    languages: Sequence[str] | None,
    split: str | None,
    options: Mapping[str, Any],
) -> Benchmark:
    """Read a set of BEIR together with its translations, as far as they are on this machine."""
    _check_options(name, dict(options), {"exclude_own_id"})
    member = name.partition(":")[2]
    every = (entry for entry in catalogue().values() if entry.reader == "beir")
    sets = [e for e in every if e.name in (member, f"{e.family}-{member}")]
    if not sets:
        raise PanglotError(f"'{member}' is not a set of BEIR; see panglot data list.")
    wanted = [e for e in sets if languages is None or e.languages[0] in languages]
    places = [(e, where_is(e) if data is None else below(e, Path(data))) for e in wanted]
    found = {e.languages[0]: place for e, place in places if place is not None}
    if len(found) < 2:
        missing = " ".join(e.name for e, place in places if place is None)
        raise PanglotError(
            f"'{name}' needs {member} in two languages or more, and {len(found)} is here; fetch others with "
            f"'panglot data get {missing}'."
        )
    reader = reader_of(catalogue()[PARALLEL])
    own = any(e.options.get("exclude_own_id") for e in sets)
    made: Benchmark = reader(found, name=name, split=split, **{"exclude_own_id": own, **options})
    return made


def reader_of(entry: Entry) -> Callable[..., Any]:
    """Return an entry's reader; its module is imported only now."""
    module, function = (READERS | TRAINING)[entry.reader].split(":")
    reader: Callable[..., Any] = getattr(import_module(module), function)
    return reader


def _check_options(name: str, options: dict[str, Any], taken: set[str]) -> None:
    for option in options:
        if option not in taken:
            sentence = WRONG_OPTIONS.get(option, "benchmark '{name}' has no option '{option}'.")
            raise PanglotError(sentence.format(name=name, option=option))


def read_pairs_file(
    path: str | Path, *, columns: Mapping[str, str] | None = None, every_item: bool = False
) -> Benchmark:
    """Return a file of parallel pairs as a benchmark; see ``load_pairs`` and ``benchmark_from_pairs``."""
    pairs = load_pairs(path, columns=columns)
    benchmark = benchmark_from_pairs(pairs, every_item=every_item)
    kept = len(np.unique(benchmark.query_items))
    if kept < len(pairs):
        LOG.warning(
            "%s: %s of %s items share a passage id with another one and are left out; "
            "--every-item keeps them.",
            path,
            f"{len(pairs) - kept:,}",
            f"{len(pairs):,}",
        )
    return benchmark
