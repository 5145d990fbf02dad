"""``panglot mine``."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from panglot import encoders
from panglot.cli import show
from panglot.cli.options import Json, MaxLength, Model, TrustRemoteCode
from panglot.errors import PanglotError


def mine(
    pairs: Annotated[
        list[Path],
        Option(help="Parallel pairs, as for panglot train. Repeat the option for each source."),
    ],
    output: Annotated[
        Path,
        Option(help="Write the pairs with negatives to this file, or for several sources into this folder."),
    ],
    model: Model = "multilingual-e5-small",
    negatives: Annotated[int, Option(help="Maximum number of negatives per row.")] = 4,
    across_languages: Annotated[
        bool,
        Option(
            "--across-languages/--within-language",
            help="Rank candidates by their mean score over all languages, which gives an item the same "
            "negatives in all languages; or rank them in each language separately.",
        ),
    ] = True,
    centred: Annotated[
        bool,
        Option(
            "--centred/--raw",
            help="Score a passage by its cosine minus the mean of its language, or by its cosine.",
        ),
    ] = True,
    margin: Annotated[
        float,
        Option(
            help="Highest score of a negative, as a share of the score of the row's own passage. "
            "Passages above it are often right answers."
        ),
    ] = 0.95,
    absolute_margin: Annotated[
        float,
        Option(help="Smallest difference between the scores of the row's own passage and of a negative."),
    ] = 0.0,
    duplicate: Annotated[
        float, Option(help="Highest cosine between a negative and the row's own passage; 1 allows all.")
    ] = 0.9,
    skip_top: Annotated[int, Option(help="Skip this many of the hardest candidates.")] = 0,
    corpus: Annotated[
        list[str] | None,
        Option(
            help="More candidates, for --within-language only: files of texts with a language, as panglot "
            "index reads them; repeatable."
        ),
    ] = None,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace existing negatives. (default: keep them)")
    ] = False,
    max_length: MaxLength = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Find hard negatives for all queries, and write the pairs with them for `panglot train`.

    A hard negative is a wrong passage in the row's language that an encoder ranks high. The command excludes
    passages of the same item, equal texts, near-duplicates, and passages that score so high that they may be
    answers.

    Example:

      panglot mine --model runs/tuned --pairs pairs.jsonl.gz --output mined.jsonl.gz
    """
    from panglot.data.catalogue.training import load_source

    places = _places(pairs, output)
    if corpus and across_languages:
        raise PanglotError("--corpus has texts without translations; give --within-language, too.")
    sources = [load_source(path) for path in pairs]
    texts = _texts(corpus or [])
    if unused := sorted(set(texts) - {code for source in sources for code in source.languages}):
        show.note(f"texts of --corpus in {', '.join(unused)} are not used: no pairs are in that language.")
    from panglot.search.mine import mine_negatives  # loads torch

    encoder = encoders.load_encoder(model, max_length=max_length, trust_remote_code=trust_remote_code)
    figures: list[dict[str, Any]] = []
    for source, place in zip(sources, places, strict=True):
        further = sum(len(texts.get(language, [])) for language in source.languages)
        with show.bar(f"mining {source.name}", 3 * source.index.entries + further) as advance:
            mined = mine_negatives(
                encoder,
                source,
                negatives,
                across_languages=across_languages,
                centred=centred,
                margin=margin,
                absolute_margin=absolute_margin,
                duplicate=duplicate,
                skip_top=skip_top,
                overwrite=overwrite,
                corpus=texts,
                progress=advance,
            )
        mined.save(place)
        figures.append({"output": str(place), **mined.summary()})
        if not json:
            _print(figures[-1])
    if json:
        show.print_json({"model": model, "across_languages": across_languages, "files": figures})


def _places(pairs: list[Path], output: Path) -> list[Path]:
    """Return the output file of each source."""
    from panglot.data.pairs_files.read import check_pairs_path, names_pairs_file

    places = [output]
    if len(pairs) > 1:
        names = [
            path.name if names_pairs_file(path) else f"{path.resolve().name.partition('.')[0]}.jsonl"
            for path in pairs
        ]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise PanglotError(
                f"two sources have the name '{twice[0]}' and would be written to the same file. Rename one."
            )
        places = [output / name for name in names]
    for place in places:
        check_pairs_path(place)
        if place.resolve() in [path.resolve() for path in pairs]:
            raise PanglotError(f"{place}: --output is a file of --pairs. Choose another --output.")
    return places


def _texts(corpus: list[str]) -> dict[str, list[str]]:
    """Return the texts of a corpus by language."""
    from panglot.search.documents import read_documents

    found: dict[str, list[str]] = {}
    for document in read_documents(corpus):
        if document.language is None:
            raise PanglotError(f"{document.where}: has no language. Add 'language', such as \"en\".")
        parts = (document.title, *(section.text for section in document.sections))
        found.setdefault(document.language, []).append(" ".join(part for part in parts if part))
    return found


def _print(figures: dict[str, Any]) -> None:
    """Print what was found in one source."""
    excluded = figures["excluded"]
    show.result(
        f"{figures['source']}: {figures['rows']:,} rows in {figures['languages']} languages, "
        f"{figures['negatives_per_row']:.2f} negatives per row, {figures['rows_without']:,} rows with none"
    )
    if figures["rows_kept"]:
        show.result(f"  {figures['rows_kept']:,} more rows keep their negatives")
    show.result(
        f"  candidates excluded: {excluded['same']:,} of the same item, passage or text, "
        f"{excluded['duplicate']:,} near-duplicates, {excluded['margin']:,} that score too high"
    )
    show.result(f"  written to {figures['output']}")
