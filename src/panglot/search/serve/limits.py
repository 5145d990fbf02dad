"""What a client may ask for, and what happens to one that asks for more, waits, or goes away."""

import asyncio
import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panglot.errors import PanglotError
from panglot.search.serve.errors import error_response

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
OPEN_PATHS = frozenset(
    {"/", "/health", "/docs", "/openapi.json", "/favicon.ico"}
)  # they tell nothing of the texts


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


def guarded(
    app: ASGIApp, *, limits: Limits, keys: Collection[str] = (), hosts: Collection[str] | None = None
) -> ASGIApp:
    """Let through to ``app`` what is asked for by its right name, with a key, in time and in bounds.

    Args:
        app: answers.
        limits: of size and time.
        keys: any of them opens the API; none: it is open.
        hosts: names under which the server may be asked for; None: any. A page of a foreign site that has
            its own name point at this machine (DNS rebinding) is thus kept out of a server on loopback.
    """
    digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        refusal: JSONResponse | None
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if hosts is not None and _host(headers.get(b"host", b"")) not in hosts:
            refusal = error_response(421, "wrong_host", "this server does not go by that name.")
        elif (
            digests
            and scope["path"] not in OPEN_PATHS
            and not _opens(headers.get(b"authorization", b""), digests)
        ):
            refusal = error_response(401, "no_key", "give an API key, as 'Authorization: Bearer KEY'.")
            refusal.headers["www-authenticate"] = "Bearer"
        else:
            body, refusal = await _body(headers, receive, limits)
            if refusal is None:
                await _answered(app, scope, receive, send, body, limits.seconds)
                return
        refusal.headers["connection"] = "close"  # the rest of the request is not read
        await refusal(scope, receive, send)

    return guard


def _host(header: bytes) -> str:
    """Return the host of a Host header without its port."""
    name = header.decode("latin-1").strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


def _opens(header: bytes, digests: Collection[bytes]) -> bool:
    """Compare a key with all keys, in a time that tells nothing about them."""
    scheme, _, key = header.partition(b" ")
    given = hashlib.sha256(key.strip()).digest()
    return scheme.lower() == b"bearer" and sum(hmac.compare_digest(given, digest) for digest in digests) > 0


async def _body(
    headers: dict[bytes, bytes], receive: Receive, limits: Limits
) -> tuple[bytes, JSONResponse | None]:
    """Read a request's body; return it, or what to say instead."""
    too_large = error_response(413, "too_large", f"a request has at most {limits.body_bytes} bytes.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > limits.body_bytes:
        return b"", too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return b"", error_response(400, "gone", "the client has gone.")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes:
                    return b"", too_large
                if not message.get("more_body", False):
                    return b"".join(parts), None
    except TimeoutError:
        return b"", error_response(
            408, "too_slow", f"a request must have arrived within {limits.body_seconds:g} seconds."
        )


async def _answered(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, body: bytes, seconds: float
) -> None:
    """Run ``app`` until it has answered; stop it when the client goes or time is up."""
    given = started = False

    async def replay() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()  # the watcher below knows when the client goes
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def watched_send(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    answer = asyncio.ensure_future(app(scope, replay, watched_send))
    watcher = asyncio.ensure_future(gone())
    try:
        done, _ = await asyncio.wait({answer, watcher}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done and not started:
            answer.cancel()
            late = error_response(
                504, "timeout", f"there was no answer within {seconds:g} seconds; ask for less."
            )
            await late(scope, receive, send)
        elif answer in done or started:
            await answer
    finally:
        for task in (answer, watcher):
            task.cancel()
        await asyncio.gather(answer, watcher, return_exceptions=True)
