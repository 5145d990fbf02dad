"""How long some work takes; shared by the benchmarks beside it."""

import statistics
import time
from collections.abc import Callable


def timed(work: Callable[[], object], times: int, *, warm_up: bool = True) -> float:
    """Return the median seconds of some work, after one run to warm up."""
    if warm_up:
        work()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
