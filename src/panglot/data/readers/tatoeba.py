"""Tatoeba: up to 1,000 sentence pairs with English for each of 112 languages (LASER's selection).

Artetxe and Schwenk 2019, arXiv 1812.10464. Files: ``tatoeba.XXX-eng.XXX`` and ``tatoeba.XXX-eng.eng``, one
sentence a line, aligned; XXX is an ISO 639-3 code. The English sentences differ from pair to pair, so each
pair is a part of a suite, with pools of its own.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from panglot.data.readers.codes import bcp47, codes_of
from panglot.data.readers.lines import text_lines
from panglot.data.readers.parallel import bitext, checksum
from panglot.data.readers.text_files import chosen_languages, chosen_split
from panglot.data.suite import Suite
from panglot.errors import PanglotError

PLACES = ("v1", "data/tatoeba/v1", "tatoeba/v1", "")
# languages of mUSE; of XNLI, the other "14" of the literature; of XTREME (its utils_preprocess.py)
MUSE = "ara cmn deu fra ita jpn kor nld pol por rus spa tha tur"
XNLI = "ara bul cmn deu ell fra hin rus spa swh tha tur urd vie"
XTREME = (
    "afr ara ben bul cmn deu ell est eus fin fra heb hin hun ind ita jav jpn kat kaz kor mal mar nld pes por "
    "rus spa swh tam tel tgl tha tur urd vie"
)
# those of the 112 that LASER's README lists as trained on: 83, where LaBSE's paper counts 82 without a list
LASER = (
    "afr amh ara aze bel ben ber bos bre bul cat cbk ces cmn cor dan deu dtp ell epo est eus fin fra gle glg "
    "heb hin hrv hun hye ido ile ina ind isl ita jpn kab kat kaz khm kor kur kzj lat lfn lit lvs mal mar mhr "
    "mkd nds nld nob oci pes pol por ron rus slk slv spa sqi srp swe swh tam tat tel tgl tha tur uig ukr urd "
    "uzb vie wuu yue zsm"
)
GROUPS = {"muse-14": MUSE, "xnli-14": XNLI, "xtreme-36": XTREME, "laser-83": LASER}


def read_tatoeba(
    folder: str | Path,
    *,
    name: str = "tatoeba",
    languages: Sequence[str] | None = None,
    split: str | None = None,
) -> Suite:
    """Read Tatoeba as a suite of bitexts with English.

    Success@1 of a part in the cross-lingual setting is the accuracy that LASER and LaBSE report: the share of
    sentences whose nearest neighbour on the other side is their partner, averaged over both directions.
    The groups are those of the literature whose languages are all there.

    Args:
        folder: holds the files, directly or in ``v1``.
        name: of the suite.
        languages: those wanted beside English; None for all; or one name of a group (``xtreme-36``).
        split: there is one, ``test``.
    """
    folder = Path(folder)
    chosen_split(split, ("test",), name)
    found = [path for place in PLACES for path in sorted((folder / place).glob("tatoeba.*-eng.eng"))]
    files = {
        match[1]: path for path in found if (match := re.fullmatch(r"tatoeba\.(\w+)-eng\.eng", path.name))
    }
    if not files:
        raise PanglotError(
            f"{folder}: holds no Tatoeba files; it needs tatoeba.deu-eng.deu, tatoeba.deu-eng.eng, ..."
        )
    official = codes_of(files, str(folder))
    if languages is not None:
        named = [code for language in languages for code in _group(language)]
        languages = [language for language in named if language != "en"]
        if not languages:
            raise PanglotError(f"{name} pairs languages with English; name another one beside it.")
    chosen = chosen_languages(languages, list(official), name)
    item: dict[str, int] = {}
    parts = []
    for language in chosen:
        code = official[language]
        english_path = files[code]
        other_path = english_path.with_name(f"tatoeba.{code}-eng.{code}")
        if not other_path.exists():
            raise PanglotError(f"{other_path}: no such file; it goes with {english_path.name}.")
        sides = [aligned_lines(other_path), aligned_lines(english_path)]
        check_aligned(sides[1], sides[0], english_path, other_path)
        items = np.array([item.setdefault(sentence, len(item)) for sentence in sides[1]], np.int64)
        sha256 = checksum([other_path, english_path])
        parts.append(bitext(f"{language}-en", (language, "en"), (sides[0], sides[1]), items, sha256))
    groups = {group: tuple(f"{code}-en" for code in sorted(_group(group))) for group in GROUPS}
    names = {part.name for part in parts}
    whole = {group: members for group, members in groups.items() if names.issuperset(members)}
    return Suite(name, tuple(parts), ("crosslingual",), whole)


def _group(name: str) -> list[str]:
    """Return the languages of a group, or a language itself."""
    return [bcp47(code) for code in GROUPS[name].split()] if name in GROUPS else [name]


def aligned_lines(path: Path) -> list[str]:
    """Return the sentences of a file, one a line, or raise a ``PanglotError`` at an empty one."""
    lines = text_lines(path)
    if not lines:
        raise PanglotError(f"{path}: is empty; fetch the file again.")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise PanglotError(f"{path}, line {number}: is empty; each line needs a sentence.")
    return lines


def check_aligned(first: Sequence[str], second: Sequence[str], first_path: Path, second_path: Path) -> None:
    """Raise a ``PanglotError`` unless two files have as many sentences."""
    if len(first) != len(second):
        raise PanglotError(
            f"{second_path}: has {len(second)} lines, but {first_path.name} has {len(first)}; fetch both."
        )
