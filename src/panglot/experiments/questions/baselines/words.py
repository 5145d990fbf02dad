"""What a leaderboard says, in sentences: who leads where, what tuning changes, where BM25 is ahead."""

from collections.abc import Iterator, Mapping, Sequence

from panglot.experiments.charts import PANELS
from panglot.experiments.findings import DISTANCE, Findings, by_seed
from panglot.experiments.questions.baselines.board import Board, Difference, Place, all_lines
from panglot.report.blocks import number
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title, p_text

MOST = 20  # benchmarks that a sentence names
Found = list[tuple[Board, Difference]]


def rank_sentence(ranks: Mapping[str, float], places: Sequence[Place]) -> Iterator[str]:
    """Say the mean ranks."""
    if places:
        said = listed([f"{line} {rank:.2f}" for line, rank in ranks.items()], MOST)
        yield f"Mean rank over the {len(places)} {_cells(len(places))} that hold every line: {said}."


def leader_sentences(boards: Sequence[Board]) -> Iterator[str]:
    """Say in each setting which line leads on which benchmarks, and where it is ahead of all others."""
    for setting, title in SETTING_NAMES.items():
        led: dict[str, list[Board]] = {}
        for board in boards:
            if len(ranked := board.ranked(setting)) > 1:
                led.setdefault(ranked[0], []).append(board)
        for line, of_line in led.items():
            where = []
            for board in of_line:
                found = board.lines[line][setting]
                where.append(
                    f"{board.benchmark} ({measure_title(board.measure)} {found['value']:.3f}, interval "
                    f"{found['low']:.3f} to {found['high']:.3f})"
                )
            sure = _sure(line, of_line, setting)
            yield f"{title.capitalize()}: {line} leads on {listed(where, MOST)}; {sure}."


def tuning_sentences(boards: Sequence[Board], tuned: str, untuned: str) -> Iterator[str]:
    """Say what hybrid tuning changes in an encoder: how often significantly, and where."""
    yield _count(boards, tuned, untuned, f"Hybrid tuning makes {untuned}", "better", "worse")
    for setting, title in PANELS.items():
        found = _differences(boards, tuned, untuned, setting)
        if found:
            yield f"{tuned} against {untuned}, {title}: {_by_verdict(found, setting)}."


def bm25_sentences(boards: Sequence[Board], bm25: str) -> Iterator[str]:
    """Say where BM25 is significantly ahead of each other line."""
    for line in all_lines(boards):
        if line == bm25 or not any(_differences(boards, bm25, line, setting) for setting in SETTING_NAMES):
            continue
        ahead = []
        for setting, title in SETTING_NAMES.items():
            better = [
                (board, d) for board, d in _differences(boards, bm25, line, setting) if d.verdict == "better"
            ]
            if better:
                ahead.append(f"{title} on {_named(better, setting, with_p=False)}")
        said = _count(boards, bm25, line, f"Against {line}, {bm25} is", "ahead", "behind")
        yield said if not ahead else f"{said[:-1]}. It is ahead: {'; '.join(ahead)}."


def seed_sentence(findings: Findings, tuned: Sequence[str], boards: Sequence[Board]) -> Iterator[str]:
    """Say how far seeds of a tuned line lie apart, which intervals and tests over items leave out."""
    apart = []
    seeds = 0
    for board in boards:
        for line in tuned:
            evaluations = findings[board.benchmark].get(line, [])
            seeds = max(seeds, len(evaluations))
            for setting, values in by_seed(evaluations, board.measure).items() if evaluations else ():
                where = f"{line} on {board.benchmark}, {SETTING_NAMES[setting]}"
                apart.append((max(values) - min(values), where))
    if seeds == 1:
        yield "Each tuned line is one run (one seed); how much another seed would change is not known."
    elif apart:
        most, where = max(apart)
        yield (
            f"Tuned lines are means of {seeds} seeds. Intervals (95 %) and tests are over items and leave "
            f"seeds out; runs that differ in their seed only lie at most {most:.4f} apart ({where})."
        )


def left_out_sentences(left_out: Sequence[str], without_bm25: Sequence[str], bm25: str) -> Iterator[str]:
    """Say what the leaderboard lacks."""
    if left_out:
        yield (
            f"Not on this machine and left out: {listed(left_out, MOST)}; to have one measured, take "
            "optional = true away from its line, or name its folder there."
        )
    if without_bm25:
        yield f"{bm25} does not rank {listed(without_bm25, MOST)}, whose languages have a pool each."


def _sure(line: str, boards: Sequence[Board], setting: str) -> str:
    """Say on which of the benchmarks that a line leads on it is significantly ahead of all others."""
    ahead: list[str] = []
    near: dict[tuple[str, ...], list[str]] = {}  # by the lines that may be as good, on which benchmarks
    for board in boards:
        found = {other: board.minus(line, other, setting) for other in board.ranked(setting)}
        equal = tuple(other for other, d in found.items() if d is not None and d.verdict is None)
        (near.setdefault(equal, []) if equal else ahead).append(board.benchmark)
    if not near:
        return "significantly ahead of every other line" + (" on each" if len(boards) > 1 else "")
    not_ahead = [
        f"not significantly ahead of {listed(lines, MOST)} on {listed(on)}" for lines, on in near.items()
    ]
    first = [f"significantly ahead of every other line on {listed(ahead, MOST)}"] if ahead else []
    return "; ".join([*first, *not_ahead])


def _differences(boards: Sequence[Board], line: str, other: str, setting: str) -> Found:
    found = ((board, board.minus(line, other, setting)) for board in boards)
    return [(board, difference) for board, difference in found if difference is not None]


def _count(boards: Sequence[Board], line: str, other: str, start: str, up: str, down: str) -> str:
    """Count where a line differs significantly from another, rank distance left out."""
    verdicts = [d.verdict for s in SETTING_NAMES for _, d in _differences(boards, line, other, s)]
    total = len(verdicts)
    counts = {verdict: verdicts.count(verdict) for verdict in ("better", "worse", None)}
    said = {verdict: str(count) if count else "none" for verdict, count in counts.items()}
    return (
        f"{start} significantly {up} in {said['better']} of {total} {_cells(total)} and {down} in "
        f"{said['worse']}; in {said[None]} the difference is not significant."
    )


def _by_verdict(found: Found, setting: str) -> str:
    words = {"better": "better on", "worse": "worse on", None: "not significantly different on"}
    parts = []
    for verdict, word in words.items():
        having = [(board, d) for board, d in found if d.verdict == verdict]
        if having:
            parts.append(f"{word} {_named(having, setting, with_p=verdict is None)}")
    return "; ".join(parts)


def _named(found: Found, setting: str, *, with_p: bool) -> str:
    form = "+,.0f" if setting == DISTANCE else "+.3f"
    names = []
    for board, d in found:
        p = f", {p_text(d.p_holm)}" if with_p else ""
        names.append(f"{board.benchmark} ({number(d.value, form)}{p})")
    return listed(names, MOST)


def _cells(count: int) -> str:
    return "pair of benchmark and setting" if count == 1 else "pairs of benchmark and setting"
