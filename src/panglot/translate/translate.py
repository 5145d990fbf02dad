"""Pairs made parallel: every item in every language asked for, by machine where nobody wrote it."""

import json
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import IntArray, ParallelPairs
from panglot.data.pairs_files.columns import SCHEMA
from panglot.data.pairs_files.read import check_pairs_path, pairs_writer
from panglot.errors import PanglotError
from panglot.files import atomic_write, write_json
from panglot.languages import script
from panglot.parse import read_form
from panglot.translate.models import Translator
from panglot.translate.plan import Job, PartFile, plan
from panglot.translate.texts import MAX_TOKENS, TOKEN_BUDGET, Bounds, Work, problem_of

FIELDS = ("query", "passage", "negatives")
NEEDED = ("query", "passage")  # a row has both in its own language
ROWS = 1 << 14  # written at a time
Row = dict[str, Any]
ENDINGS = re.compile(r"\.(parquet|(jsonl|json|ndjson|csv|tsv)(\.gz|\.zst)?)$")  # of files of pairs


@dataclass(frozen=True)
class Translation:
    """The outcome of a translation: all figures, ready for JSON, and the file that describes the output."""

    summary: dict[str, Any]
    note: Path


def translate_pairs(
    translator: Translator,
    pairs: ParallelPairs,
    targets: Sequence[str],
    output: str | Path,
    *,
    source: str | None = None,
    fields: Sequence[str] = FIELDS,
    beams: int = 1,
    max_tokens: int = MAX_TOKENS,
    token_budget: int = TOKEN_BUDGET,
    bounds: Bounds | None = None,
    before: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Translation:
    """Write pairs with every item in more languages.

    The rows that were there come first, as they were; then those that the model made. What an item has
    already is kept. Beside the output, ``NAME.translation.json`` says how many rows are machine-made, by
    which model, how; and ``NAME.left-out.jsonl`` holds the translations that failed a check. Until all is
    written, what was translated is kept in ``NAME.part.sqlite``: run again, it continues from there, to the
    same output.

    Args:
        pairs: of any languages that the model knows.
        output: ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst`` or ``.parquet``.
        source: translate from this language, and only items that have it; None: from English, or from the
            language of an item's first row where it has no English.
        fields: ``query``, ``passage`` and, unless they are to be dropped, ``negatives``.
        max_tokens: of a segment; longer sentences are cut.
        token_budget: padded input tokens of a batch, times beams.
        bounds: of a translation's length, as a share of its source's.
        before: what is known of machine translation in ``pairs`` (their own ``.translation.json``).
        progress: called with the number of rows just translated.

    Raises:
        PanglotError: a language that is none or that the model does not know, nothing to translate, or a file
            that is in the way.
    """
    output = Path(output)
    check_pairs_path(output)
    _check(fields, beams, max_tokens, token_budget)
    jobs = plan(pairs, targets, source)
    for job in jobs:  # before anything is written
        translator.direction(*job.languages)
    settings = {
        "model": translator.name,
        "revision": translator.revision,
        "sha256": translator.sha256,
        "precision": str(translator.model.dtype).removeprefix("torch."),
        "beams": beams,
        "max_tokens": max_tokens,
    }
    begun, segments = time.monotonic(), 0
    texts = sum(len(_texts(pairs, rows, fields)[0]) for job in jobs for _, rows in job.blocks())
    with PartFile(beside(output, "part.sqlite"), {"settings": settings}) as part:
        work = Work(translator, part, beams, max_tokens, token_budget)
        for job in jobs:
            for name, rows in job.blocks():
                advance = None if progress is None else _whole_rows(progress, len(rows))
                segments += work.do(name, _texts(pairs, rows, fields)[0], job.languages, advance)
        summary = {
            "source": pairs.name,
            "sha256": pairs.sha256,
            "items": len(pairs),
            "rows_kept": pairs.index.entries,
            "rows_translated": 0,
            "texts": texts,
            "segments": segments,
            "seconds": 0.0,
            "left_out": {},
            "directions": [{"from": job.source, "to": job.target, "rows": len(job.rows)} for job in jobs],
            "settings": {**settings, "fields": list(fields), "token_budget": token_budget},
        }
        made = (rows for job in jobs for rows in _rows(work, pairs, job, fields, bounds))
        left_out, note = beside(output, "left-out.jsonl"), beside(output, "translation.json")
        with atomic_write(output) as place, atomic_write(left_out) as rejected:
            counts = _write_rows(place, output.name, rejected, pairs, made)
            summary |= {**counts, "seconds": round(time.monotonic() - begun, 3)}
            about = {
                "schema": 1,
                "file": output.name,
                "machine_translated": "the rows after the first 'rows_kept'",
                "panglot": version("panglot"),
                "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            # before the rows themselves: no machine-made row may ever be there unmarked
            write_json(note, {**about, **summary, "before": before})
        if not summary["left_out"]:
            left_out.unlink()
        part.remove()
    return Translation(summary, note)


def beside(output: Path, ending: str) -> Path:
    """Return the name of a file that belongs to an output: ``pairs.jsonl.gz`` has ``pairs.part.sqlite``."""
    return output.with_name(f"{ENDINGS.sub('', output.name)}.{ending}")


def read_note(pairs: Path) -> dict[str, Any] | None:
    """Read what is known of machine translation in a file of pairs; None where nothing is."""
    path = beside(pairs, "translation.json")
    if pairs.is_dir() or not path.exists():
        return None
    return read_form(path, dict[str, Any], fix="fix it or move it away")


def _check(fields: Sequence[str], beams: int, max_tokens: int, token_budget: int) -> None:
    for name in fields:
        if name not in FIELDS:
            raise PanglotError(f"'{name}' is not a field to translate; use {', '.join(FIELDS)}.")
    for name in NEEDED:
        if name not in fields:
            raise PanglotError(
                f"'{name}' is not among the fields; a row needs its query and passage in its own language."
            )
    if beams < 1:
        raise PanglotError(f"the number of beams is {beams}; use 1 (greedy) or more.")
    if max_tokens < 16:
        raise PanglotError(f"the limit of a segment is {max_tokens} tokens; use 16 or more.")
    if token_budget < 1:
        raise PanglotError(f"the token budget is {token_budget}; use 1 or more.")


def _whole_rows(progress: Callable[[int], None], rows: int) -> Callable[[float], None]:
    told = 0

    def advance(share: float) -> None:
        nonlocal told
        now = round(share * rows)
        progress(now - told)
        told = now

    return advance


def _texts(pairs: ParallelPairs, rows: IntArray, fields: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the texts of some rows, query, passage and negatives of each in turn, and how many each has."""
    negatives = pairs.negatives(rows) if "negatives" in fields else [[] for _ in rows]
    sides = pairs.texts("query", rows), pairs.texts("passage", rows), negatives
    found = [[query, passage, *more] for query, passage, more in zip(*sides, strict=True)]
    return [text for texts in found for text in texts], [len(texts) for texts in found]


def _rows(
    work: Work, pairs: ParallelPairs, job: Job, fields: Sequence[str], bounds: Bounds | None
) -> Iterator[tuple[list[Row], list[Row]]]:
    """Give the new rows of each block of a job, and what was left out of them."""
    same_script = script(job.source) == script(job.target)
    for _, rows in job.blocks():
        texts, counts = _texts(pairs, rows, fields)
        done = iter(zip(texts, work.joined(texts, job.languages), strict=True))
        kept, out = [], []
        for row, count in zip(pairs.take(rows).to_pylist(), counts, strict=True):
            translated: list[str] = []
            broken = False
            for place in range(count):
                text, (result, finished) = next(done)
                problem = problem_of(text, result, same_script=same_script, finished=finished, bounds=bounds)
                if problem is None:
                    translated.append(result)
                    continue
                broken |= place < len(NEEDED)
                about = {"item_id": row["item_id"], "from": job.source, "to": job.target}
                about |= {"field": FIELDS[min(place, 2)], "problem": problem}
                out.append({**about, "text": text, "translation": result})
            if not broken:
                query, passage, *negatives = translated
                new = {"language": job.target, "query": query, "passage": passage}
                kept.append({**row, **new, "negatives": negatives or None})
        yield kept, out


def _write_rows(
    place: Path, name: str, rejected: Path, pairs: ParallelPairs, made: Iterator[tuple[list[Row], list[Row]]]
) -> dict[str, Any]:
    """Write the rows there were and the new ones, and what was left out; count the latter two."""
    written, left_out = 0, Counter[str]()
    rows = np.sort(pairs.index.rows)
    with pairs_writer(place, name) as write, rejected.open("w", encoding="utf-8") as problems:
        for start in range(0, len(rows), ROWS):
            write(pairs.take(rows[start : start + ROWS]))
        for kept, out in made:
            write(pa.Table.from_pylist(kept, schema=SCHEMA))
            problems.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in out)
            written += len(kept)
            left_out.update(f"{line['field']}: {line['problem']}" for line in out)
    return {"rows_translated": written, "left_out": dict(sorted(left_out.items()))}
