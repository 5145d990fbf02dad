"""What a client may ask for, and what happens to one that asks for more, waits, or goes away."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from fastapi.security import HTTPBearer
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panglot.errors import PanglotError
from panglot.search.serve.errors import ProblemError, error_response

# part of the API's description; the rest is the server's own business
MOST_RESULTS = 100
MOST_QUERIES = 64
MOST_TEXTS = 256
MOST_LANGUAGES = 200
MOST_CONDITIONS = 8
LONGEST_QUERY = 2_000  # characters
LONGEST_TEXT = 20_000
SHORTEST_KEY = 16
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# they tell nothing of the texts
OPEN_PATHS = frozenset({"/", "/health", "/docs", "/openapi.json", "/favicon.ico"})
STATIC = "/static"  # files of the page /docs, open as well
BEARER = HTTPBearer(auto_error=False, description="An API key.")


@dataclass(frozen=True)
class Limits:
    """Bounds of the server.

    Attributes:
        body_bytes: of a request.
        body_seconds: in which a request must have arrived.
        seconds: in which it must be answered.
        waiting: requests that wait to be encoded at most.
        connections: open at once at most.
    """

    body_bytes: int = 1 << 20
    body_seconds: float = 10.0
    seconds: float = 30.0
    waiting: int = 1024
    connections: int = 512

    def __post_init__(self) -> None:
        if min(self.body_bytes, self.body_seconds, self.seconds, self.waiting, self.connections) <= 0:
            raise PanglotError("the limits of the server are numbers above 0.")


def read_keys(path: Path) -> list[str]:
    """Read API keys, one a line; empty lines and lines with ``#`` in front are left out.

    Raises:
        PanglotError: no such file, no key in it, or one that is short or holds other than visible ASCII.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PanglotError(f"{path}: cannot be read as a file of API keys; check the path.") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise PanglotError(f"{path}: holds no API key; write one a line.")
    for number, key in enumerate(keys, 1):
        if len(key) < SHORTEST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
            raise PanglotError(
                f"{path}: API key {number} is shorter than {SHORTEST_KEY} characters or holds others than "
                "ASCII letters, digits and signs; make one with: openssl rand -hex 32"
            )
    return keys


def guard(app: ASGIApp, limits: Limits, keys: Collection[str] = ()) -> ASGIApp:
    """Wrap an application, so that it sees only requests with a key whose body arrives in time.

    The key is checked before the body is read. ``RequestBodyLimitMiddleware`` around it bounds the body.

    Args:
        app: the application.
        limits: of time.
        keys: any of them opens the API; none: it is open.
    """
    digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []  # the body, which the application reads once more

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        answer = app
        if scope["type"] == "http":
            request, path = Request(scope, receive), scope["path"]
            is_open = not digests or path in OPEN_PATHS or path.startswith(f"{STATIC}/")
            try:
                if not is_open and not await _has_key(request, digests):
                    raise ProblemError("no_key")
                async with asyncio.timeout(limits.body_seconds):
                    messages = [{"type": "http.request", "body": await request.body(), "more_body": False}]
            except ProblemError as error:
                answer = error_response(error.code)
            except TimeoutError:
                within = f"a request must have arrived within {limits.body_seconds:g} seconds."
                answer = error_response("too_slow", within)
            except ClientDisconnect:
                answer = error_response("gone")
        await answer(scope, again, send)

    return guarded


async def _has_key(request: Request, digests: Collection[bytes]) -> bool:
    """Compare a request's key with all keys, in a time that tells nothing about them."""
    given = await BEARER(request)
    digest = hashlib.sha256(given.credentials.strip().encode() if given else b"").digest()
    return sum(hmac.compare_digest(digest, known) for known in digests) > 0


def in_time(seconds: float) -> Callable[[Request], AsyncIterator[None]]:
    """Make a dependency that stops an answer when time is up, or when the client goes.

    Raises:
        ProblemError: ``timeout`` or ``gone``.
    """

    async def limit(request: Request) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds) as timer:
                watcher = asyncio.create_task(_stop_when_gone(request, timer))
                try:
                    yield
                finally:
                    watcher.cancel()
        except TimeoutError:
            if watcher.done():
                raise ProblemError("gone") from None
            message = f"there was no answer within {seconds:g} seconds; ask for less."
            raise ProblemError("timeout", message) from None

    return limit


async def _stop_when_gone(request: Request, timer: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    timer.reschedule(asyncio.get_running_loop().time())
