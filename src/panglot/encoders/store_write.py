"""Writing a store of embeddings: shard by shard, each whole or not at all, by any number of processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

from panglot.data import FloatArray
from panglot.encoders.encoding import encode
from panglot.encoders.load import model_sha256
from panglot.encoders.store import FACTS, STEPS, StoreFacts, read_facts, scale_path, shard_path
from panglot.errors import PanglotError, needs
from panglot.files import atomic_write, write_json

Read = Callable[[slice], Sequence[str]]  # texts of some rows
SHARD = 100_000  # rows; in float16 with 384 dimensions 77 MB
SLICE = 1 << 14  # texts in memory at a time


@dataclass(frozen=True)
class Written:
    """What one call wrote.

    Attributes:
        shards: numbers of the shards written.
        rows: embeddings in them.
        rms_error: root mean square, over the rows, of the length of what rounding took away. No cosine
            with a unit vector changes by more than a row's; in d dimensions, typically by that over sqrt(d).
    """

    shards: list[int]
    rows: int
    rms_error: float


def begin_store(folder: Path, facts: StoreFacts) -> None:
    """Write ``store.json``, or make sure that the store that is already there is this one.

    Raises:
        PanglotError: the folder holds a store of another model, of other texts, or in another form.
    """
    if not (folder / FACTS).exists():
        if any(folder.glob("shard-*.npy")):
            raise PanglotError(f"{folder}: has shards but no {FACTS}; choose another folder, or delete it.")
        write_json(folder / FACTS, facts.as_json())
        return
    there = read_facts(folder)
    if difference := differing(there, facts):
        raise PanglotError(f"{folder}: holds a store of {difference}; choose another folder, or delete it.")


def differing(there: StoreFacts, wanted: StoreFacts) -> str | None:
    """Say what one store is of, where that is not what is wanted; None where they agree."""
    for key in ("sha256", "prompt", "max_length", "precision"):
        if there.model.get(key) != wanted.model.get(key):
            if key == "sha256":
                return f"another model ('{there.model.get('name')}', not '{wanted.model.get('name')}')"
            found = f"{there.model.get(key)!r}, not {wanted.model.get(key)!r}"
            return f"the same model with another {key.replace('_', ' ')} ({found})"
    if (there.corpus, there.rows) != (wanted.corpus, wanted.rows):
        return (
            f"other passages ({there.rows} of '{there.corpus.get('name')}', "
            f"not these {wanted.rows} of '{wanted.corpus.get('name')}')"
        )
    for key in ("dimension", "dtype", "shard_size"):
        if getattr(there, key) != getattr(wanted, key):
            return f"another {key.replace('_', ' ')} ({getattr(there, key)}, not {getattr(wanted, key)})"
    return None


def parse_part(part: str) -> tuple[int, int]:
    """Read ``3/16``: the third of sixteen parts."""
    number, _, of = part.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise PanglotError(f"'{part}' is not a part; write it as 3/16: the third of sixteen.")
    return int(number), int(of)


def missing_shards(folder: Path, facts: StoreFacts, part: tuple[int, int] = (1, 1)) -> list[int]:
    """Return the shards of a part that are still to be written: every ``of``-th one, from ``number`` on."""
    number, of = part
    return [k for k in range(number - 1, facts.shards, of) if not shard_path(folder, k).exists()]


def write_shards(
    model: SentenceTransformer,
    read: Read,
    folder: Path,
    facts: StoreFacts,
    shards: Sequence[int],
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Encode the texts of some shards and write these; a shard already there is replaced.

    Args:
        read: gives the texts of a slice of rows; few are asked for at a time, so memory stays flat.
    """
    squares = sum(_write_shard(model, read, folder, facts, shard, progress) for shard in shards)
    rows = sum(map(facts.rows_of, shards))
    return Written(list(shards), rows, float(np.sqrt(squares / rows)) if rows else 0.0)


def _write_shard(
    model: SentenceTransformer,
    read: Read,
    folder: Path,
    facts: StoreFacts,
    shard: int,
    progress: Callable[[int], None] | None = None,
) -> float:
    """Write one shard; return the sum over its rows of the square of what rounding took away."""
    span, prompt, bf16 = facts.span(shard), facts.model["prompt"], facts.model["precision"] == "bfloat16"
    squares, scales = 0.0, []
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(facts.dtype)),
        "fortran_order": False,
        "shape": (facts.rows_of(shard), facts.dimension),
    }
    with atomic_write(shard_path(folder, shard)) as part:
        # written rather than mapped: a full disk is then an error, not a signal that ends the process
        with part.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(span.start, span.stop, SLICE):
                texts = read(slice(start, min(start + SLICE, span.stop)))
                found = encode(model, texts, prompt, bf16=bf16, progress=progress)
                values, scale = pack(found, facts.dtype)
                kept = values.astype(np.float32) if scale is None else values * scale[:, None]
                squares += float(np.square(found - kept, dtype=np.float64).sum())
                file.write(values.tobytes())
                if scale is not None:
                    scales.append(scale)
        if scales:
            with atomic_write(scale_path(folder, shard)) as scale_part, scale_part.open("wb") as file:
                np.save(file, np.concatenate(scales))
    return squares


def pack(vectors: FloatArray, dtype: str) -> tuple[npt.NDArray[Any], FloatArray | None]:
    """Round float32 rows ``(n, d)`` to what a store keeps; int8 also has a scale a row, ``(n,)``.

    A scale a row keeps cosines better than a scale a dimension does: no row needs its dimensions' extremes.
    """
    if not np.isfinite(vectors).all():
        raise PanglotError("the model gave an embedding that is not finite; its training may have diverged.")
    if dtype != "int8":
        return vectors.astype(dtype), None
    scale = (np.abs(vectors).max(axis=1) / STEPS).astype(np.float32)
    scale[scale == 0] = 1
    return np.rint(vectors / scale[:, None]).clip(-STEPS, STEPS).astype(np.int8), scale


# in several processes, or on the machines of a cluster, with Ray Data


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
        """Write one shard; return its rows, and the sum of the squares of what rounding took away."""
        (shard,) = batch["shard"].tolist()
        squares = _write_shard(self.model, self.read, self.folder, self.facts, shard)
        return {"rows": np.array([self.facts.rows_of(shard)]), "squares": np.array([squares])}
