"""``panglot index``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from panglot import encoders
from panglot.cli import show
from panglot.cli.options import Bf16, Json, MaxLength, TrustRemoteCode
from panglot.errors import PanglotError, some_of

if TYPE_CHECKING:
    from panglot.search.export import Recall
    from panglot.search.index import Changes, Index

RARE = 0.01  # share of the passages: a language with fewer may be a mistake of the detector
CHECKED = 20_000  # passages up to which recall is measured by default
EXACT_UP_TO = 200_000  # passages; a question takes 15 ms there (docs/guides/search.md)
A_PASSAGE = 1_000  # characters, about


def index(
    index: Annotated[
        str,
        Option(
            "--index",
            help="Folder of the index, or a Milvus server: http://host:19530 or http://host:19530#name.",
        ),
    ],
    inputs: Annotated[
        list[str] | None, Option("--input", help="File or folder of texts; repeatable.")
    ] = None,
    column: Annotated[
        list[str] | None,
        Option(help="Column of text, id, language or title in files of rows, as FIELD=COLUMN; repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        Option(help="Model of a new index: multilingual-e5-small (the default), a model folder or a hub id."),
    ] = None,
    engine: Annotated[
        str | None,
        Option(
            help="Engine of a new index: exact (NumPy) or milvus (Milvus Lite). (default: exact up to about "
            "200,000 passages)"
        ),
    ] = None,
    language: Annotated[
        str | None, Option(help="Language of texts that do not name one. (default: detected)")
    ] = None,
    among: Annotated[
        str | None, Option(help="Detect only these languages, e.g. en,sw,ar. This helps on short texts.")
    ] = None,
    length: Annotated[
        int | None, Option(help="Maximum number of tokens in a passage. (default: 256, or the model's limit)")
    ] = None,
    centre: Annotated[
        bool, Option("--centre", help="Subtract the model's language means (see panglot centre).")
    ] = False,
    delete: Annotated[
        list[str] | None, Option("--delete", help="Delete the document with this id; repeatable.")
    ] = None,
    export: Annotated[
        Path | None, Option(help="Write passages and vectors to a .parquet file, or vectors to a .npy file.")
    ] = None,
    recall: Annotated[
        int | None,
        Option(
            min=0,
            help="Number of searches that check the engine's recall; 0 skips the check. (default: 50)",
        ),
    ] = None,
    max_length: MaxLength = None,
    truncate_dim: Annotated[
        int | None,
        Option(
            help="Cut embeddings to this many dimensions, for models trained with loss.matryoshka_dims. "
            "(default: all, or the index's)"
        ),
    ] = None,
    bf16: Bf16 = False,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Create or update a search index of texts in any languages.

    Run the same command again to continue after an interruption. Unchanged texts are not encoded again. A
    document with an existing id replaces the old one.

    Examples:

      panglot index --index my-index --input documents/ --input more.jsonl

      panglot index --index my-index --delete report-17 --export vectors.parquet
    """
    from panglot.search.documents import read_documents
    from panglot.search.engines import kind_of
    from panglot.search.export import check_export, export_index
    from panglot.search.index import Index

    if not inputs and not delete and export is None and recall is None:
        raise PanglotError("--input is missing. Name a file or folder of texts with it.")
    if export is not None:
        check_export(export)
    kind_of(index, engine)  # refuses a wrong place or engine before anything is read
    reading: dict[str, Any] = {"language": language, "columns": _columns(column)}
    candidates = among.split(",") if among else None
    sizes = _sizes(inputs, candidates, reading) if inputs else None
    outcome: dict[str, Any] = {"index": index}
    if delete:
        outcome["deleted"] = Index.open(index).delete(delete)
    if inputs and sizes:
        loading: dict[str, Any] = {
            "max_length": max_length,
            "truncate_dim": truncate_dim,
            "trust_remote_code": trust_remote_code,
        }
        opened = _open(index, model, centre, {"engine": engine, "length": length}, loading, sizes[1])
        with show.bar("indexing", sizes[0]) as advance:
            documents = read_documents(inputs, skipped=[], **reading)
            changes = opened.add_documents(documents, among=candidates, bf16=bf16, progress=advance)
        outcome["changes"] = vars(changes)
        if not json:
            _tell_changes(changes)
    with Index.open(index) as opened:
        counts = opened.languages()
        outcome |= {"passages": opened.count(), "languages": sorted(counts), "passages_by_language": counts}
    measured = _check(opened, recall, outcome["passages"], bool(inputs))
    outcome["recall"] = None if measured is None else vars(measured)
    if export is not None:
        outcome["exported"] = export_index(opened, export)
    if json:
        show.print_json(outcome)
        return
    _print(outcome, bool(inputs) and among is None and language is None)
    if export is not None:
        show.result(f"wrote {outcome['exported']:,} vectors: {export}")


