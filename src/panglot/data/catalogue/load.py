"""Benchmarks by name: an entry of the catalogue, the folder of its data, its reader."""

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from panglot.data.benchmark import Benchmark
from panglot.data.catalogue.entry import Entry, entry_named
from panglot.data.catalogue.find import find_data
from panglot.data.readers.lareqa import CandidateText
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from panglot.data.suite import Suite

READERS = {
    "afriqa": "panglot.data.readers.afriqa:read_afriqa",
    "arcd": "panglot.data.readers.squad:read_arcd",
    "beir": "panglot.data.readers.beir:read_beir",
    "belebele": "panglot.data.readers.belebele:read_belebele",
    "ciral": "panglot.data.readers.ciral:read_ciral",
    "cmrc2018": "panglot.data.readers.squad:read_cmrc2018",
    "flores": "panglot.data.readers.flores:read_flores",
    "iapp": "panglot.data.readers.squad:read_iapp",
    "lareqa": "panglot.data.readers.lareqa:read_lareqa",
    "miracl": "panglot.data.readers.miracl:read_miracl",
    "mkqa": "panglot.data.readers.mkqa:read_mkqa",
    "mmarco": "panglot.data.readers.mmarco:read_mmarco",
    "mr_tydi": "panglot.data.readers.mr_tydi:read_mr_tydi",
    "mtop": "panglot.data.readers.mtop:read_mtop",
    "neuclir": "panglot.data.readers.neuclir:read_neuclir",
    "ntrex": "panglot.data.readers.ntrex:read_ntrex",
    "pairs": "panglot.data.catalogue.bundled:read_pairs_file",
    "sample": "panglot.data.catalogue.bundled:read_sample",
    "squad": "panglot.data.readers.squad:read_squad",
    "tatoeba": "panglot.data.readers.tatoeba:read_tatoeba",
    "xflickrco": "panglot.data.readers.captions:read_xflickrco",
    "xm3600": "panglot.data.readers.captions:read_xm3600",
}
TRAINING = {
    "mfaq": "panglot.data.catalogue.training:mfaq_rows",
    "mmarco_train": "panglot.data.catalogue.training:mmarco_rows",
    "mr_tydi_train": "panglot.data.catalogue.training:mr_tydi_rows",
}
OPTION_WORDS = {"split": "split", "candidate_text": "kind of candidate"}
PAIRS_FLAGS = {"columns": "--column", "every_item": "--every-item"}


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
) -> "Benchmark | Suite":
    """Load a benchmark by name, or a suite of benchmarks (Tatoeba's language pairs, CQADupStack's forums).

    Arguments and errors as in ``load_benchmark``.
    """
    entry = entry_named(name)
    if entry.reader in TRAINING:
        raise PanglotError(f"'{name}' is for training; it has no judgements to measure a model on.")
    reader = reader_of(entry)
    given = {"candidate_text": candidate_text, "split": split}
    options = {key: value for key, value in given.items() if value is not None} | options
    taken = _options_of(reader)
    _check_options(name, options, taken)
    if (
        candidate_text is not None
        and entry.reader == "lareqa"
        and candidate_text not in get_args(CandidateText)
    ):
        kinds = " or ".join(get_args(CandidateText))
        raise PanglotError(f"'{candidate_text}' is not a candidate text; use {kinds}.")
    if languages is not None and "languages" in taken:
        options["languages"] = list(languages)
    folder = () if entry.reader == "sample" else (find_data(entry, data),)
    named = {"name": name} if "name" in taken else {}
    loaded: Benchmark | Suite = reader(*folder, **named, **{**entry.options, **options})
    if languages is not None and "languages" not in taken:
        return loaded.restrict(languages)
    return loaded


def reader_of(entry: Entry) -> Callable[..., Any]:
    """Return an entry's reader; its module is imported only now."""
    module, function = (READERS | TRAINING)[entry.reader].split(":")
    reader: Callable[..., Any] = getattr(import_module(module), function)
    return reader


def _options_of(reader: Callable[..., Any]) -> set[str]:
    """Return the names of a reader's arguments; those of ``read_squad`` for the readers made of it."""
    parameters = inspect.signature(reader).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        parameters = inspect.signature(import_module(reader.__module__).read_squad).parameters
    return set(parameters)


def _check_options(name: str, options: dict[str, Any], taken: set[str]) -> None:
    for option in options:
        if option not in taken:
            if option in OPTION_WORDS:
                flag = "--" + option.replace("_", "-")
                raise PanglotError(f"benchmark '{name}' has one {OPTION_WORDS[option]}; leave {flag} out.")
            if option in PAIRS_FLAGS:
                raise PanglotError(f"{PAIRS_FLAGS[option]} is for --benchmark pairs alone; leave it out.")
            raise PanglotError(f"benchmark '{name}' has no option '{option}'.")
