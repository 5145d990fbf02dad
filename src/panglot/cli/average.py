"""``panglot average``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.errors import PanglotError

CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- panglot
---

# The average of {count} models

Weighted mean of the weights of models that were trained from the same one, made by panglot;
`average.json` names them.
"""


def average(
    models: Annotated[list[str], typer.Argument(help="Folders or hub ids of models of one architecture.")],
    output: Annotated[Path, typer.Option(help="Folder for the averaged model; empty or new.")],
    weights: Annotated[
        str | None, typer.Option(help="One a model, separated by commas. (default: all the same)")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON, and nothing else.")] = False,
) -> None:
    """Average the weights of models that were trained from the same one.

    Runs of several seeds give one steadier model; a fine-tuned model and the one that it was trained from
    give one that keeps more of what the latter knew.

    Example:

      panglot average runs/hybrid intfloat/multilingual-e5-small --weights 0.7,0.3 --output runs/kept
    """
    from panglot.encoders import average as average_weights
    from panglot.encoders import load_encoder, model_sha256
    from panglot.files import check_new_folder, folder_written_whole, write_json
    from panglot.training import training_of

    check_new_folder(output)
    shares = None if weights is None else [_number(text) for text in weights.split(",")]
    encoders = [load_encoder(name, trust_remote_code=trust_remote_code) for name in models]
    facts = {
        "schema": 1,
        "models": [
            {"name": name, "sha256": model_sha256(encoder)}
            for name, encoder in zip(models, encoders, strict=True)
        ],
        "weights": shares or [1.0] * len(models),
    }
    averaged = average_weights(encoders, shares)
    facts["sha256"] = model_sha256(averaged)
    training = next((found for found in map(training_of, models) if found), None)
    with folder_written_whole(output) as part:
        averaged.save_pretrained(str(part), create_model_card=False)
        (part / "README.md").write_text(CARD.format(count=len(models)), encoding="utf-8")
        write_json(part / "average.json", facts)
        if training:
            write_json(part / "run.json", training)
    if json:
        show.print_json(facts)
        return
    show.tell(f"the average of {len(models)} models is in {output}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PanglotError(f"'{text}' is no weight; write numbers such as 0.7,0.3.") from error
