"""FLORES+ and FLORES-200: 997 (dev) and 1,012 (devtest) sentences in over 200 languages.

NLLB Team 2022, arXiv 2207.04672. Layouts, by file: ``devtest/eng_Latn.parquet`` or ``.jsonl`` (FLORES+ on the
hub: columns ``id`` and ``text``), ``devtest/devtest.eng_Latn`` (FLORES+ as it is released) and
``devtest/eng_Latn.devtest`` (FLORES-200): one sentence a line, aligned.
"""

from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.codes import codes_of
from panglot.data.readers.lines import parquet_rows
from panglot.data.readers.tatoeba import aligned_lines, check_aligned
from panglot.data.readers.text_files import chosen_split, json_objects
from panglot.data.readers.translations import Pairs, translation_retrieval, wanted_languages
from panglot.data.suite import Suite
from panglot.errors import PanglotError

SPLITS = ("devtest", "dev")
PLACES = ("", "flores200_dataset", "data")


def read_flores(
    folder: str | Path,
    *,
    name: str = "flores-plus",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    pairs: Pairs = "english",
) -> Benchmark | Suite:
    """Read FLORES+ or FLORES-200 as retrieval of translations.

    Args:
        folder: holds ``dev`` and ``devtest``, directly or in ``flores200_dataset``.
        name: of the benchmark.
        languages: those wanted; None for all.
        split: ``devtest`` (the default) or ``dev``.
        pairs: ``english`` (a suite of bitexts) or ``all``; see ``translation_retrieval``.
    """
    folder = Path(folder)
    split = chosen_split(split, SPLITS, name)
    by_code: dict[str, Path] = {}
    for place in PLACES:
        for path in sorted((folder / place / split).glob("*")):
            code = _code(path, split)
            if code is not None:
                by_code.setdefault(code, path)
    if not by_code:
        raise PanglotError(
            f"{folder}: holds no FLORES files; it needs {split}/eng_Latn.parquet (or .jsonl, .{split}), ..."
        )
    official = codes_of(by_code, str(folder / split))
    chosen = wanted_languages(languages, list(official), name, pairs)
    paths = {language: by_code[official[language]] for language in chosen}
    sentences = {language: _sentences(path) for language, path in paths.items()}
    first = "en" if "en" in sentences else chosen[0]
    for language in chosen:
        check_aligned(list(sentences[first]), list(sentences[language]), paths[first], paths[language])
    return translation_retrieval(name, sentences, paths, chosen, pairs)


def _code(path: Path, split: str) -> str | None:
    """Return the language of a file, as FLORES writes it, or None."""
    if path.suffix in (".parquet", ".jsonl", f".{split}"):
        code = path.stem
    elif path.name.startswith(f"{split}."):
        code = path.name.removeprefix(f"{split}.")
    else:
        return None
    return code if "_" in code else None


def _sentences(path: Path) -> dict[str, str]:
    if path.suffix == ".parquet":
        rows = list(parquet_rows(path, ("id", "text")))
    elif path.suffix == ".jsonl":
        rows = json_objects(path)
    else:
        return {str(number): text for number, text in enumerate(aligned_lines(path))}
    found: dict[str, str] = {}
    for number, row in rows:
        key, text = row.get("id"), row.get("text")
        if key is None or not isinstance(text, str) or not text.strip() or str(key) in found:
            raise PanglotError(
                f"{path}, row {number}: needs an 'id' of its own and a 'text'; fetch the file again."
            )
        found[str(key)] = text
    return found
