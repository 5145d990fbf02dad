"""``panglot average``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.options import Json, TrustRemoteCode
from panglot.errors import PanglotError

CARD = """
# The average of {count} models

panglot averaged the weights of models that were fine-tuned from the same model.
`average.json` lists them.
"""


def average(
    models: Annotated[
        list[str],
        typer.Argument(help="Model folders or hub ids. All models must have the same architecture."),
    ],
    output: Annotated[
        Path, typer.Option(help="Write the averaged model into this folder, which must be new or empty.")
    ],
    weights: Annotated[
        str | None, typer.Option(help="Weight of each model, separated by commas. (default: equal weights)")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Average the weights of models that were fine-tuned from the same model.

    The average of several seeds varies less than one run. The average of a fine-tuned model and its original
    keeps more of the original's abilities.

    Example:

      panglot average runs/hybrid intfloat/multilingual-e5-small --weights 0.7,0.3 --output runs/kept
    """
    from panglot.encoders import average as average_weights
    from panglot.encoders import load_encoder, model_sha256
    from panglot.encoders.load import quiet_transformers
    from panglot.encoders.names import card_head
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
        with quiet_transformers():
            averaged.save_pretrained(str(part), create_model_card=False)
        card = card_head([], ["panglot"]) + CARD.format(count=len(models))
        (part / "README.md").write_text(card, encoding="utf-8")
        write_json(part / "average.json", facts)
        if training:
            write_json(part / "run.json", training)
    if json:
        show.print_json(facts)
        return
    show.tell(f"wrote the average of {len(models)} models to {output}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PanglotError(f"--weights: '{text}' is not a number. Write numbers such as 0.7,0.3.") from error
