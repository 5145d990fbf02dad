"""``panglot data list``, ``info`` and ``get``."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from panglot.cli import show
from panglot.cli.options import Json
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from rich.table import Table

    from panglot.data.catalogue import Entry

FEW = 3  # languages that are named in the list; more are counted


def list_(
    kind: Annotated[
        str | None, Option(help="benchmark (for evaluation), pairs (for training) or encoder.")
    ] = None,
    language: Annotated[str | None, Option(help="List only data in this language, e.g. sw.")] = None,
    json: Annotated[bool, Option("--json", help="Print only JSON, with all facts.")] = False,
) -> None:
    """List the benchmarks and training sets that panglot loads by name.

    A family of sets, such as BEIR, has one line; 'panglot data info FAMILY' lists its sets.
    """
    from panglot.data.catalogue import catalogue
    from panglot.languages import check_languages, matching

    if kind not in (None, "benchmark", "pairs", "encoder"):
        raise PanglotError(f"--kind: '{kind}' is unknown. Use benchmark, pairs or encoder.")
    wanted = check_languages([language]) if language is not None else ["*"]
    chosen = [
        entry
        for entry in catalogue().values()
        if kind in (None, entry.kind) and matching(wanted, entry.languages)
    ]
    if json:
        show.print_json([_facts(entry) for entry in chosen])
        return
    show.grid(_table(chosen))
    show.result("more about one: panglot data info NAME; to fetch it: panglot data get NAME")


def info(
    name: Annotated[str, Argument(help="Name in 'panglot data list', or a family such as beir.")],
    json: Json = False,
) -> None:
    """Show the facts about a benchmark or training set, and where a copy of it was found.

    Example:

      panglot data info miracl
    """
    from panglot.data.catalogue import catalogue, entry_named

    family = [entry for entry in catalogue().values() if entry.family == name]
    if json:
        show.print_json([_facts(entry) for entry in family] if family else _facts(entry_named(name)))
    elif family:
        show.grid(_table(family, whole=True))
    else:
        for title, value in _lines(_facts(entry_named(name))):
            show.out.print(f"[bold]{title}[/bold]", end=" " * (14 - len(title)))
            show.result(value)


def get(
    name: Annotated[str, Argument(help="Name in 'panglot data list'.")],
    source: Annotated[
        Path | None, Option("--from", help="Copy the official files, packed or unpacked, from this folder.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Fetch files again that exist already.")] = False,
    languages: Annotated[
        str | None,
        Option(help="Fetch only the files of these languages, e.g. sw,yo, if each language has its own."),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch a data set from its official source, verify it, and unpack it into the cache.

    An interrupted download continues where it stopped. Files in the folders of PANGLOT_DATA are not fetched
    again. The cache is PANGLOT_CACHE, by default ~/.cache/panglot.

    Examples:

      panglot data get nfcorpus

      panglot data get miracl --languages sw,yo

      panglot data get mtop --from downloads
    """
    from panglot.data.catalogue import entry_named
    from panglot.data.fetch import get_data

    entry = entry_named(name)
    chosen = languages.split(",") if languages else None
    folder = get_data(entry, source=source, languages=chosen, force=force, bar=_bytes_bar, say=show.say)
    facts = {"name": name, "folder": str(folder), "licence": entry.licence}
    show.answer(json, facts, f"{name} is in {folder}", f"licence: {entry.licence or 'not stated'}")


@contextlib.contextmanager
def _bytes_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show bytes as they arrive, on a terminal only; ``total`` 0 is unknown."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=show.err, transient=True, disable=not show.err.is_terminal) as progress:
        task = progress.add_task(title, total=total or None)
        yield lambda count: progress.advance(task, count)


def _facts(entry: "Entry") -> dict[str, Any]:
    """Return an entry as plain data; ``found`` is the folder of a copy; ``missing`` lists what it lacks."""
    from panglot.data.catalogue import missing, where_is

    found = where_is(entry)
    lacks = [] if found is None else missing(entry, found)
    return {**asdict(entry), "found": None if found is None else str(found), "missing": lacks}


def _table(entries: Iterable["Entry"], whole: bool = False) -> "Table":
    """Return a table with one row per entry, or (unless ``whole``) per family."""
    from rich import box
    from rich.table import Table

    from panglot.data.catalogue import where_is

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("name", "kind", "languages", "what it is", "here"):
        table.add_column(column, overflow="fold", no_wrap=column in ("name", "kind", "here"))
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.name if whole or not entry.family else entry.family, []).append(entry)
    for name, members in families.items():
        first = members[0]
        count = len(first.languages)
        languages = ", ".join(first.languages) if count <= FEW else f"{count}"
        if whole or not first.family:
            table.add_row(name, first.kind, languages or "any", first.title, _presence(first))
        else:
            here = sum(where_is(entry) is not None for entry in members)
            title = f"{len(members)} sets; see panglot data info {name}"
            table.add_row(name, first.kind, languages, title, f"{here} of {len(members)}" if here else "")
    return table


def _presence(entry: "Entry") -> str:
    from panglot.data.catalogue import missing, where_is

    found = where_is(entry)
    return "" if found is None else "in part" if missing(entry, found) else "yes"


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield titles and texts; unknown facts are named as unknown."""
    for key in ("name", "title", "kind", "what", "homepage", "source", "licence", "access"):
        yield key, facts[key] or "unknown"
    paper = [facts["citation"], facts["arxiv"] and f"arXiv {facts['arxiv']}"]
    yield "paper", ", ".join(filter(None, paper)) or "unknown"
    languages = facts["languages"]
    yield "languages", f"{len(languages)}: {', '.join(languages)}" if languages else "any"
    numbers = [f"{size:,}" if isinstance(size, int) else size for size in facts["sizes"].values()]
    yield (
        "sizes",
        ", ".join(f"{n} {key}" for n, key in zip(numbers, facts["sizes"], strict=True)) or "unknown",
    )
    yield "settings", ", ".join(facts["settings"]) or "unknown"
    yield "measures", ", ".join(facts["measures"]) or "none"
    yield "reader", facts["reader"] + "".join(f", {key} = {value}" for key, value in facts["options"].items())
    yield from (("files", line) for line in _files(facts["files"]))
    yield "looked for in", " or ".join(facts["local"]) or "nowhere"
    if facts["note"]:
        yield "note", " ".join(facts["note"].split())
    lacks = f" (without {', '.join(facts['missing'])})" if facts["missing"] else ""
    yield "found", (facts["found"] or "nowhere yet") + lacks


def _files(files: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each source of files: its first file, and the number of others."""
    places: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        places.setdefault(file["hub"] or file["url"].rpartition("/")[0], []).append(file)
    for members in places.values():
        file = members[0]
        revision = f"@{file['revision']}" if file["revision"] else ""
        address = file["url"] or f"hub:{file['hub']}{revision}/{file['path']}"
        checksum = next(
            (f"{kind} {file[kind]}" for kind in ("sha256", "md5") if file[kind]), "no checksum known"
        )
        more = f", and {len(members) - 1} more" if len(members) > 1 else ""
        yield f"{address} ({checksum}){more}"
