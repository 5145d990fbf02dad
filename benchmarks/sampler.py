"""Pairs drawn per second, and bytes of index per row, on a synthetic set of 10 million items in 14 languages.

python benchmarks/sampler.py [--items 10000000] [--languages 14]
"""

import argparse
import json
import time

import numpy as np

from panglot.batches import STRATEGIES, Sampler
from panglot.data import build_index


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--languages", type=int, default=14)
    parser.add_argument("--missing", type=float, default=0.1, help="share of (item, language) rows left out")
    arguments = parser.parse_args()
    codes = ["ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "nl", "pt", "ru", "vi", "zh"]
    codes = codes[: arguments.languages]
    items, languages = arguments.items, len(codes)
    kept = np.random.default_rng(0).random(items * languages) >= arguments.missing
    kept[::languages] = True  # every item exists in one language at least
    item = np.repeat(np.arange(items, dtype=np.int32), languages)[kept]
    language = np.tile(np.arange(languages, dtype=np.uint8), items)[kept]
    begun = time.perf_counter()
    # two items in ten share their passage with a neighbour, so that groups have to be looked at
    index = build_index(
        codes,
        item,
        language,
        items=items,
        item_group=np.arange(items) // 10 * 10 + np.minimum(np.arange(items) % 10, 8),
    )
    result: dict[str, object] = {
        "items": items,
        "rows": index.entries,
        "index_bytes_per_row": round(index.nbytes / index.entries, 2),
        "index_built_in_s": round(time.perf_counter() - begun, 1),
    }
    del item, language, kept
    for size in (128, 1024):
        for strategy in STRATEGIES:
            sampler = Sampler(
                [index], strategy=strategy, batch_size=size, language="en" if strategy == "specific" else None
            )
            sampler.draw(0)
            steps, begun = 0, time.perf_counter()
            while time.perf_counter() - begun < 1.0:
                sampler.draw(steps)
                steps += 1
            rate = steps * size / (time.perf_counter() - begun)
            result[f"{strategy}, batch {size}: million pairs a second"] = round(rate / 1e6, 2)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
