"""Overlap with benchmarks: texts that are equal, and texts that share a long run of characters.

Zero-shot claims rest on this: a model that was trained on a benchmark's passages has seen its answers.
Texts are compared in the form of ``normalised``, whatever their language and role.

To share a run of w characters, two texts must share its parts. The larger set is cut into blocks of
k = w // 2 characters at every (w - k + 1)th position of all its texts strung together; any run of w
characters holds one such block whole. The blocks' hashes are looked up among those of *every* k characters
of the smaller set. Only texts with a hit are then compared at all their windows of w characters, and each
pair that is reported is compared letter by letter.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from panglot.data.benchmark import Benchmark
from panglot.data.checks.rows import CheckedRows, Finding, Severity, finding_on, shortened
from panglot.data.checks.scripts import Mask
from panglot.data.equality import canonical
from panglot.data.index import IntArray

Hashes = npt.NDArray[np.uint64]
SLICE = 1 << 21  # characters that are hashed together
SIEVE = 26  # bits of a hash that the first look-up goes by
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2**64
BREAK = 0xFFFFFFFF  # between texts; no code point


class Shared(NamedTuple):
    """Text ``a`` of one set and text ``b`` of the other share the run of characters at ``a_start``."""

    a: int
    b: int
    a_start: int
    b_start: int


def shared_runs(a: Sequence[str], b: Sequence[str], run: int = 80) -> list[Shared]:
    """Return one run of so many characters for each text of ``a`` that shares any with a text of ``b``."""
    if run < 2:
        raise ValueError("a run is of two characters or more")
    swap = sum(map(len, a)) < sum(map(len, b))
    small, large = (a, b) if swap else (b, a)
    from_small, from_large = _candidates(small, large, run)
    near_a, near_b = (from_small, from_large) if swap else (from_large, from_small)
    return _compare(a, b, near_a, near_b, run)


def _candidates(small: Sequence[str], large: Sequence[str], run: int) -> tuple[IntArray, IntArray]:
    """Return the texts of each set that share a block with the other."""
    block = run // 2
    step = run - block + 1
    windows, of_window = _all_windows(small, range(len(small)), block)
    sieve = _sieve(windows)
    kept: list[Hashes] = [np.zeros(0, np.uint64)]
    owners: list[IntArray] = [np.zeros(0, np.int64)]
    for first, points, of_point in _slices(large, range(len(large)), run):
        hashes = _blocks(points, block, step)
        at = np.flatnonzero(sieve[_slots(hashes)])
        kept.append(hashes[at])
        owners.append(first + of_point[step * at])
    blocks, of_block = np.concatenate(kept), np.concatenate(owners)
    at = np.flatnonzero(_sieve(blocks)[_slots(windows)])  # and back: few windows are left to be sorted
    common = np.intersect1d(windows[at], blocks)
    near_windows, near_blocks = at[np.isin(windows[at], common)], np.isin(blocks, common)
    return np.unique(of_window[near_windows]), np.unique(of_block[near_blocks])


def _slots(hashes: Hashes) -> Hashes:
    return hashes >> np.uint64(64 - SIEVE)


def _sieve(hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Return a table that is true at the slot of each hash: most others fall through."""
    table = np.zeros(1 << SIEVE, bool)
    table[_slots(hashes)] = True
    return table


def _compare(
    a: Sequence[str], b: Sequence[str], near_a: IntArray, near_b: IntArray, run: int
) -> list[Shared]:
    """Compare all windows of ``run`` characters of some texts; give the first of each text of ``a``."""
    hashes, of_text = _all_windows(b, near_b.tolist(), run)
    starts = np.arange(len(of_text)) - np.searchsorted(of_text, of_text, "left")
    order = np.argsort(hashes)
    hashes, of_text, starts = hashes[order], of_text[order], starts[order]
    found: list[Shared] = []
    for first, points, of_point in _slices(a, near_a.tolist(), run):
        windows = _windows(points, run)
        at = np.searchsorted(hashes, windows)
        same = _inside(points, of_point, run) & (at < len(hashes))
        same[same] = hashes[at[same]] == windows[same]
        positions = np.flatnonzero(same)
        for text_positions in np.split(positions, np.flatnonzero(np.diff(of_point[positions])) + 1):
            for position in text_positions.tolist():  # the first will do, but for two runs of one hash
                text = int(near_a[first + of_point[position]])
                start = position - int(np.searchsorted(of_point, of_point[position]))
                wanted = a[text][start : start + run]
                last = int(np.searchsorted(hashes, windows[position], "right"))
                places = [(int(of_text[k]), int(starts[k])) for k in range(int(at[position]), last)]
                if pair := next(((t, s) for t, s in places if b[t][s : s + run] == wanted), None):
                    found.append(Shared(text, pair[0], start, pair[1]))
                    break
    return found


