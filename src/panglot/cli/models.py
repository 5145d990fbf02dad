"""``panglot centre``, ``trim``, ``average`` and ``push``: what is done with a model that is there."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from panglot import encoders, training
from panglot.cli import show
from panglot.cli.options import Encoder, Json, MaxLength, TrustRemoteCode
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from panglot.data import ParallelPairs
    from panglot.encoders import LanguageMeans

TEXTS = 1000  # of each language


def centre(
    model: Annotated[str, Argument(help="Model folder, multilingual-e5-small, or hub id.")],
    pairs: Annotated[
        list[Path] | None,
        Option(help="Parallel pairs, as for panglot train. Repeat the option for each source. (required)"),
    ] = None,
    output: Annotated[
        Path | None,
        Option(help="Write the means to this folder or .safetensors file. (default: the model's folder)"),
    ] = None,
    texts: Annotated[int, Option(help="Maximum number of queries, and of passages, per language.")] = TEXTS,
    shift: Annotated[
        str | None,
        Option(
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

      panglot centre runs/tuned --pairs pairs.jsonl.gz

      panglot centre runs/tuned --pairs pairs.jsonl.gz --shift en
    """
    from panglot.data.catalogue.training import load_source

    if not pairs:
        raise PanglotError("--pairs is missing. Name files of parallel pairs with it.")
    if output is None and not Path(model).is_dir():
        raise PanglotError(
            f"'{model}' is not a folder, so the means cannot be written into it. Name a folder with --output."
        )
    sources = [load_source(path) for path in pairs]
    encoder = encoders.load_encoder(model, max_length=max_length, trust_remote_code=trust_remote_code)
    if shift is None:
        means = _means(encoder, sources, texts)
    else:
        with show.bar("computing shifts", 0) as advance:
            means = encoders.shift_of_pairs(encoder, sources, shift, texts, progress=advance)
    place = encoders.save_language_means(output or model, means)
    for sentence in encoders.centring_notes(
        means.passage, means.passage.languages, "queries and of passages"
    ):
        show.note(sentence)
    counts = {
        "query": means.query.counts(means.query.languages),
        "passage": means.passage.counts(means.passage.languages),
    }
    sentence = f"wrote the means of {len(counts['query'])} languages to {place}"
    show.answer(json, {"means": str(place), "texts": counts}, sentence)


def check_centre(choice: str) -> None:
    """Refuse a ``--centre`` that names a missing file, before a model is loaded."""
    if choice not in ("corpus", "model") and not Path(choice).exists():
        raise PanglotError(
            f"--centre {choice}: there is no such file. Use corpus, model, or a file of pairs or means."
        )


def means_for(
    choice: str, name: str, encoder: "SentenceTransformer", languages: Sequence[str]
) -> "LanguageMeans | Literal['corpus']":
    """Return the means that ``--centre`` names: ``corpus``, the model's own means, or those of a file.

    Args:
        choice: ``corpus``, ``model``, or a file (or folder) of means or of parallel pairs.
        languages: those of the benchmark; only pairs in these languages are encoded.
    """
    from panglot.data.catalogue.training import load_source

    if choice == "corpus":
        return "corpus"
    if choice == "model":
        return encoders.load_language_means(name)
    if encoders.holds_language_means(choice):
        return encoders.load_language_means(choice)
    check_centre(choice)
    source = load_source(Path(choice))
    shared = [code for code in source.languages if code in languages]
    if not shared:
        raise PanglotError(f"{choice}: the file has no pairs in the benchmark's languages. Name other pairs.")
    return _means(encoder, [source.select(languages=shared)], TEXTS)


def _means(encoder: "SentenceTransformer", sources: Sequence["ParallelPairs"], texts: int) -> "LanguageMeans":

    with show.bar("computing language means", encoders.count_texts(sources, texts)) as advance:
        return encoders.means_of_pairs(encoder, sources, texts, progress=advance)


MUCH = 0.01  # share of changed tokens above which a note is printed
SIZES = (
    ("pieces", "tokens", 1, 0),
    ("parameters", "parameters, M", 1e6, 1),
    ("bytes", "weights, MB", 1e6, 1),
)