def _print(outcome: dict[str, Any], detected: bool) -> None:
    """Print what the index holds now, and how exact its engine is."""
    if "deleted" in outcome:
        show.result(f"deleted {outcome['deleted']:,} passages")
    counts = outcome["passages_by_language"]
    show.result(f"{outcome['index']}: {outcome['passages']:,} passages in {len(counts)} languages")
    _tell_languages(counts, detected)
    if measured := outcome["recall"]:
        show.result(
            f"checked with {measured['questions']} searches: recall@{measured['k']} {measured['recall']:.3f} "
            f"of exact scores, {measured['milliseconds']:.1f} ms a search"
        )


def _sizes(
    inputs: Sequence[str], candidates: Sequence[str] | None, reading: dict[str, Any]
) -> tuple[int, int]:
    """Read all documents, so that mistakes show before the long work; return how many, and about how many
    passages they make.
    """
    from panglot.search.documents import detect_languages, read_documents

    if candidates:
        detect_languages((), candidates)  # refuses those that it does not know
    skipped: list[str] = []
    total = characters = 0
    with show.bar("reading", 0) as advance:
        for document in read_documents(inputs, skipped=skipped, **reading):
            total += 1
            characters += sum(len(section.text) for section in document.sections)
            advance(1)
    if skipped:
        reasons = some_of([sentence.split("; ")[0] for sentence in skipped], "; ")
        show.note(f"{len(skipped):,} files cannot be read and are left out: {reasons}.")
    return total, max(total, characters // A_PASSAGE)


def _open(
    place: str,
    model: str | None,
    centre: bool,
    settings: dict[str, Any],
    loading: dict[str, Any],
    passages: int,
) -> "Index":
    """Open an index to add to, or make it for about so many passages, with its model."""
    from panglot.search.facts import own_means
    from panglot.search.index import Index, existing_facts

    facts = existing_facts(place)
    if settings["engine"] is None and facts is None and passages > EXACT_UP_TO:
        settings["engine"] = "milvus"  # a Milvus server has one engine in any case
    name = model or (facts.name if facts is not None else "multilingual-e5-small")
    if facts is not None:
        for setting in ("max_length", "truncate_dim"):
            if loading[setting] is None:
                loading[setting] = getattr(facts, setting)
    encoder = encoders.load_encoder(name, **loading)
    means = own_means(name) if centre or (facts is not None and facts.centring) else None
    return Index.create(place, encoder, name=name, means=means, **settings)


def _columns(texts: Sequence[str] | None) -> dict[str, str]:
    """Read FIELD=COLUMN."""
    found = dict(text.partition("=")[::2] for text in texts or ())
    if wrong := [text for text in texts or () if not all(text.partition("="))]:
        raise PanglotError(f"--column: '{wrong[0]}' maps nothing. Write FIELD=COLUMN, such as text=body.")
    if len(found) < len(texts or ()):
        raise PanglotError("--column: a field is mapped twice. Map it once.")
    return found


def _tell_changes(changes: "Changes") -> None:
    parts = [
        f"{getattr(changes, name):,} {name}"
        for name in ("added", "changed", "moved", "unchanged", "deleted")
        if getattr(changes, name)
    ]
    show.result(f"{changes.documents:,} documents; passages: {', '.join(parts) or 'none'}")
    if changes.without_text:
        names = some_of(changes.without_text)
        show.note(f"{len(changes.without_text):,} documents have no text: {names}.")


def _tell_languages(counts: dict[str, int], detected: bool) -> None:
    if counts:
        show.result(some_of([f"{code} {count:,}" for code, count in counts.items()]))
    rare = [code for code, count in counts.items() if count < RARE * sum(counts.values())]
    if detected and rare:
        common = ",".join(code for code in counts if code not in rare)
        show.note(f"few passages are in {some_of(rare)}. If that is wrong, add --among {common}.")


def _check(opened: "Index", wanted: int | None, passages: int, indexed: bool) -> "Recall | None":
    from panglot.search.export import QUESTIONS, check_recall

    if wanted == 0 or not passages or (wanted is None and not indexed):
        return None
    if wanted is None and passages > CHECKED:
        show.note(
            f"recall is checked by default up to {CHECKED:,} passages only. To check it, use --recall 50."
        )
        return None
    return check_recall(opened, wanted or QUESTIONS)