def _all_windows(texts: Sequence[str], rows: Sequence[int], size: int) -> tuple[Hashes, IntArray]:
    """Return the hash of every window inside some texts, and the text of each; in order."""
    hashes: list[Hashes] = [np.zeros(0, np.uint64)]
    owners: list[IntArray] = [np.zeros(0, np.int64)]
    numbers = np.asarray(rows, np.int64)
    for first, points, of_point in _slices(texts, rows, size):
        windows = _windows(points, size)
        whole = _inside(points, of_point, size)
        hashes.append(windows[whole])
        owners.append(numbers[first + of_point[: len(windows)][whole]])
    return np.concatenate(hashes), np.concatenate(owners)


def _inside(points: npt.NDArray[np.uint32], of_point: IntArray, size: int) -> npt.NDArray[np.bool_]:
    ends = slice(size - 1, None)
    starts = slice(0, max(0, len(points) - size + 1))
    return np.asarray((of_point[starts] == of_point[ends]) & (points[ends] != BREAK))


def _slices(
    texts: Sequence[str], rows: Sequence[int], least: int
) -> Iterator[tuple[int, npt.NDArray[np.uint32], IntArray]]:
    """String texts of ``least`` characters or more together, in slices.

    Gives the position (among ``rows``) of a slice's first text, its code points with ``BREAK`` after each
    text, and for each point its text, counted from the first; a break belongs to the text before it.
    """
    part: list[str] = []
    begin = size = 0
    for position, row in enumerate(rows):
        part.append(texts[row])
        size += len(texts[row])
        if size >= SLICE:
            yield begin, *_strung(part, least)
            part, begin, size = [], position + 1, 0
    if part:
        yield begin, *_strung(part, least)


def _strung(part: list[str], least: int) -> tuple[npt.NDArray[np.uint32], IntArray]:
    kept = [k for k, text in enumerate(part) if len(text) >= least]
    joined = "\0".join(part[k] for k in kept) + "\0" * bool(kept)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    sizes = np.array([len(part[k]) + 1 for k in kept], np.int64)
    points[np.cumsum(sizes) - 1] = BREAK
    return points, np.repeat(np.array(kept, np.int64), sizes)


def _mixed(points: npt.NDArray[np.uint32]) -> Hashes:
    """Spread code points over 64 bits (splitmix64's finalizer), so that sums of them rarely agree."""
    with np.errstate(over="ignore"):
        x = (points.astype(np.uint64) + np.uint64(1)) * BASE
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
    return x


def _powers(count: int, base: np.uint64) -> Hashes:
    powers = np.full(count, base)
    powers[:1] = 1
    with np.errstate(over="ignore"):
        return np.asarray(np.cumprod(powers, dtype=np.uint64))


def _windows(points: npt.NDArray[np.uint32], size: int) -> Hashes:
    """Return the hash of each window: sum of x[i + j] * BASE**j modulo 2**64."""
    if len(points) < size:
        return np.zeros(0, np.uint64)
    inverse = np.uint64(pow(int(BASE), -1, 2**64))
    with np.errstate(over="ignore"):
        sums = np.zeros(len(points) + 1, np.uint64)
        np.cumsum(_mixed(points) * _powers(len(points), BASE), out=sums[1:])
        return np.asarray((sums[size:] - sums[:-size]) * _powers(len(points) - size + 1, inverse))


