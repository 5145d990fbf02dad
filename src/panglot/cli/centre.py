"""``panglot centre``, and the language means for ``panglot evaluate --centre``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from panglot.cli import show
from panglot.cli.options import Json, MaxLength, TrustRemoteCode
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from panglot.data import ParallelPairs
    from panglot.encoders import LanguageMeans

TEXTS = 1000  # of each language


def centre(
    model: Annotated[str, typer.Argument(help="Model folder, multilingual-e5-small, or hub id.")],
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            help="Parallel pairs, as for panglot train. Repeat the option for each source. (required)"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the means to this folder or .safetensors file. (default: the model's folder)"
        ),
    ] = None,
    texts: Annotated[
        int, typer.Option(help="Maximum number of queries, and of passages, per language.")
    ] = TEXTS,
    shift: Annotated[
        str | None,
        typer.Option(
            help="Instead of means, store what moves passages to where their translations in this language "
            "are, e.g. en."
        ),
    ] = None,
    max_length: MaxLength = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Compute the mean embedding of each language and store it with a model.

    Language centring subtracts these means from the embeddings, which lowers language bias without training.
    Use them with panglot evaluate --centre model or panglot index --centre.

    Example:

      panglot centre runs/hybrid --pairs pairs.jsonl.gz

      panglot centre runs/hybrid --pairs pairs.jsonl.gz --shift en
    """
    from panglot import encoders
    from panglot.training.recipes import load_source

    if not pairs:
        raise PanglotError("--pairs is missing. Name files of parallel pairs with it.")
    if output is None and not Path(model).is_dir():
        raise PanglotError(
            f"'{model}' is not a folder, so the means cannot be written into it. Name a folder with --output."
        )
    sources = [load_source(path) for path in pairs]
    encoder = encoders.load_encoder(model, max_length=max_length, trust_remote_code=trust_remote_code)
    means = _means(encoder, sources, texts) if shift is None else _shift(encoder, sources, shift, texts)
    place = encoders.save_language_means(output or model, means)
    for sentence in encoders.centring_notes(
        means.passage, means.passage.languages, "queries and of passages"
    ):
        show.note(sentence)
    counts = {
        "query": means.query.counts(means.query.languages),
        "passage": means.passage.counts(means.passage.languages),
    }
    if json:
        show.print_json({"means": str(place), "texts": counts})
        return
    show.tell(f"wrote the means of {len(counts['query'])} languages to {place}")


def _shift(
    encoder: "SentenceTransformer", sources: Sequence["ParallelPairs"], pivot: str, texts: int
) -> "LanguageMeans":
    from panglot import encoders

    with show.bar("computing shifts", 0) as advance:
        return encoders.shift_of_pairs(encoder, sources, pivot, texts, progress=advance)


def means_for(
    choice: str, name: str, encoder: "SentenceTransformer", languages: Sequence[str]
) -> "LanguageMeans | Literal['corpus']":
    """Return the means that ``--centre`` names: ``corpus``, the model's own means, or those of a file.

    Args:
        choice: ``corpus``, ``model``, or a file (or folder) of means or of parallel pairs.
        languages: those of the benchmark; only pairs in these languages are encoded.
    """
    from panglot import encoders
    from panglot.training.recipes import load_source

    if choice == "corpus":
        return "corpus"
    if choice == "model":
        return encoders.load_language_means(name)
    if encoders.holds_language_means(choice):
        return encoders.load_language_means(choice)
    if not Path(choice).exists():
        raise PanglotError(
            f"--centre {choice}: there is no such file. Use corpus, model, or a file of pairs or means."
        )
    source = load_source(Path(choice))
    shared = [code for code in source.languages if code in languages]
    if not shared:
        raise PanglotError(f"{choice}: the file has no pairs in the benchmark's languages. Name other pairs.")
    return _means(encoder, [source.select(languages=shared)], TEXTS)


def _means(encoder: "SentenceTransformer", sources: Sequence["ParallelPairs"], texts: int) -> "LanguageMeans":
    from panglot import encoders

    with show.bar("computing language means", encoders.count_texts(sources, texts)) as advance:
        return encoders.means_of_pairs(encoder, sources, texts, progress=advance)
