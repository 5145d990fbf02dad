"""``panglot data check``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from panglot import encoders
from panglot.cli import show
from panglot.cli.options import PAIRS, Json, TrustRemoteCode
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from rich.table import Table

    from panglot.data import PairIndex
    from panglot.data.checks import Unseen

WIDEST = 20  # maximum number of languages in the matrix; a narrow terminal shows fewer
WITH_PARAGRAPHS = ("xquad-r", "mlqa-r")  # candidates are sentences; overlap is checked on whole paragraphs
PADDING = (0, 1, 0, 0)  # of tables: none on the left
STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def check(
    pairs: Annotated[list[str], Argument(metavar="PAIRS...", help=PAIRS)],
    column: Annotated[
        list[str] | None,
        Option(help="Column of a field, e.g. query=question or text=text_{language}; repeatable."),
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        Option(help="Find texts that also occur in this benchmark, as NAME or NAME=DATA; repeatable."),
    ] = None,
    run: Annotated[
        int, Option(help="Report texts that share this many characters in a row with a benchmark.")
    ] = 80,
    batch_size: Annotated[int, Option(help="Batch size that you will train with.")] = 64,
    join_sources: Annotated[
        bool, Option("--join-sources", help="Draw batches from all sources together (batches.join_sources).")
    ] = False,
    model: Annotated[
        str | None, Option(help="Count tokens with this model's tokenizer, and report texts that it cuts.")
    ] = None,
    strict: Annotated[bool, Option("--strict", help="Exit with code 1 if there are warnings, too.")] = False,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Find errors in your pairs and overlap with a benchmark.

    The command reports languages, parallel coverage and lengths; repeated, empty, untranslated and
    mislabelled texts; overlap with benchmarks; and which strategies' batches can be drawn. The exit code is 0
    without errors, 1 with errors (with --strict: or warnings), and 2 if a line cannot be read.

    Example:

      panglot data check pairs.jsonl.gz --benchmark xquad-r=lareqa/xquad-r --model multilingual-e5-small
    """
    from panglot.data.checks import check_source
    from panglot.data.index import join_indexes
    from panglot.data.pairs_files.columns import parse_columns

    if run < 2 or batch_size < 2:
        raise PanglotError("--run and --batch-size must be 2 or more.")
    columns = parse_columns(column or [])
    benchmarks = [_unseen(text) for text in benchmark or []]
    settings = _token_settings(model, trust_remote_code)
    reports = []
    indexes: list[PairIndex] = []
    with show.bar("checking", len(pairs)) as advance:
        for source in pairs:
            reports.append(
                check_source(
                    source,
                    columns,
                    benchmarks=benchmarks,
                    batch_size=batch_size,
                    run=run,
                    indexes=indexes,
                    **settings,
                )
            )
            advance(1)
    if join_sources:
        indexes = [join_indexes(indexes, [index.entries for index in indexes])]
    names = [report["name"] for report in reports]
    batches = _batches(indexes, batch_size, [" + ".join(names)] if join_sources else names)
    if json:
        show.print_json({"schema": 1, "files": reports, "batches": batches})
    else:
        for report in reports:
            _print(report)
        show.out.rule(f"[bold]batches of {batch_size}", align="left", characters="─", style="dim")
        show.result(f"strategies that can be trained: {', '.join(batches['strategies']) or 'none'}")
        _print_findings(batches["findings"])
    for report in reports:
        if unread := sum(found["count"] for found in report["findings"] if found["check"] == "unreadable"):
            raise PanglotError(
                f"{report['source']}: {unread:,} of its lines cannot be read; fix them or remove them, since "
                "training refuses the file."
            )
    bad = ("error", "warning") if strict else ("error",)
    if any(finding["severity"] in bad for part in (*reports, batches) for finding in part["findings"]):
        raise typer.Exit(1)


def _batches(indexes: Sequence["PairIndex"], size: int, names: Sequence[str]) -> dict[str, Any]:
    """Return the strategies whose batches can be drawn, and findings of what they lack."""
    from panglot.batches import possible_strategies

    found = possible_strategies(indexes, size, names)
    of_sentence: dict[str, list[str]] = {}  # the strategies that a sentence is about
    for strategy, notes in found.items():
        for sentence in [str(notes)] if isinstance(notes, PanglotError) else notes:
            of_sentence.setdefault(sentence, []).append(strategy)
    able = [strategy for strategy, notes in found.items() if not isinstance(notes, PanglotError)]
    findings: list[Mapping[str, Any]] = [
        {
            "severity": "note" if strategies == ["bilingual"] else "warning",
            "check": "batches",
            "sentence": sentence if set(strategies) & set(able) else f"{', '.join(strategies)}: {sentence}",
            "count": len(strategies),
            "examples": [],
        }
        for sentence, strategies in of_sentence.items()
    ]
    return {"size": size, "strategies": able, "findings": findings}


def _unseen(text: str) -> "Unseen":
    """Load the texts of ``NAME`` or ``NAME=DATA``; those of a suite are the texts of all its parts."""
    from panglot.data.catalogue import load_data
    from panglot.data.checks import texts_of

    name, _, data = text.partition("=")
    candidate_text = "sentence+context" if name in WITH_PARAGRAPHS else None
    found: Any = load_data(name, data or None, candidate_text)
    return texts_of(name, getattr(found, "parts", [found]))


