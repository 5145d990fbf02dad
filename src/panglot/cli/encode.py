"""``panglot encode``."""

from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Option

from panglot import encoders
from panglot.cli import show
from panglot.cli.options import (
    Bf16,
    CandidateText,
    Data,
    Encoder,
    Json,
    MaxLength,
    TruncateDim,
    TrustRemoteCode,
)


def encode(
    model: Encoder,
    output: Annotated[Path, Option(help="Folder of the store. An incomplete store is completed.")],
    benchmark: Annotated[str, Option(help="Name of the benchmark whose passages are encoded.")] = "sample",
    data: Data = None,
    languages: Annotated[
        str | None, Option(help="Encode only passages in these languages, e.g. en,de,sw.")
    ] = None,
    candidate_text: CandidateText = None,
    dtype: Annotated[
        str,
        Option(help="Number format: float32, float16 (half the space), or int8 (a quarter of the space)."),
    ] = "float16",
    shard_size: Annotated[
        int, Option(help="Passages per shard. An interrupted command loses at most one shard.")
    ] = 100_000,
    part: Annotated[
        str,
        Option(
            help="Encode only this part of the shards, e.g. 3/16, so that several machines share the work."
        ),
    ] = "1/1",
    workers: Annotated[
        int,
        Option(
            help="Number of processes, run by Ray (pip install 'panglot[ray]'). 0 uses this process only."
        ),
    ] = 0,
    max_length: MaxLength = None,
    truncate_dim: TruncateDim = None,
    bf16: Bf16 = False,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Encode the passages of a benchmark into a store on disk, for pools that do not fit in memory.

    The store consists of shards. Run the same command again to continue after an interruption. To evaluate
    with the store: panglot evaluate MODEL --benchmark NAME --store FOLDER.

    Examples:

      panglot encode intfloat/multilingual-e5-small --benchmark miracl --languages en --output stores/e5

      panglot encode runs/tuned --benchmark miracl --output stores/tuned --dtype int8 --part 3/16
    """
    from panglot.data import load_data
    from panglot.data.suite import as_benchmark
    from panglot.encoders.store import FACTS, read_facts
    from panglot.encoders.store_write import missing_shards, parse_part
    from panglot.evaluation.stores import encode_passages, load_reader, store_facts
    from panglot.files import check_new_folder

    chosen_part = parse_part(part)
    if not (output / FACTS).exists():
        check_new_folder(output)
    codes = languages.split(",") if languages else None
    chosen = as_benchmark(load_data(benchmark, data, candidate_text, codes))
    load = partial(
        encoders.load_encoder,
        model,
        max_length=max_length,
        truncate_dim=truncate_dim,
        trust_remote_code=trust_remote_code,
    )
    encoder = load()
    facts = store_facts(encoder, chosen, name=model, dtype=dtype, shard_size=shard_size, bf16=bf16)
    spans = [facts.span(shard) for shard in missing_shards(output, facts, chosen_part)]
    with show.bar("encoding", sum(span.stop - span.start for span in spans)) as advance:
        if workers:
            from panglot.encoders.store_write import write_shards_with_ray

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
        show.result(f"encoded {written.rows:,} passages; {dtype} changes a cosine by {typical:.0e} (rms)")
    if left:
        show.note(f"{left} of {facts.shards} shards are missing. Encode the other parts.")
    else:
        show.result(f"the store is complete: {output}, {facts.rows:,} passages in {facts.shards} shards")
