"""Requests encoded together."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from panglot.data import FloatArray
from panglot.search.serve.batching import EncodingQueue
from panglot.search.serve.limits import ProblemError


class Recorder:
    """Encodes a text as its length, remembers batches, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[str], str]] = []
        self.threads: set[int] = set()
        self.go = threading.Event()
        self.go.set()

    def __call__(self, texts: Sequence[str], role: str) -> FloatArray:
        self.go.wait(30)
        self.threads.add(threading.get_ident())
        self.batches.append((list(texts), role))
        if "bad" in texts:
            raise ValueError("bad")
        return np.array([[len(text), 1] for text in texts], np.float32)


async def blocked(queue: EncodingQueue, recorder: Recorder) -> "asyncio.Task[FloatArray]":
    """Have the worker encode something until ``recorder.go`` is set."""
    recorder.go.clear()
    first = asyncio.create_task(queue.embed(["first"], "query"))
    while not first.done() and (len(queue) or not first.get_coro()):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    return first


def test_what_waits_is_encoded_in_one_batch_and_each_gets_its_own() -> None:
    recorder = Recorder()

    async def run() -> list[list[float]]:
        async with EncodingQueue(recorder) as queue:
            first = await blocked(queue, recorder)
            tasks = [asyncio.create_task(queue.embed(["x" * n, "y" * n * 2], "query")) for n in range(1, 21)]
            await asyncio.sleep(0.01)
            recorder.go.set()
            await first
            return [(await task)[:, 0].tolist() for task in tasks]

    assert asyncio.run(run()) == [[n, 2 * n] for n in range(1, 21)]
    assert [len(texts) for texts, _ in recorder.batches] == [1, 40]
    assert len(recorder.threads) == 1


def test_roles_are_not_mixed_and_the_budget_holds() -> None:
    recorder = Recorder()

    async def run() -> None:
        # a text of 8 characters counts as 10 tokens
        async with EncodingQueue(recorder, token_budget=30) as queue:
            first = await blocked(queue, recorder)
            roles = ["query", "passage"] * 4
            tasks = [asyncio.create_task(queue.embed(["12345678"], role)) for role in roles]
            await asyncio.sleep(0.01)
            recorder.go.set()
            await asyncio.gather(first, *tasks)

    asyncio.run(run())
    assert [(len(texts), role) for texts, role in recorder.batches[1:]] == [
        (3, "query"),
        (3, "passage"),
        (1, "query"),
        (1, "passage"),
    ]


def test_many_texts_go_in_parts_and_a_short_request_slips_in_between() -> None:
    recorder = Recorder()

    async def run() -> list[float]:
        async with EncodingQueue(recorder, token_budget=20) as queue:
            first = await blocked(queue, recorder)
            many = asyncio.create_task(queue.embed([f"{n:08}" for n in range(6)], "passage"))
            await asyncio.sleep(0.01)
            short = asyncio.create_task(queue.embed(["1234567"], "query"))
            await asyncio.sleep(0.01)
            recorder.go.set()
            await asyncio.gather(first, short)
            return list((await many)[:, 0])

    assert asyncio.run(run()) == [8.0] * 6
    sizes = [(len(texts), role) for texts, role in recorder.batches[1:]]
    assert sizes == [(2, "passage"), (1, "query"), (2, "passage"), (2, "passage")]


def test_a_text_longer_than_the_budget_is_encoded_alone() -> None:
    recorder = Recorder()

    async def run() -> FloatArray:
        async with EncodingQueue(recorder, token_budget=10) as queue:
            return await queue.embed(["x" * 100, "y"], "query")

    assert asyncio.run(run())[:, 0].tolist() == [100, 1]
    assert [texts for texts, _ in recorder.batches] == [["x" * 100], ["y"]]


def test_those_who_have_gone_are_not_encoded() -> None:
    recorder = Recorder()

    async def run() -> None:
        async with EncodingQueue(recorder) as queue:
            first = await blocked(queue, recorder)
            gone = asyncio.create_task(queue.embed(["gone"], "query"))
            stays = asyncio.create_task(queue.embed(["stays"], "query"))
            await asyncio.sleep(0.01)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            recorder.go.set()
            await asyncio.gather(first, stays)

    asyncio.run(run())
    assert [texts for texts, _ in recorder.batches] == [["first"], ["stays"]]


def test_one_bad_text_fails_only_its_own_request() -> None:
    recorder = Recorder()

    async def run() -> list[object]:
        async with EncodingQueue(recorder) as queue:
            first = await blocked(queue, recorder)
            tasks = [asyncio.create_task(queue.embed([text], "query")) for text in ("good", "bad", "better")]
            await asyncio.sleep(0.01)
            recorder.go.set()
            await first
            return list(await asyncio.gather(*tasks, return_exceptions=True))

    good, bad, better = asyncio.run(run())
    assert isinstance(good, np.ndarray) and good[0, 0] == 4
    assert isinstance(better, np.ndarray) and better[0, 0] == 6
    assert isinstance(bad, ValueError)


def test_a_full_queue_says_so_and_takes_more_when_somebody_goes() -> None:
    recorder = Recorder()

    async def run() -> None:
        async with EncodingQueue(recorder, waiting=2) as queue:
            first = await blocked(queue, recorder)
            waiting = [asyncio.create_task(queue.embed([text], "query")) for text in ("a", "b")]
            await asyncio.sleep(0.01)
            with pytest.raises(ProblemError):
                await queue.embed(["c"], "query")
            waiting[0].cancel()
            await asyncio.gather(waiting[0], return_exceptions=True)
            late = asyncio.create_task(queue.embed(["c"], "query"))
            await asyncio.sleep(0.01)
            recorder.go.set()
            await asyncio.gather(first, waiting[1], late)

    asyncio.run(run())
    assert sorted(text for texts, _ in recorder.batches for text in texts) == ["b", "c", "first"]


def test_closing_leaves_nobody_waiting() -> None:
    async def run() -> list[object]:
        recorder = Recorder()
        async with EncodingQueue(recorder) as queue:
            first = await blocked(queue, recorder)
            second = asyncio.create_task(queue.embed(["second"], "query"))
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.05, recorder.go.set)
        return list(await asyncio.gather(first, second, return_exceptions=True))

    assert all(isinstance(result, asyncio.CancelledError) for result in asyncio.run(run()))
