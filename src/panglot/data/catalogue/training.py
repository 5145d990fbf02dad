"""Training sets of the catalogue as parallel pairs, made once from their official files.

The rows of the official files are streamed into a Parquet file in the cache, which is then read like a
person's own pairs: memory stays flat whatever their number. (mMARCO's passages are looked up by their line.)
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from panglot.data.catalogue.entry import catalogue, entry_named, find_data
from panglot.data.catalogue.load import TRAINING, reader_of
from panglot.data.pairs import ParallelPairs, load_pairs
from panglot.data.pairs_files.columns import SCHEMA, Columns, refuse_columns
from panglot.data.pairs_files.hub import is_hub_source
from panglot.data.pairs_files.read import BATCH, SAMPLE, no_such_source
from panglot.data.readers.collection import passage_rows
from panglot.data.readers.files import (
    field,
    files_by_language,
    files_of,
    json_lines,
    named,
    numbered_lines,
    parquet_rows,
)
from panglot.data.readers.questions import folder_pairs
from panglot.errors import PanglotError, leave_out
from panglot.files import atomic_write, cache_folder, identity, sha256_of
from panglot.languages import check_among, check_language

Row = dict[str, Any]
VERSION = 2


def is_training_set(name: str) -> bool:
    """Say whether a name is that of a training set of the catalogue."""
    entry = catalogue().get(name)
    return entry is not None and entry.reader in TRAINING


def is_benchmark(name: str) -> bool:
    """Say whether a name is that of a benchmark of the catalogue, other than the bundled sample."""
    entry = catalogue().get(name)
    return entry is not None and entry.reader not in TRAINING and name != SAMPLE


def check_source(source: str) -> None:
    """Raise a ``PanglotError`` unless a source of pairs is there.

    It is a file, a folder, a training set, a data set of the hub, or the sample.
    """
    if not (is_hub_source(source) or source == SAMPLE or is_training_set(source) or Path(source).exists()):
        raise no_such_source(source)


def load_source(source: str | Path, columns: Columns | None = None) -> ParallelPairs:
    """Load training pairs.

    Args:
        source: a file, a data set of the hub (``hf:owner/name#split``), a training set of the catalogue by
            name, or a folder of LAReQA (its questions and answer sentences) or of SQuAD's format.
        columns: see ``load_pairs``; training sets and LAReQA take none.
    """
    made = made_pairs(source, columns)
    return load_pairs(source, columns=columns) if made is None else made


def made_pairs(source: str | Path, columns: Columns | None = None) -> ParallelPairs | None:
    """Return the pairs of a folder or a training set; None where a source's rows are pairs already."""
    path = Path(source)
    if not is_hub_source(source) and path.is_dir():
        return folder_pairs(path, columns)
    if is_training_set(str(source)) and not path.exists():
        refuse_columns(columns, source)
        return training_pairs(str(source))
    return None


def training_pairs(
    name: str, data: str | Path | None = None, languages: Sequence[str] | None = None
) -> ParallelPairs:
    """Load a training set of the catalogue (``mfaq``, ``coco-35l``, ``mmarco-train``) as parallel pairs.

    Args:
        name: of the entry.
        data: its folder; without it, ``PANGLOT_DATA`` and the cache are searched.
        languages: only these; None for all that are there.

    Raises:
        PanglotError: no such set, or data that is missing or broken.
    """
    entry = entry_named(name)
    if entry.reader not in TRAINING:
        raise PanglotError(
            f"'{name}' is not a training set of the catalogue; see 'panglot data list --kind pairs'."
        )
    folder = find_data(entry, data)
    check_among(languages or (), entry.languages, name)
    chosen = sorted(languages) if languages else list(entry.languages)
    files = [identity(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    key = sha256_of(json.dumps([VERSION, chosen, files]))
    path = cache_folder() / "training" / f"{name}-{key[:16]}.parquet"
    if not path.exists():
        rows = reader_of(entry)(folder, chosen, **entry.layout)
        with atomic_write(path) as part, pq.ParquetWriter(part, SCHEMA) as writer:
            count = 0
            while batch := list(islice(rows, BATCH)):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
                count += len(batch)
            if not count:
                raise PanglotError(f"{folder}: holds no pairs of {name} in {', '.join(chosen)}.")
    return load_pairs(path, name)


def mr_tydi_rows(folder: Path, languages: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each question of Mr. TyDi's training part: its first passage, and its negatives."""
    files = files_by_language(folder, ["mrtydi-v1.1-{code}/train.jsonl*"])
    for language, path in ((code, path) for code in languages for path in files.get(code, ())):
        for number, line in json_lines(path):
            positive = _list(path, number, line, "positive_passages")
            passages = [_titled(path, number, one) for one in positive]
            if not passages:
                continue
            label = f"{language}:{named(path, number, line, 'query_id')}"
            yield {
                "item_id": label,
                "passage_id": f"{language}:{positive[0].get('docid') or label}",
                "language": language,
                "query": field(path, number, line, "query"),
                "passage": passages[0],
                "negatives": [_titled(path, number, one) for one in line.get("negative_passages") or ()],
            }


def mfaq_rows(folder: Path, languages: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each question of MFAQ's pages; the page is the document."""
    files = files_by_language(folder, ["data/{code}/train.jsonl*"])
    for language, path in ((code, path) for code in languages for path in files.get(code, ())):
        for number, page in json_lines(path):
            document = f"{language}:{page.get('id', number)}"
            for position, pair in enumerate(_list(path, number, page, "qa_pairs")):
                question, answer = pair.get("question"), pair.get("answer")
                if not isinstance(question, str) or not isinstance(answer, str):
                    raise PanglotError(f"{path}, line {number}: a pair has no question or no answer.")
                if question.strip() and answer.strip():
                    yield {
                        "item_id": f"{document}:{position}",
                        "document_id": document,
                        "language": language,
                        "query": question,
                        "passage": answer,
                    }


def coco_rows(folder: Path, languages: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each caption of COCO-35L: it looks for the next caption of its image in its language.

    The image is the passage's id and the document, so captions of one image are never each other's negatives.
    Equal captions of an image are one. Lines may come in any order: they are read once, put into a file a
    language, and held for one language at a time.
    """
    with ExitStack() as stack:
        parts = {
            code: stack.enter_context(TemporaryFile("w+", encoding="utf-8", dir=cache_folder()))
            for code in languages
        }
        for path in files_of(folder, "coco_mt_train.jsonl*")[:1]:  # the other is the same, packed
            for code, caption in _coco_captions(path, languages):
                parts[code].write(json.dumps(caption) + "\n")
        alone = 0
        for code, part in parts.items():
            part.seek(0)
            images: dict[str, dict[str, str]] = {}
            for image, label, text in map(json.loads, part):
                captions = images.setdefault(image, {})
                if text not in captions.values():
                    captions.setdefault(label, text)
            for image, captions in images.items():
                labels = sorted(captions)
                alone += len(labels) == 1
                for label, following in zip(labels, labels[1:] + labels[:1], strict=True):
                    if label != following:
                        yield {
                            "item_id": label,
                            "passage_id": image,
                            "language": code,
                            "query": captions[label],
                            "passage": captions[following],
                        }
    if alone:
        leave_out(f"{folder}: {alone:,} images have one caption in a language and are left out there.")


def _coco_captions(path: Path, languages: Sequence[str]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield language, and image, id and text, of each translation; and of each original once."""
    seen = set()
    for number, line in json_lines(path):
        label = named(path, number, line, "image_id")
        image = label.rpartition("_")[0]
        if not image:
            raise PanglotError(
                f"{path}, line {number}: image_id '{label}' is not IMAGE_NUMBER; fetch the official file."
            )
        texts = {"trg_lang": "translation_tokenized"}
        if label not in seen:  # the original is repeated beside each translation
            seen.add(label)
            texts["src_lang"] = "caption_tokenized"
        for of_language, of_text in texts.items():
            code = check_language(named(path, number, line, of_language), f"{path}, line {number}")
            if (text := field(path, number, line, of_text).strip()) and code in languages:
                yield code, (image, label, text)


def mmarco_rows(folder: Path, languages: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each question and relevant passage of mMARCO's triples, in each language.

    Triples repeat these pairs with other negatives, 75 times on average; the first negative is kept. Texts
    are held for one language at a time.
    """
    triples: dict[str, dict[str, str]] = {}  # negative by question and passage
    for path in sorted(folder.glob("**/triples.train.ids.small.tsv")):
        for number, line in numbered_lines(path):
            parts = line.split("\t")
            if len(parts) != 3:
                raise PanglotError(f"{path}, line {number}: needs three ids between tabs; fetch it again.")
            triples.setdefault(parts[0], {}).setdefault(parts[1], parts[2])
    wanted = {passage for found in triples.values() for pair in found.items() for passage in pair}
    queries = files_by_language(folder, ["**/google/queries/train/{code}_queries.train.tsv"])
    collections = files_by_language(folder, ["**/google/collections/{code}_collection.tsv"])
    for language in languages:
        for path in queries.get(language, ()):
            if language not in collections:
                raise PanglotError(
                    f"{folder}: lacks google/collections/LANGUAGE_collection.tsv, the passages in {language}."
                )
            rows = passage_rows(collections[language][0])
            passages = {label: text for _, label, _, text in rows if label in wanted}
            for _, label, _, query in passage_rows(path):
                for position, (passage, negative) in enumerate(triples.get(label, {}).items()):
                    if passage in passages and query.strip():
                        yield {
                            "item_id": f"{label}:{passage}" if position else label,
                            "passage_id": passage,
                            "language": language,
                            "query": query,
                            "passage": passages[passage],
                            "negatives": [passages[negative]] if negative in passages else [],
                        }


def table_rows(
    folder: Path,
    languages: Sequence[str],
    *,
    files: Sequence[str],
    query: str,
    passage: str,
    keep: Mapping[str, Any] | None = None,
) -> Iterator[Row]:
    """Yield a row for each line of Parquet tables in one language; equal passages are one passage.

    ``query`` and ``passage`` are columns; ``keep`` has the values that other columns must have.
    """
    columns, seen = [query, passage, *(keep or {})], set()
    for path in sorted(found for pattern in files for found in folder.glob(pattern)):
        for _, row in parquet_rows(path, columns):
            question, text = (row[query] or "").strip(), (row[passage] or "").strip()
            kept = all(row[name] == value for name, value in (keep or {}).items())
            of_text = sha256_of(text)[:16]
            label = f"{sha256_of(question)[:16]}:{of_text}"
            if question and text and kept and label not in seen:
                seen.add(label)
                yield {
                    "item_id": label,
                    "passage_id": of_text,
                    "language": languages[0],
                    "query": question,
                    "passage": text,
                }


def _list(path: Path, number: int, row: Row, key: str) -> list[Row]:
    found = row.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise PanglotError(f"{path}, line {number}: has no '{key}', a list of objects; fetch it again.")
    return found


def _titled(path: Path, number: int, passage: Row) -> str:
    return " ".join(part for part in (passage.get("title"), field(path, number, passage, "text")) if part)
