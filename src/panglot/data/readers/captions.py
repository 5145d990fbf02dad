"""Captions of images: a caption looks for the other captions of its image.

XM3600 (Thapliyal et al. 2022, arXiv 2205.12522): ``captions.jsonl``, one image a line, or the official
``captions.zip`` that holds it. xFlickrCO (Bugliarello et al. 2022, arXiv 2201.11732): one image a line in
``LANGUAGE/test.jsonl``.

Roles: the first caption of an image in a language is a query there; every caption is a passage; a query's own
text is left out of its pool. So the monolingual setting finds *another* caption of the image, and is null
where languages have one caption an image (xFlickrCO); the others find captions of the image in one other
language, or in all. Captions of one image are counterparts, not translations: they may tell different things.
"""

from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.parallel import ParallelTexts, checksum, counterparts
from panglot.data.readers.text_files import (
    chosen_languages,
    chosen_split,
    first_existing,
    json_objects,
    text_of,
)
from panglot.errors import PanglotError
from panglot.languages import is_language
from panglot.parse import validated


def read_xm3600(
    folder: str | Path,
    *,
    name: str = "xm3600",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    every_caption: bool = False,
) -> Benchmark:
    """Read Crossmodal-3600: 3,600 images, about two captions each in 36 languages.

    Args:
        folder: holds ``captions.jsonl`` or ``captions.zip``.
        name: of the benchmark.
        languages: those wanted; None for all.
        split: there is one, ``test``.
        every_caption: every caption is a query, not the first of each image and language only.
    """
    folder = Path(folder)
    chosen_split(split, ("test",), name)
    path = first_existing(folder, ("captions.jsonl", "captions.zip"), "captions of XM3600")
    rows = json_objects(path, "captions.jsonl" if path.suffix == ".zip" else None)
    found: dict[str, None] = {}
    for _, row in rows:
        found.update(dict.fromkeys(key for key in row if isinstance(row[key], dict) and is_language(key)))
    chosen = chosen_languages(languages, list(found), name)
    seen: set[str] = set()
    parallel = ParallelTexts()
    for number, row in rows:
        image = text_of(row, "image/key", path, number)
        if image in seen:
            raise PanglotError(f"{path}, line {number}: image '{image}' occurs twice; fetch the file again.")
        seen.add(image)
        for language in chosen:
            of_language = row.get(language, {"caption": []})
            captions = of_language.get("caption") if isinstance(of_language, dict) else None
            _add(parallel, image, language, captions, f"{path}, line {number}", every_caption)
    return counterparts(parallel, name, checksum([path]), "caption")


def read_xflickrco(
    folder: str | Path,
    *,
    name: str = "xflickrco",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    every_caption: bool = False,
) -> Benchmark:
    """Read xFlickrCO of IGLUE: 2,000 images with a caption each in eight languages.

    Args:
        folder: holds ``LANGUAGE/test.jsonl``, directly or in ``annotations``.
        name: of the benchmark.
        languages: those wanted; None for all.
        split: there is one, ``test``.
        every_caption: every caption is a query, not the first of each image and language only.
    """
    folder = Path(folder)
    split = chosen_split(split, ("test",), name)
    found = {
        path.parent.name: path
        for place in (folder / "annotations", folder)
        for path in sorted(place.glob(f"*/{split}.jsonl"))
        if is_language(path.parent.name)
    }
    if not found:
        raise PanglotError(
            f"{folder}: holds no captions of xFlickrCO; it needs annotations/en/test.jsonl, ..."
        )
    chosen = chosen_languages(languages, list(found), name)
    parallel = ParallelTexts()
    for language in chosen:
        path = found[language]
        seen: set[str] = set()
        for number, row in json_objects(path):
            image = text_of(row, "id", path, number)
            if image in seen:
                raise PanglotError(f"{path}, line {number}: image '{image}' occurs twice; fetch it again.")
            seen.add(image)
            _add(parallel, image, language, row.get("sentences"), f"{path}, line {number}", every_caption)
    return counterparts(parallel, name, checksum([found[language] for language in chosen]), "caption")


def _add(
    parallel: ParallelTexts, image: str, language: str, captions: object, where: str, every_caption: bool
) -> None:
    texts = validated(list[str], captions, f"{where}, captions in '{language}'", fix="fetch the file again")
    # a few images of xFlickrCO have an empty caption: there is none
    for position, caption in enumerate([caption for caption in texts if caption.strip()]):
        is_query = every_caption or position == 0
        parallel.add(f"{language}:{image}:{position}", image, language, caption, is_query)
