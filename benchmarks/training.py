"""Seconds a training step of multilingual-e5-small takes, part by part.

python benchmarks/training.py --pairs FILE_OR_LAREQA_FOLDER [--batch-size 128] [--steps 8]
"""

import argparse
import json
import statistics
import time
from itertools import pairwise
from pathlib import Path

import torch

from panglot.batches import make_sampler
from panglot.data.catalogue.training import load_source
from panglot.encoders import load_encoder
from panglot.training import InfoNCE, make_optimizer, set_table_mode
from panglot.training.dataset import Steps
from panglot.training.micro_batches import micro_batched
from panglot.training.optimizer import clip_gradients

PARTS = ("draw, look up, tokenise", "forward", "backward", "clip", "optimizer")


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    source = load_source(arguments.pairs)
    sampler = make_sampler([source], batch_size=arguments.batch_size)
    result: dict[str, object] = {"threads": torch.get_num_threads()}
    for table in ("sparse", "dense"):
        for precision in (torch.float32, torch.bfloat16):
            model = load_encoder("multilingual-e5-small", max_length=64)
            set_table_mode(model, table)
            steps = Steps(sampler, [source], model, arguments.steps + 2)
            seconds, pieces = measure(steps, InfoNCE(model, 0.1), precision)
            result[f"{table} table, {str(precision).removeprefix('torch.')}"] = {
                **seconds,
                "all": round(sum(seconds.values()), 3),
                "pieces a step": pieces,
            }
    print(json.dumps(result, indent=2))


def measure(steps: Steps, loss: InfoNCE, precision: torch.dtype) -> tuple[dict[str, float], int]:
    """Return the median seconds of each part over the steps, and the mean number of pieces."""
    model = steps.model
    optimizer = make_optimizer(model, 1e-4, 1e-3, 0.01)
    model.train()
    spent: list[list[float]] = []
    pieces = []
    for number in range(len(steps)):
        clock = [time.perf_counter()]
        features = steps[number]
        clock.append(time.perf_counter())
        with (
            torch.autocast("cpu", precision, enabled=precision != torch.float32),
            micro_batched(model, cached=False),
        ):
            found = loss(features)["info_nce"]
        clock.append(time.perf_counter())
        found.backward()
        clock.append(time.perf_counter())
        clip_gradients(model.parameters(), 1.0)
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        clock.append(time.perf_counter())
        spent.append([b - a for a, b in pairwise(clock)])
        pieces.append(features["tokens"])
    medians = [statistics.median(column) for column in zip(*spent[2:], strict=True)]  # two to warm up
    return {part: round(value, 3) for part, value in zip(PARTS, medians, strict=True)}, round(
        statistics.mean(pieces)
    )


if __name__ == "__main__":
    main()
