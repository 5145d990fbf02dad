"""Intervals and tests for two runs on XQuAD-R's 121 language pairs and its multilingual pool, timed.

python benchmarks/significance.py [--cells N]

Synthetic per-query tables of XQuAD-R's size (11 languages, 1,190 items, 11 pools and the one of all); nothing
is encoded. Compared with a loop over scipy (bootstrap and permutation_test) and, where it is installed, over
ranx (Fisher's randomisation test; it has no bootstrap), one language pair at a time; --cells of them are
timed and scaled up. Both loops stop at the pairs: no macro-averages, no settings, no correction.
"""

import argparse
import json
import os
import statistics
import time
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats
from timing import timed

from panglot.evaluation import ALL, Evaluation
from panglot.evaluation.comparison import compare_results

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
ITEMS, RESAMPLES, FLIPS = 1190, 1000, 10_000
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=4)
    cells = parser.parse_args().cells
    before, after = synthetic_run("before", 1, 0.0), synthetic_run("after", 2, 0.02)
    found = compare_results(before, after, resamples=RESAMPLES, flips=FLIPS).to_dict()
    ours = timed(lambda: compare_results(before, after, resamples=RESAMPLES, flips=FLIPS), 3, warm_up=False)
    pairs = [(x, y) for x in LANGUAGES for y in LANGUAGES]
    chosen = pairs[:: max(1, len(pairs) // cells)][:cells]
    scipys = [scipy_cell(differences(before, after, x, y)) for x, y in chosen]
    seconds = statistics.mean(s for s, _, _ in scipys) * len(pairs)
    shown = {
        "tables": f"2 runs, {before.per_query.num_rows:,} rows each, {ITEMS:,} items",
        "resamples": RESAMPLES,
        "flips": FLIPS,
        "tests": found["method"]["families"],
        "panglot, s": round(ours, 2),
        f"scipy, s for {len(pairs)} pairs": round(seconds, 1),
        "scipy / panglot": round(seconds / ours, 1),
        "p of the timed pairs (panglot, scipy)": {
            f"{x}-{y}": (round(found["compared"]["after"]["matrix"][x][y]["p"], 4), round(p, 4))
            for (x, y), (_, p, _) in zip(chosen, scipys, strict=True)
        },
        "interval of the difference (panglot, scipy)": {
            f"{x}-{y}": (our_interval(found, x, y), interval)
            for (x, y), (_, _, interval) in zip(chosen, scipys, strict=True)
        },
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
    }
    if find_spec("ranx"):
        seconds = ranx_seconds([differences(before, after, x, y) for x, y in chosen]) * len(pairs)
        shown[f"ranx, s for {len(pairs)} pairs (test only)"] = round(seconds, 1)
        shown["ranx / panglot"] = round(seconds / ours, 1)
    print(json.dumps(shown, indent=2))


def scipy_cell(change: Floats) -> tuple[float, float, list[float]]:
    """Test one language pair with scipy; return seconds, p and the interval of the mean difference."""
    begun = time.perf_counter()
    p = stats.permutation_test(
        (change,), np.mean, permutation_type="samples", n_resamples=FLIPS, vectorized=True, batch=1000
    ).pvalue
    found = stats.bootstrap((change,), np.mean, n_resamples=RESAMPLES, method="percentile")
    ends = found.confidence_interval
    return time.perf_counter() - begun, float(p), [round(float(ends.low), 4), round(float(ends.high), 4)]


def ranx_seconds(changes: list[Floats]) -> float:
    """Return the seconds of ranx' test of one language pair, without the time that it takes to compile."""
    from ranx.statistical_tests import fisher_randomization_test

    nothing = np.zeros(ITEMS)
    fisher_randomization_test(nothing, changes[0], n_permutations=10)
    works = [partial(fisher_randomization_test, nothing, change, n_permutations=FLIPS) for change in changes]
    return float(statistics.mean(timed(work, 1, warm_up=False) for work in works))


def differences(before: Evaluation, after: Evaluation, x: str, y: str) -> Floats:
    """Return the differences of the queries in one language against the passages in another."""
    place = (LANGUAGES.index(x) * (len(LANGUAGES) + 1) + LANGUAGES.index(y)) * ITEMS
    a, b = (run.per_query.column("AP").to_numpy()[place : place + ITEMS] for run in (before, after))
    return np.asarray(b - a, np.float64)


def our_interval(found: dict[str, Any], x: str, y: str) -> list[float]:
    """Return panglot's interval of a difference."""
    figure = found["compared"]["after"]["matrix"][x][y]
    return [round(figure["difference_low"], 4), round(figure["difference_high"], 4)]


def synthetic_run(name: str, seed: int, gain: float) -> Evaluation:
    """Return a run whose figures depend on the item, on chance, and a little on ``gain``."""
    ease = np.random.default_rng(0).normal(0, 1, ITEMS)
    rng = np.random.default_rng(seed)
    pools = (*LANGUAGES, ALL)
    item = np.tile(np.arange(ITEMS), len(LANGUAGES) * len(pools))
    x = np.repeat(np.array(LANGUAGES), len(pools) * ITEMS)
    y = np.tile(np.repeat(np.array(pools), ITEMS), len(LANGUAGES))
    ap = 1 / (1 + np.exp(-ease[item] - rng.normal(0, 1, len(item)) - gain))
    distance = np.where(y == ALL, rng.exponential(500, len(item)).round(), np.nan)
    one = np.ones(len(item), np.int64)
    table = pa.table(
        {
            "query_id": np.char.add(np.char.add(item.astype(str), ":"), x),
            "item": item,
            "query_language": x,
            "pool": y,
            "relevant": one,
            "best_rank": one,
            "worst_rank": one,
            "AP": ap,
            "rank_distance": pa.array(distance, from_pandas=True),
        }
    )
    benchmark = {"name": "synthetic", "sha256": "0" * 64, "candidate_text": "sentence"}
    results = {"model": {"name": name}, "benchmark": benchmark, "settings": {"monolingual": {"AP": 0.5}}}
    return Evaluation(results, table)


if __name__ == "__main__":
    main()
