"""Texts of several requests, encoded together: one worker, a few milliseconds of patience, a token budget."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from panglot.data import FloatArray
from panglot.encoders.encoding import TOKEN_BUDGET
from panglot.search.serve.limits import ProblemError

PATIENCE = 0.004  # seconds that the first text of a batch waits for company
WAITING = 1024  # requests that wait at most; the next one is told to come back
SPECIAL = 2  # tokens around a text

Encode = Callable[[Sequence[str], str], FloatArray]


@dataclass(eq=False)
class _Request:
    """Texts of one role that somebody waits for."""

    texts: Sequence[str]
    role: str
    tokens: int
    since: float
    answer: asyncio.Future[FloatArray]


class EncodingQueue:
    """Encodes what concurrent requests bring in common batches, on one thread beside the event loop.

    A model on one processor gains nothing by encoding two texts at a time on two threads, but much by
    encoding them in one batch. Only the first text of a quiet moment waits (``patience``): under load, the
    others gather while a batch is being encoded. Requests whose callers have gone are not encoded.

    Args:
        encode: turns n texts of a role (``query`` or ``passage``) into ``(n, d)`` unit vectors; called from
            the worker's thread only.
        length_limit: tokens at which the model cuts a text.
        token_budget: tokens of a batch, at most; a single text may have more.
        patience: seconds.
        waiting: requests that wait at most.
        observe: called with the number of texts and of requests in each batch.
    """

    def __init__(
        self,
        encode: Encode,
        *,
        length_limit: int = 512,
        token_budget: int = TOKEN_BUDGET,
        patience: float = PATIENCE,
        waiting: int = WAITING,
        observe: Callable[[int, int], None] = lambda texts, requests: None,
    ) -> None:
        self._encode = encode
        self._length_limit = length_limit
        self._token_budget = token_budget
        self._patience = patience
        self._most = waiting
        self._observe = observe
        self._waiting: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="encode")

    def __len__(self) -> int:
        """Return how many requests wait, without the batch that is being encoded."""
        return len(self._waiting)

    async def __aenter__(self) -> "EncodingQueue":
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        for request in self._waiting:
            request.answer.cancel()
        self._waiting.clear()
        await asyncio.to_thread(self._threads.shutdown)  # others may go on meanwhile

    async def embed(self, texts: Sequence[str], role: str) -> FloatArray:
        """Return the unit vectors of n texts, ``(n, d)``.

        Many texts go in parts of one batch each, one after the other, so that short requests slip in between.

        Raises:
            ProblemError: ``busy``: too many requests wait.
        """
        parts = [await self._embed_part(part, tokens, role) for part, tokens in self._parts(texts)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    async def _embed_part(self, texts: Sequence[str], tokens: int, role: str) -> FloatArray:
        if len(self._waiting) >= self._most:
            self._drop_cancelled()
            if len(self._waiting) >= self._most:
                raise ProblemError("busy")
        loop = asyncio.get_running_loop()
        request = _Request(texts, role, tokens, loop.time(), loop.create_future())
        self._waiting.append(request)
        self._arrived.set()
        return await request.answer

    def _parts(self, texts: Sequence[str]) -> list[tuple[list[str], int]]:
        """Cut texts into parts within the budget; a text has about as many tokens as characters, at most."""
        parts: list[tuple[list[str], int]] = [([], 0)]
        for text in texts:
            tokens = min(len(text) + SPECIAL, self._length_limit)
            part, before = parts[-1]
            if part and before + tokens > self._token_budget:
                parts.append(([text], tokens))
            else:
                part.append(text)
                parts[-1] = (part, before + tokens)
        return parts

    async def _work(self) -> None:
        """Encode batches for ever; an error goes to those whom it concerns, and the next batch is taken."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(max(0.0, self._waiting[0].since + self._patience - loop.time()))
            batch = self._next_batch()
            if not batch:
                continue
            try:
                await self._answer(batch)
            except asyncio.CancelledError:
                for request in batch:
                    request.answer.cancel()
                raise

    async def _answer(self, batch: Sequence[_Request]) -> None:
        """Encode a batch; where that fails, each request alone, so that one cannot spoil the others."""
        texts = [text for request in batch for text in request.texts]
        loop = asyncio.get_running_loop()
        try:
            vectors = await loop.run_in_executor(self._threads, self._encode, texts, batch[0].role)
        except Exception as error:
            if len(batch) == 1:
                if not batch[0].answer.done():
                    batch[0].answer.set_exception(error)
                return
            for request in batch:
                await self._answer([request])
            return
        self._observe(len(texts), len(batch))
        start = 0
        for request in batch:
            if not request.answer.done():
                request.answer.set_result(vectors[start : start + len(request.texts)])
            start += len(request.texts)

    def _next_batch(self) -> list[_Request]:
        """Take the oldest request, and those of its role that fit the budget beside it."""
        self._drop_cancelled()
        batch: list[_Request] = []
        role = self._waiting[0].role if self._waiting else ""
        left: deque[_Request] = deque()
        tokens = 0
        for request in self._waiting:
            fits = tokens + request.tokens <= self._token_budget and request.role == role
            if not batch or fits:
                batch.append(request)
                tokens += request.tokens
            else:
                left.append(request)
        self._waiting = left
        return batch

    def _drop_cancelled(self) -> None:
        self._waiting = deque(request for request in self._waiting if not request.answer.done())
