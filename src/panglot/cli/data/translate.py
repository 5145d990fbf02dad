"""``panglot data translate``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from panglot.cli import show
from panglot.cli.options import Json, TrustRemoteCode


def translate(
    pairs: Annotated[Path, Argument(help="Pairs, as for panglot train.")],
    model: Annotated[
        str,
        Option(
            help="Folder or hub id of a translation model: NLLB-200, M2M-100, MADLAD-400, Opus-MT, mBART-50."
        ),
    ],
    to: Annotated[str, Option(help="Languages to translate into, e.g. de,sw,zh-Hant.")],
    output: Annotated[
        Path,
        Option(
            help="Write all pairs to this file. Run the same command again to continue after an interruption."
        ),
    ],
    source: Annotated[
        str | None,
        Option(
            "--from",
            help="Translate from this language, and skip items that lack it. "
            "(default: en, or the language of an item's first row)",
        ),
    ] = None,
    fields: Annotated[
        str, Option(help="Fields to translate; without 'negatives', new rows have none.")
    ] = "query,passage,negatives",
    beams: Annotated[int, Option(help="Number of beams; 1 is greedy search.")] = 1,
    bf16: Annotated[bool, Option("--bf16", help="Compute in bfloat16: half the memory.")] = False,
    max_tokens: Annotated[
        int, Option(help="Maximum number of tokens in a segment. Longer sentences are cut.")
    ] = 200,
    token_budget: Annotated[int, Option(help="Padded tokens in a batch, times the number of beams.")] = 4096,
    revision: Annotated[str | None, Option(help="Revision of a hub model.")] = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Make pairs parallel: translate every item into the languages that it lacks.

    Existing texts are kept. Translations that are empty, cut off, copies, repetitions, or far too short or
    long are left out and counted. A file beside the output lists which rows were translated, and how.

    Example:

      panglot data translate pairs.jsonl --model facebook/nllb-200-distilled-600M --to de --output out.jsonl
    """
    from panglot.data.catalogue.training import load_source
    from panglot.data.pairs_files.read import check_pairs_path
    from panglot.translate.plan import plan

    check_pairs_path(output)
    chosen = load_source(pairs)
    targets = [name.strip() for name in to.split(",") if name.strip()]
    rows = sum(len(job.rows) for job in plan(chosen, targets, source))
    from panglot.translate import load_translator, translate_pairs  # loads torch
    from panglot.translate.translate import read_note

    translator = load_translator(model, revision=revision, bf16=bf16, trust_remote_code=trust_remote_code)
    with show.bar("translating", rows) as advance:
        found = translate_pairs(
            translator,
            chosen,
            targets,
            output,
            source=source,
            fields=[name.strip() for name in fields.split(",") if name.strip()],
            beams=beams,
            max_tokens=max_tokens,
            token_budget=token_budget,
            before=read_note(pairs),
            progress=advance,
        )
    figures = {"output": str(output), **found.summary}
    show.answer(
        json,
        figures,
        f"{figures['source']}: {figures['rows_translated']:,} of {rows:,} rows translated "
        f"({figures['texts']:,} texts), after {figures['rows_kept']:,} existing rows",
        *(f"  left out: {count:,} ({problem})" for problem, count in figures["left_out"].items()),
        f"  written to {output}; {found.note.name} describes the translated rows",
    )