def _token_settings(model: str | None, trust_remote_code: bool) -> dict[str, Any]:
    if model is None:
        return {}

    encoder = encoders.load_encoder(model, trust_remote_code=trust_remote_code)
    return {
        "tokens": lambda texts: encoders.token_lengths(encoder, texts),
        "limit": encoders.max_length_of(encoder),
        "model": model,
    }


def _print(report: Mapping[str, Any]) -> None:
    figures = report["counts"]
    languages = f"{figures['languages']} language{'s' * (figures['languages'] != 1)}"
    show.out.rule(f"[bold]{report['name']}", align="left", characters="─", style="dim")
    show.result(
        f"{figures['rows']:,} rows, {figures['items']:,} items in {languages}; "
        f"{figures['items_in_all_languages']:,} items in all of them, "
        f"{figures['items_in_one_language']:,} in one only"
    )
    show.result(
        f"{figures['passage_groups']:,} passages (groups) in {figures['documents']:,} documents; "
        f"{figures['rows_with_negatives']:,} rows with hard negatives"
    )
    show.out.print(_languages_table(report))
    if len(report["coverage"]) > 1:
        _print_coverage(report["coverage"])
    for name, overlap in report["overlap"].items():
        show.result(_overlap_sentence(name, overlap))
    _print_findings(report["findings"])
    counts = {kind: sum(found["severity"] == kind for found in report["findings"]) for kind in STYLES}
    said = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts.items() if count)
    show.result(f"found: {said}" if said else "found no problems")


def _print_findings(findings: list[Mapping[str, Any]]) -> None:
    from rich.markup import escape

    for finding in findings:
        severity = finding["severity"]
        show.out.print(
            f"[{STYLES[severity]}]{severity:<8}[/][dim]{finding['check']}:[/] {escape(finding['sentence'])}",
            highlight=False,
        )
        for example in finding["examples"]:
            language = f", {example['language']}" if example["language"] else ""
            show.out.print(
                f"  line {example['line']}{language}: {example['text']}",
                style="dim",
                highlight=False,
                markup=False,
                no_wrap=True,
                overflow="ellipsis",
            )


def _overlap_sentence(name: str, overlap: Mapping[str, Any]) -> str:
    rows = overlap["rows_with_equal_text"] + overlap["rows_with_shared_run"]
    size = f"{overlap['queries']:,} queries and {overlap['passages']:,} passages"
    if not rows:
        return f"overlap with {name} ({size}): no equal text, no shared run of {overlap['run']} characters"
    return (
        f"overlap with {name} ({size}): {rows:,} rows of {overlap['items']:,} items; they meet "
        f"{overlap['queries_met']:,} of its queries and {overlap['passages_met']:,} of its passages"
    )


def _languages_table(report: Mapping[str, Any]) -> "Table":
    """Show rows and lengths by language."""
    from panglot.languages import language_name

    table = show.new_table("lengths: median / 95th percentile / most", padding=PADDING)
    table.add_column("language")
    table.add_column("rows", justify="right")
    kinds = [kind for kind in next(iter(report["languages"].values())) if kind != "rows"]
    for kind in kinds:
        table.add_column(kind.replace("_", ", in "), justify="right")
    for code, figures in report["languages"].items():
        spreads = (figures[kind] for kind in kinds)
        table.add_row(
            f"{language_name(code)} ({code})",
            f"{figures['rows']:,}",
            *(f"{s['median']:,} / {s['p95']:,} / {s['max']:,}" for s in spreads),
        )
    return table


def _print_coverage(coverage: Mapping[str, Mapping[str, int]]) -> None:
    """Show how many items each two languages share: a table; of many languages, show the largest."""
    from rich.text import Text

    shared = {count for code, row in coverage.items() for other, count in row.items() if other != code}
    if len(shared) == 1:
        show.result(f"every two languages share {shared.pop():,} items")
        return
    largest = sorted(coverage, key=lambda code: -coverage[code][code])
    widest = max(max(len(code), len(_short(coverage[code][code]))) for code in largest[:WIDEST]) + 2
    largest = largest[: min(WIDEST, max(2, (show.out.width - 2) // widest - 1))]
    codes = [code for code in coverage if code in largest]
    title = "items that two languages share"
    if len(codes) < len(coverage):
        title += f" (the {len(codes)} largest of {len(coverage)} languages; --json has all)"
    show.out.print(title, style="bold", highlight=False)  # a title of the table is wrapped at its width
    table = show.new_table("", padding=PADDING)
    table.add_column("", no_wrap=True)
    for code in codes:
        table.add_column(code, justify="right", no_wrap=True)
    for code in codes:
        cells = [Text(_short(coverage[code][other]), "bold" if code == other else "") for other in codes]
        table.add_row(code, *cells)
    show.out.print(table)


def _short(count: int) -> str:
    for unit, size in (("M", 10**6), ("k", 10**3)):
        if count >= 10 * size:
            return f"{count // size}{unit}"
    return str(count)
