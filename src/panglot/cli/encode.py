"""``panglot encode``."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show


def encode(
    model: Annotated[str, typer.Argument(help="multilingual-e5-small, a model's folder, or a hub id.")],
    output: Annotated[Path, typer.Option(help="The store's folder: new, or one to be completed.")],
    benchmark: Annotated[str, typer.Option(help="A benchmark by name; its passages are encoded.")] = "sample",
    data: Annotated[
        Path | None, typer.Option(help="The benchmark's folder or file; 'sample' needs none.")
    ] = None,
    languages: Annotated[str | None, typer.Option(help="Only passages in these languages.")] = None,
    candidate_text: Annotated[
        str | None, typer.Option(help="LAReQA: sentence (the default) or sentence+context.")
    ] = None,
    dtype: Annotated[
        str, typer.Option(help="float32, float16 (half the space), or int8 (a quarter of it).")
    ] = "float16",
    shard_size: Annotated[
        int, typer.Option(help="Passages in a shard: the most that is lost when the command is stopped.")
    ] = 100_000,
    part: Annotated[
        str, typer.Option(help="Only a part of the shards, as 3/16: one process or machine a part.")
    ] = "1/1",
    workers: Annotated[
        int, typer.Option(help="Encode in so many processes, with Ray (pip install 'panglot[ray]').")
    ] = 0,
    max_length: Annotated[
        int | None, typer.Option(help="Cut texts at so many tokens. (default: the model's limit)")
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Encode in bfloat16: faster.")] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON, and nothing else.")] = False,
) -> None:
    """Encode a benchmark's passages into a store on disk, for pools that do not fit in memory.

    A store is written in shards, each whole or not at all: run the command again to continue. Evaluate with
    it: panglot evaluate MODEL --benchmark NAME --store FOLDER.

    Examples:

      panglot encode intfloat/multilingual-e5-small --benchmark miracl --languages en --output stores/e5

      panglot encode runs/hybrid --benchmark miracl --output stores/hybrid --dtype int8 --part 3/16
    """
    from panglot.data import load_benchmark
    from panglot.encoders import load_encoder
    from panglot.encoders.store import read_facts
    from panglot.encoders.store_write import missing_shards, parse_part
    from panglot.evaluation.stores import encode_passages, load_reader, store_facts

    chosen_part = parse_part(part)
    chosen = load_benchmark(benchmark, data, candidate_text)
    if languages:
        chosen = chosen.restrict(languages.split(","))
    load = partial(load_encoder, model, max_length=max_length, trust_remote_code=trust_remote_code)
    encoder = load()
    facts = store_facts(encoder, chosen, name=model, dtype=dtype, shard_size=shard_size, bf16=bf16)
    spans = [facts.span(shard) for shard in missing_shards(output, facts, chosen_part)]
    with show.bar("encoding", sum(span.stop - span.start for span in spans)) as advance:
        if workers:
            from panglot.encoders.distributed import write_shards_with_ray

            read = partial(load_reader, benchmark, data, candidate_text, languages)
            written = write_shards_with_ray(load, read, output, facts, chosen_part, workers, advance)
        else:
            written = encode_passages(encoder, chosen, output, facts, part=chosen_part, progress=advance)
    left = len(missing_shards(output, facts))
    if json:
        show.print_json(
            {
                "store": str(output),
                **read_facts(output).as_json(),
                "written": {"shards": len(written.shards), "rows": written.rows},
                "rms_error": written.rms_error,
                "missing_shards": left,
            }
        )
        return
    if written.rows:
        typical = written.rms_error / facts.dimension**0.5
        show.tell(f"encoded {written.rows:,} passages; {dtype} changes a cosine by {typical:.0e} (rms)")
    if left:
        show.note(f"{left} of {facts.shards} shards are still missing; encode the other parts.")
    else:
        show.tell(f"the store is complete: {output}, {facts.rows:,} passages in {facts.shards} shards")
