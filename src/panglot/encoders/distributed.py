"""Encoding a store's shards in several processes, or on the machines of a cluster, with Ray Data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from panglot.encoders.load import model_sha256
from panglot.encoders.store import StoreFacts
from panglot.encoders.store_write import Read, Written, begin_store, missing_shards, write_shards
from panglot.errors import PanglotError, needs


def write_shards_with_ray(
    load: Callable[[], SentenceTransformer],
    reader: Callable[[], Read],
    folder: Path,
    facts: StoreFacts,
    part: tuple[int, int] = (1, 1),
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Encode a store's missing shards in several processes; each loads the model, then takes shard by shard.

    Ray hands the shards out, starts a lost one again on another worker, and uses the cluster that it is
    connected to, or else this machine; each worker has one GPU where there are any. On a cluster, the
    folder, the model and the texts must be found at the same place on all machines.

    Args:
        load: loads the encoder that ``facts`` describe, in a worker.
        reader: gives, in a worker, what reads the texts of a slice of rows.
        part: (k, n): only every n-th shard from the k-th on.

    Raises:
        PanglotError: Ray is not installed, or a worker loaded another model.
    """
    if workers < 1:
        raise PanglotError(f"the number of workers is {workers}; use 1 or more.")
    needs("ray", "ray", hint="use --part, or ")
    import ray.data

    begin_store(folder, facts)
    shards = missing_shards(folder, facts, part)
    if not shards:
        return Written([], 0, 0.0)
    ray.data.DataContext.get_current().enable_progress_bars = False
    work = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
    written = work.map_batches(
        _ShardWriter,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(shards))),
        num_gpus=1 if torch.cuda.is_available() else 0,
        fn_constructor_kwargs={"load": load, "reader": reader, "folder": folder.absolute(), "facts": facts},
    )
    squares, rows = 0.0, 0
    for row in written.iter_rows():
        rows += int(row["rows"])
        squares += float(row["squares"])
        if progress is not None:
            progress(int(row["rows"]))
    return Written(shards, rows, float(np.sqrt(squares / rows)))


class _ShardWriter:
    """A worker: holds a model, and writes the shards whose numbers it is given."""

    def __init__(
        self,
        load: Callable[[], SentenceTransformer],
        reader: Callable[[], Read],
        folder: Path,
        facts: StoreFacts,
    ):
        self.model, self.read, self.folder, self.facts = load(), reader(), folder, facts
        if model_sha256(self.model) != facts.model["sha256"]:
            raise PanglotError(f"a worker loaded another model than '{facts.model['name']}'.")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write shards; return of each the rows, and the sum of the squares of what rounding took away."""
        done = [
            write_shards(self.model, self.read, self.folder, self.facts, [shard])
            for shard in batch["shard"].tolist()
        ]
        squares = [written.rms_error**2 * written.rows for written in done]
        return {"rows": np.array([written.rows for written in done]), "squares": np.array(squares)}
