"""``panglot trim``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from panglot.cli import show
from panglot.cli.options import Encoder, Json, TrustRemoteCode

MUCH = 0.01  # share of changed tokens above which a note is printed
SIZES = (
    ("pieces", "pieces", 1, 0),
    ("parameters", "parameters, M", 1e6, 1),
    ("bytes", "weights, MB", 1e6, 1),
)


def trim(
    model: Encoder,
    output: Annotated[
        Path, typer.Option(help="Write the smaller model into this folder, which must be new or empty.")
    ],
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            help="Keep the tokens of these texts: parallel pairs, or a folder of LAReQA; repeatable."
        ),
    ] = None,
    languages: Annotated[
        str | None,
        typer.Option(
            help="Use only these languages of the pairs. Without --pairs: keep all tokens in their scripts."
        ),
    ] = None,
    extra: Annotated[
        list[Path] | None,
        typer.Option(help="Keep all tokens of this plain text file, too, one text a line; repeatable."),
    ] = None,
    min_count: Annotated[
        int,
        typer.Option(help="Drop tokens that occur less often in the pairs; 1 changes none of their texts."),
    ] = 1,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Make a model smaller by removing tokens that some languages do not need.

    Most weights of a multilingual encoder belong to its vocabulary. A text whose tokens are all kept has the
    same embedding as before. The command prints the sizes, and how much other texts change.

    Examples:

      panglot trim runs/hybrid --pairs pairs.jsonl.gz --languages en,de,ar --output runs/small

      panglot trim intfloat/multilingual-e5-small --languages en,th --output e5-en-th
    """
    from panglot import encoders
    from panglot.encoders.trimming import lines_of, trim_encoder
    from panglot.training import training_of
    from panglot.training.recipes import load_source

    training = training_of(model)
    facts = trim_encoder(
        encoders.load_encoder(model, trust_remote_code=trust_remote_code),
        output,
        pairs=[load_source(path) for path in pairs or ()],
        languages=languages.split(",") if languages else None,
        extra=[line for path in extra or () for line in lines_of(path)],
        min_count=min_count,
        name=model,
        beside={"run.json": training} if training else None,
        trust_remote_code=trust_remote_code,
        bar=show.bar,
    )
    if json:
        show.print_json(facts)
        return
    _tell(facts, output)


def _tell(facts: dict[str, Any], output: Path) -> None:
    """Print the sizes before and after, and the changes of texts."""
    for name, title, unit, digits in SIZES:
        before, after = (facts[name][when] / unit for when in ("before", "after"))
        change = 100 * (after / before - 1)
        show.tell(f"{title:14}{before:>10,.{digits}f} -> {after:>8,.{digits}f}   {change:+.0f}%")
    for name, title in (("given", "given texts"), ("sample", "other texts (the bundled sample)")):
        if cost := facts["cost"][name]:
            show.tell(
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
    show.tell(f"wrote the model to {output}, and the figures to {output / 'trim.json'}")