def _blocks(points: npt.NDArray[np.uint32], size: int, step: int) -> Hashes:
    """Return the hashes of the windows at every ``step``th start, as ``_windows`` has them."""
    count = max(0, (len(points) - size) // step + 1)
    filled = np.zeros(count * step, np.uint32)
    filled[: len(points)] = points[: count * step]
    with np.errstate(over="ignore"):
        mixed = _mixed(filled).reshape(count, step)[:, :size]
        return np.asarray((mixed * _powers(size, BASE)).sum(axis=1, dtype=np.uint64))


RUN = 80  # characters
SHORT = 20  # characters below which equal texts may well be chance: 'Introduction'


def normalised(text: str) -> str:
    """Return a text's canonical form in compatibility characters (NFKC), without capitals."""
    if text.isascii():  # gives the same as the general way, and is many times as fast
        return canonical(text).lower()
    return " ".join(unicodedata.normalize("NFKC", canonical(text)).casefold().split())


@dataclass(frozen=True)
class Unseen:
    """Texts that a model must not have seen in training: those of a benchmark, or of all parts of a suite."""

    name: str
    queries: Sequence[str]
    passages: Sequence[str]


def texts_of(name: str, benchmarks: Sequence[Benchmark]) -> Unseen:
    """Put the distinct texts of some benchmarks together; titles count as passages."""
    queries: dict[str, None] = {}
    passages: dict[str, None] = {}
    for benchmark in benchmarks:
        queries |= dict.fromkeys(benchmark.queries.texts)
        passages |= dict.fromkeys(benchmark.passages.texts)
        passages |= dict.fromkeys(title for title in benchmark.passages.titles or () if title)
    return Unseen(name, list(queries), list(passages))


def find_overlap(
    rows: CheckedRows, benchmarks: Sequence[Unseen], run: int = RUN
) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """Find rows that share texts, or runs of ``run`` characters, with a benchmark.

    Returns:
        by benchmark its counts (rows and items with an equal text or a shared run, and the benchmark's own
        queries and passages that are met), and the findings.
    """
    columns = [rows.table.column(name).to_pylist() for name in ("query", "passage")]
    plain = [normalised(text) for column in columns for text in column]
    report: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for benchmark in benchmarks:
        counts, found = _with_one(rows, plain, benchmark, run)
        report[benchmark.name] = counts
        findings += found
    return report, findings


def _with_one(
    rows: CheckedRows, plain: list[str], benchmark: Unseen, run: int
) -> tuple[dict[str, Any], list[Finding]]:
    theirs = [normalised(text) for text in (*benchmark.queries, *benchmark.passages)]
    queries = len(benchmark.queries)
    place = {text: k for k, text in reversed(list(enumerate(theirs)))}
    partner = np.full((3, len(plain)), -1)  # of each text: equal and long, equal and short, shares a run
    for k, text in enumerate(plain):
        if (found := place.get(text)) is not None:
            partner[int(len(text) < SHORT), k] = found
    for shared in shared_runs(plain, theirs, run):
        partner[2, shared.a] = shared.b
    met = np.unique(partner[partner >= 0])
    pair = partner.reshape(3, 2, len(rows))  # by query and passage of each row
    equal, short, sharing = pair >= 0
    sharing &= ~equal.any(0)
    short &= ~(equal | sharing).any(0)
    counts = {
        "queries": queries,
        "passages": len(theirs) - queries,
        "rows_with_equal_text": int(equal.any(0).sum()),
        "rows_with_shared_run": int(sharing.any(0).sum()),
        "rows_with_equal_short_text": int(short.any(0).sum()),
        "items": len(np.unique(rows.items[(equal | sharing).any(0)])),
        "queries_met": int((met < queries).sum()),
        "passages_met": int((met >= queries).sum()),
        "run": run,
    }
    name = benchmark.name
    kinds: list[tuple[Mask, Severity, str]] = [
        (equal, "error", f"have a text that is in {name}"),
        (short, "note", f"have a short text (below {SHORT} characters) that is in {name}, perhaps by chance"),
        (sharing, "error", f"share a run of {run} characters or more with a text of {name}"),
    ]
    findings: list[Finding] = []
    for (mask, severity, what), of in zip(kinds, pair, strict=True):
        if not mask.any():
            continue
        at = np.flatnonzero(mask.any(0))
        role = int(mask[1, at[0]])  # of the first example: its passage where that is what is shared
        counterpart = shortened(theirs[of[role, at[0]]])
        claim = ""
        if severity == "error":
            claim = "; a figure on it is not zero-shot: remove these items, with their translations"
        items = len(np.unique(rows.items[at]))
        sentence = f"{len(at):,} rows ({items:,} items) {what}{claim} (the first meets '{counterpart}')."
        findings += finding_on(rows, at, ("query", "passage")[role], "overlap", sentence, severity)
    return counts, findings
