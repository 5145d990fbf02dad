"""Sentences translated into many languages, line by line: as bitexts with English, or all with all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from panglot.data.benchmark import Benchmark
from panglot.data.readers.parallel import ParallelTexts, bitext, checksum, counterparts
from panglot.data.readers.text_files import chosen_languages
from panglot.data.suite import Suite
from panglot.errors import PanglotError

Pairs = Literal["english", "all"]


def translation_retrieval(
    name: str,
    sentences: Mapping[str, Mapping[str, str]],
    paths: Mapping[str, Path],
    languages: Sequence[str],
    pairs: Pairs,
) -> Benchmark | Suite:
    """Make retrieval of translations.

    Args:
        name: of the benchmark.
        sentences: by language, the text of each sentence id.
        paths: by language, the file.
        languages: those wanted; ``english`` adds ``en``.
        pairs: ``english``, a suite of bitexts with English (accuracy in both directions, as for Tatoeba), or
            ``all``, one benchmark in which each sentence looks for its translations in every language.
    """
    if pairs == "all":
        parallel = ParallelTexts()
        for language in languages:
            for key, text in sentences[language].items():
                parallel.add(f"{language}:{key}", key, language, text)
        return counterparts(parallel, name, checksum([paths[one] for one in languages]), "sentence")
    if pairs != "english":
        raise PanglotError(f"{name} has no pairs '{pairs}'; use english or all.")
    english = sentences["en"]
    number = {key: k for k, key in enumerate(english)}
    parts = []
    for language in languages:
        if language == "en":
            continue
        keys = [key for key in english if key in sentences[language]]
        sides = [sentences[language][key] for key in keys], [english[key] for key in keys]
        items = np.array([number[key] for key in keys], np.int64)
        sha256 = checksum([paths[language], paths["en"]])
        parts.append(bitext(f"{language}-en", (language, "en"), sides, items, sha256))
    return Suite(name, tuple(parts), ("crosslingual",))


def wanted_languages(
    languages: Sequence[str] | None, available: Sequence[str], name: str, pairs: Pairs
) -> list[str]:
    """Return the languages to read, sorted: with English where the pairs are with it."""
    if "en" not in available and pairs == "english":
        raise PanglotError(f"{name} has no English file, which the pairs need; add it, or use pairs 'all'.")
    if languages is not None and pairs == "english":
        languages = sorted({*languages, "en"})
    return chosen_languages(languages, available, name, least=2)