def trim(
    model: Encoder,
    output: Annotated[
        Path, Option(help="Write the smaller model into this folder, which must be new or empty.")
    ],
    pairs: Annotated[
        list[Path] | None,
        Option(help="Keep the tokens of these texts: parallel pairs, or a folder of LAReQA; repeatable."),
    ] = None,
    languages: Annotated[
        str | None,
        Option(
            help="Use only these languages of the pairs. Without --pairs: keep all tokens in their scripts."
        ),
    ] = None,
    extra: Annotated[
        list[Path] | None,
        Option(help="Keep all tokens of this plain text file, too, one text a line; repeatable."),
    ] = None,
    min_count: Annotated[
        int, Option(help="Drop tokens that occur less often in the pairs; 1 changes none of their texts.")
    ] = 1,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Make a model smaller by removing tokens that some languages do not need.

    Most weights of a multilingual encoder belong to its vocabulary. A text whose tokens are all kept has the
    same embedding as before. The command prints the sizes, and how much other texts change.

    Examples:

      panglot trim runs/tuned --pairs pairs.jsonl.gz --languages en,de,ar --output runs/small

      panglot trim intfloat/multilingual-e5-small --languages en,th --output e5-en-th
    """
    from panglot.data.catalogue.training import load_source
    from panglot.files import check_new_folder

    check_new_folder(output)
    if not pairs and not languages:
        raise PanglotError("nothing says which tokens to keep; give --pairs, --languages or both.")
    from panglot.encoders.trimming import lines_of, trim_encoder  # loads torch

    run = training.training_of(model)
    facts = trim_encoder(
        encoders.load_encoder(model, trust_remote_code=trust_remote_code),
        output,
        pairs=[load_source(path) for path in pairs or ()],
        languages=languages.split(",") if languages else None,
        extra=[line for path in extra or () for line in lines_of(path)],
        min_count=min_count,
        name=model,
        beside={"run.json": run} if run else None,
        trust_remote_code=trust_remote_code,
        bar=show.bar,
    )
    if json:
        show.print_json(facts)
        return
    _tell_sizes(facts, output)


def _tell_sizes(facts: dict[str, Any], output: Path) -> None:
    """Print the sizes before and after, and the changes of texts."""
    for name, title, unit, digits in SIZES:
        before, after = (facts[name][when] / unit for when in ("before", "after"))
        change = 100 * (after / before - 1)
        show.result(f"{title:14}{before:>10,.{digits}f} -> {after:>8,.{digits}f}   {change:+.0f}%")
    for name, title in (("given", "given texts"), ("sample", "other texts (the bundled sample)")):
        if cost := facts["cost"][name]:
            show.result(
                f"{cost['texts']} {title}: {100 * cost['tokens_changed']:.2f}% of tokens changed, "
                f"{100 * cost['unknown_before']:.2f}% -> {100 * cost['unknown_after']:.2f}% unknown; "
                f"cosine to the whole model {cost['cosine_mean']:.4f}, lowest {cost['cosine_lowest']:.4f}"
            )
    other = facts["cost"]["sample"]
    if other and other["tokens_changed"] > MUCH:
        show.note(
            f"{100 * other['tokens_changed']:.1f}% of the tokens of other texts in these languages changed; "
            "give more texts like those that you will search (--pairs, --extra), or leave --pairs out."
        )
    show.result(f"wrote the model to {output}, and the figures to {output / 'trim.json'}")


CARD = """
# The average of {count} models

panglot averaged the weights of models that were fine-tuned from the same model.
`average.json` lists them.
"""


def average(
    models: Annotated[
        list[str], Argument(help="Model folders or hub ids. All models must have the same architecture.")
    ],
    output: Annotated[
        Path, Option(help="Write the averaged model into this folder, which must be new or empty.")
    ],
    weights: Annotated[
        str | None, Option(help="Weight of each model, separated by commas. (default: equal weights)")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Average the weights of models that were fine-tuned from the same model.

    The average of several seeds varies less than one run. The average of a fine-tuned model and its original
    keeps more of the original's abilities.

    Example:

      panglot average runs/tuned intfloat/multilingual-e5-small --weights 0.7,0.3 --output runs/kept
    """
    from panglot.encoders.names import card_head
    from panglot.files import atomic_folder, check_new_folder, write_json

    check_new_folder(output)
    shares = None if weights is None else [_number(text) for text in weights.split(",")]
    from panglot.encoders.load import save_encoder  # loads torch

    loaded = [encoders.load_encoder(name, trust_remote_code=trust_remote_code) for name in models]
    parts = zip(models, map(encoders.model_sha256, loaded), strict=True)
    facts = {
        "schema": 1,
        "models": [{"name": name, "sha256": checksum} for name, checksum in parts],
        "weights": shares or [1.0] * len(models),
    }
    averaged = encoders.average(loaded, shares)
    facts["sha256"] = encoders.model_sha256(averaged)
    runs = [run for run in map(training.training_of, models) if run]
    sources = [source for run in runs for source in run["data"]]
    run = {**runs[0], "data": [s for k, s in enumerate(sources) if s not in sources[:k]]} if runs else None
    with atomic_folder(output) as part:
        save_encoder(averaged, part)
        card = card_head([], ["panglot"]) + CARD.format(count=len(models))
        (part / "README.md").write_text(card, encoding="utf-8")
        write_json(part / "average.json", facts)
        if run:
            write_json(part / "run.json", run)
    show.answer(json, facts, f"wrote the average of {len(models)} models to {output}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PanglotError(f"--weights: '{text}' is not a number. Write numbers such as 0.7,0.3.") from error


def push(
    folder: Annotated[Path, Argument(help="Folder of a finished model.")],
    repo: Annotated[str, Argument(help="Repository on the hub: OWNER/NAME.")],
    results: Annotated[
        list[Path] | None, Option(help="Results file of this model for the card (model-index); repeatable.")
    ] = None,
    licence: Annotated[
        str | None,
        Option(
            "--license", help="License of the model for the card, e.g. mit. (default: what the card says)"
        ),
    ] = None,
    private: Annotated[bool, Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, Option(help="Branch to write to. (default: main)")] = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Annotated[bool, Option("--json", help="Print only JSON: the address of the commit.")] = False,
) -> None:
    """Upload a model with its card to the Hugging Face hub.

    The card in the folder stays as it is. Log in first: hf auth login.

    Example:

      panglot push runs/tuned me/tuned --results results.json --license mit --private
    """
    from panglot.evaluation.results import load_results
    from panglot.report.export import names_licence, push_model

    loaded = [load_results(path).results for path in results or ()]
    if loaded and (folder / "modules.json").is_file():
        own = encoders.model_sha256(encoders.load_encoder(str(folder), trust_remote_code=trust_remote_code))
        for path, found in zip(results or (), loaded, strict=True):
            if found["model"]["sha256"] != own:
                raise PanglotError(f"{path}: is of another model than {folder}; name results of this one.")
    address = push_model(folder, repo, results=loaded, licence=licence, private=private, revision=revision)
    if licence is None and not json and not names_licence(folder):
        show.note("the card names no license. Name that of the model it began with: --license.")
    show.answer(json, {"repo": repo, "commit": address}, f"pushed to {address}")
