"""The server that an application runs in: what is open to whom, and patience with slow clients."""

import asyncio
import errno
import gc
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import h11
import torch
from fastapi import FastAPI
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from panglot.errors import PanglotError
from panglot.search.serve.limits import CLOSE, LOOPBACK, Limits, error_response

KEEP_ALIVE = 5  # seconds that an idle connection stays open
HEADER_BYTES = 1 << 14
SPARE = 64  # connections that hear that there are too many, instead of being closed
REASONS = {
    errno.EADDRINUSE: "something else uses it; choose another --port.",
    errno.EACCES: "not allowed; choose a --port above 1023.",
    errno.EADDRNOTAVAIL: "this machine has no such address; use 127.0.0.1, or 0.0.0.0 for all that it has.",
}


def open_socket(host: str, port: int) -> socket.socket:
    """Bind an address, before a model is loaded for nothing; port 0 takes a free one.

    Raises:
        PanglotError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # a server that was killed can start again at once
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
        except BaseException:
            opened.close()
            raise
    except (OSError, OverflowError) as error:
        reason = REASONS.get(getattr(error, "errno", None) or 0, "check --host and --port.")
        raise PanglotError(f"{host} port {port} cannot be opened: {reason}") from error
    return opened


def notes(host: str, locked: bool) -> list[str]:
    """Say what it means to listen on an address that is not loopback."""
    if host in LOOPBACK:
        return []
    who = "everyone who has the key" if locked else "everyone"
    said = [
        f"{host} is not loopback: {who} on the networks of this machine can search and read "
        "the passages, and what is sent is not encrypted; put a proxy with TLS in front of it."
    ]
    if not locked:
        said.append("there is no API key; --api-key-file sets one.")
    return said


@contextmanager
def preparing() -> Iterator[None]:
    """Load the model and all else before the server runs, so that it does not slow down the answers.

    PyTorch keeps workers for each thread that calls it. Once they are more than the processors they sleep
    after each operation, so the thread that loads has none beside those of the one that encodes. What is
    loaded then stays, and Python need not look through it for garbage, for a third of a second each time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
    gc.collect()
    gc.freeze()


def make_server(app: FastAPI, limits: Limits) -> Server:
    """Set uvicorn up to answer until Ctrl-C or SIGTERM, and then to finish what is being answered."""
    config = Config(
        app,
        http=bounded(limits),  # type: ignore[arg-type]
        ws="none",
        log_level="warning",
        access_log=False,  # it would write down what people ask
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    return Server(config)


def bounded(limits: Limits) -> Callable[..., H11Protocol]:
    """Make uvicorn's protocol close connections on which no request has begun for some time, and bound them.

    uvicorn waits for ever for the first request and for the rest of a header, so that a few hundred silent
    clients could keep all others out. With its own ``limit_concurrency`` one connection too many makes it
    refuse the requests of all. Here the clients that came first are served, a few more hear that there are
    too many, and what comes then is closed.
    """
    served: set[H11Protocol] = set()
    too_many = error_response("busy", "too many clients are connected; come back in a moment.", headers=CLOSE)

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(served) < limits.connections:
                served.add(self)
            elif len(self.connections) <= limits.connections + SPARE:
                self.app = too_many
            else:
                transport.abort()
                return
            self.loop.call_later(limits.body_seconds, self._look, None)

        def connection_lost(self, exc: Exception | None) -> None:
            served.discard(self)
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            """Answer what cannot be read as HTTP in the shape that all errors have."""
            answer = error_response("bad_request")
            for event in (
                h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _look(self, last: object) -> None:
            if self.transport.is_closing():
                return
            if self.cycle is last and (self.cycle is None or self.cycle.response_complete):
                self.transport.close()
                return
            self.loop.call_later(limits.body_seconds, self._look, self.cycle)

    return Protocol


def address(opened: socket.socket) -> str:
    """Return the address that a browser opens."""
    host, port = opened.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
