"""``panglot trim``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from panglot.cli import show

MUCH = 0.01  # share of changed tokens that a person should hear of
SIZES = (
    ("pieces", "pieces", 1, 0),
    ("parameters", "parameters, M", 1e6, 1),
    ("bytes", "weights, MB", 1e6, 1),
)


def trim(
    model: Annotated[str, typer.Argument(help="multilingual-e5-small, a model's folder, or a hub id.")],
    output: Annotated[Path, typer.Option(help="Folder for the smaller model; empty or new.")],
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            help="Keep the pieces that these texts need: parallel pairs, or a folder of LAReQA. Repeatable."
        ),
    ] = None,
    languages: Annotated[
        str | None,
        typer.Option(
            help="Only these languages of the pairs, e.g. en,de,sw; without --pairs: all in their scripts."
        ),
    ] = None,
    extra: Annotated[
        list[Path] | None,
        typer.Option(help="Plain text, a text a line, whose pieces stay too, however rare. Repeatable."),
    ] = None,
    min_count: Annotated[
        int, typer.Option(help="Drop pieces that the pairs need less often; 1 changes none of their texts.")
    ] = 1,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON, and nothing else.")] = False,
) -> None:
    """Make a model smaller: keep only the vocabulary that some languages need.

    Most weights of a multilingual encoder are its vocabulary. Texts whose pieces are all kept have the same
    embeddings as before; the figures say what that saves, and what it costs other texts.

    Examples:

      panglot trim runs/hybrid --pairs pairs.jsonl.gz --languages en,de,ar --output runs/small

      panglot trim intfloat/multilingual-e5-small --languages en,th --output e5-en-th
    """
    from panglot.encoders import load_encoder
    from panglot.encoders.trimming import lines_of, trim_encoder
    from panglot.training import training_of
    from panglot.training.recipes import load_source

    training = training_of(model)
    facts = trim_encoder(
        load_encoder(model, trust_remote_code=trust_remote_code),
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
    """Say what was saved and what it costs."""
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
            "give more text (--pairs, --extra: what will be searched and asked), or leave --pairs out."
        )
    show.tell(f"the model is in {output}, its facts in {output / 'trim.json'}")
