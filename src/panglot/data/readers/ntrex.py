"""NTREX-128: 1,997 sentences of English news in 128 languages (Federmann, Kocmi and Xin 2022).

Files, in ``NTREX-128`` or the folder itself: ``newstest2019-src.eng.txt`` and ``newstest2019-ref.XXX.txt``,
one sentence a line, aligned; XXX is an ISO 639-3 code, with a script or region where a language has several.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.codes import codes_of
from panglot.data.readers.tatoeba import aligned_lines, check_aligned
from panglot.data.readers.text_files import chosen_split
from panglot.data.readers.translations import Pairs, translation_retrieval, wanted_languages
from panglot.data.suite import Suite
from panglot.errors import PanglotError


def read_ntrex(
    folder: str | Path,
    *,
    name: str = "ntrex-128",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    pairs: Pairs = "english",
) -> Benchmark | Suite:
    """Read NTREX-128 as retrieval of translations.

    Args:
        folder: holds ``newstest2019-*.txt``, directly or in ``NTREX-128``.
        name: of the benchmark.
        languages: those wanted; None for all.
        split: there is one, ``test``.
        pairs: ``english`` (a suite of bitexts) or ``all``; see ``translation_retrieval``.
    """
    folder = Path(folder)
    chosen_split(split, ("test",), name)
    found = sorted([*folder.glob("NTREX-128/newstest2019-*.txt"), *folder.glob("newstest2019-*.txt")])
    pattern = r"newstest2019-(?:ref\.(?P<ref>[\w-]+)|src\.(?P<src>eng))\.txt"
    matches = {path: match for path in found if (match := re.fullmatch(pattern, path.name))}
    if not matches:
        raise PanglotError(
            f"{folder}: holds no NTREX files; it needs newstest2019-src.eng.txt, newstest2019-ref.XXX.txt"
        )
    by_code = {match["ref"] or match["src"]: path for path, match in matches.items()}
    official = codes_of(by_code, str(folder))
    chosen = wanted_languages(languages, list(official), name, pairs)
    paths = {language: by_code[official[language]] for language in chosen}
    lines = {language: aligned_lines(path) for language, path in paths.items()}
    first = "en" if "en" in lines else chosen[0]
    for language in chosen:
        check_aligned(lines[first], lines[language], paths[first], paths[language])
    width = len(str(len(lines[first])))
    sentences = {
        language: {f"{number:0{width}d}": text for number, text in enumerate(texts, 1)}
        for language, texts in lines.items()
    }
    return translation_retrieval(name, sentences, paths, chosen, pairs)
