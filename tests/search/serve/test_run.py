"""A server in a process of its own: slow clients, kill and restart, what it says at the start."""

import contextlib
import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import warm

from panglot.errors import PanglotError
from panglot.search.serve import Limits, create_app, read_keys
from panglot.search.serve.run import address, make_server, notes, open_socket, preparing


class Searcher:
    """An index that can be held up while it searches."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()

    def languages(self) -> dict[str, int]:
        return {"en": 1}

    def search(self, *_: Any, **__: Any) -> list[list[Any]]:
        self.go.wait(30)
        return [[]]


@contextmanager
def served(limits: Limits, searcher: Any = None) -> Iterator[tuple[str, int]]:
    """Serve an application without a model in a thread."""
    model: Any = SimpleNamespace(max_seq_length=512, prompts={})
    index: Any = searcher or Searcher()
    app = create_app(model, index, limits=limits)
    app.add_api_route("/here", lambda: "here")
    opened = open_socket("127.0.0.1", 0)
    opened.listen()  # so that a client may come before the server is up
    server = make_server(app, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    try:
        yield opened.getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost",
    ],
)
def test_a_client_that_never_finishes_a_header_is_let_go(sent: bytes) -> None:
    with served(Limits(body_seconds=0.5)) as place, socket.create_connection(place, 30) as client:
        client.settimeout(30)
        client.sendall(sent)
        while client.recv(1 << 16):
            pass  # b"" means that the server closed; a socket left open ends in a timeout


def test_a_client_that_never_finishes_a_body_is_told_so() -> None:
    with served(Limits(body_seconds=0.5)) as place, socket.create_connection(place, 30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        answer = client.makefile("rb").read()  # to the end: the connection is closed
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"too_slow" in answer


def test_a_slow_client_does_not_hold_up_the_others() -> None:
    with served(Limits(body_seconds=20)) as place, socket.create_connection(place, 30) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        with urllib.request.urlopen(f"http://127.0.0.1:{place[1]}/here", timeout=10) as answer:
            assert json.load(answer) == "here"


def test_an_answer_that_nobody_waits_for_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panglot.search.serve.app.encode", lambda *_: np.ones((1, 2), np.float32))
    searcher = Searcher()
    with served(Limits(seconds=60), searcher) as place:
        searcher.go.clear()
        with socket.create_connection(place, 30) as client:
            client.sendall(b"GET /search?q=x HTTP/1.1\r\nHost: x\r\n\r\n")
            while b"panglot_requests_running 2.0" not in counters(place):  # and the counters' own
                pass
        gone = b'panglot_requests_total{handler="/search",status="499"} 1.0'
        while gone not in counters(place):  # while the index is still held up
            pass
        searcher.go.set()


def counters(place: tuple[str, int]) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{place[1]}/metrics", timeout=30) as answer:
        return bytes(answer.read())


def asked(client: socket.socket) -> tuple[int, Any]:
    """Ask on a connection that stays open; return status and answer."""
    client.sendall(b"GET /here HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = HTTPResponse(client)
    answer.begin()
    return answer.status, json.loads(answer.read())


def test_clients_that_came_first_are_served_and_the_next_ones_hear_why_not() -> None:
    limits = Limits(body_seconds=30, connections=3)
    with served(limits) as place, contextlib.ExitStack() as stack:

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(place, 30))

        first = [connect() for _ in range(3)]
        assert [asked(client) for client in first] == [(200, "here")] * 3
        status, body = asked(connect())
        assert (status, body["error"]["code"]) == (503, "busy")
        assert [asked(client) for client in first] == [(200, "here")] * 3
        silent = [connect() for _ in range(80)]  # more than are told so: the last ones are closed
        last = silent[-1]
        with contextlib.suppress(ConnectionResetError):
            assert last.recv(1) == b""
        assert [asked(client) for client in first] == [(200, "here")] * 3
        for client in silent:
            client.close()
        first.pop().close()
        while (answer := asked(connect()))[0] == 503:  # until the server has seen that it is gone
            pass
        assert answer == (200, "here")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA b\r\n\r\n"]
)
def test_what_is_no_http_is_answered_in_the_shape_of_all_errors(sent: bytes) -> None:
    with served(Limits()) as place, socket.create_connection(place, 30) as client:
        client.sendall(sent)
        answer = HTTPResponse(client)
        answer.begin()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (400, "bad_request")


def test_an_address_in_use_is_one_sentence() -> None:
    taken = open_socket("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with taken, pytest.raises(PanglotError, match=f"port {port} cannot be opened: something else uses it"):
        open_socket("127.0.0.1", port)
    with pytest.raises(PanglotError, match=r"no such address|check --host"):
        open_socket("203.0.113.7", 0)


def test_only_loopback_goes_without_a_note() -> None:
    assert not any(notes(host, False) for host in ("127.0.0.1", "localhost", "::1"))
    assert len(notes("0.0.0.0", False)) == 2
    (said,) = notes("0.0.0.0", True)
    assert "not encrypted" in said


def test_the_address_is_one_to_open() -> None:
    with open_socket("0.0.0.0", 0) as opened:
        assert address(opened) == f"http://127.0.0.1:{opened.getsockname()[1]}/"


def test_files_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# of the web site\n0123456789abcdef\n\n  fedcba9876543210  \n")
    assert read_keys(path) == ["0123456789abcdef", "fedcba9876543210"]
    for content, said in (
        ("", "no API key"),
        ("short\n", "shorter than 16"),
        ("0123456789äbcdef\n", "ASCII"),
    ):
        path.write_text(content)
        with pytest.raises(PanglotError, match=said) as raised:
            read_keys(path)
        assert "abcdef" not in str(raised.value)
    with pytest.raises(PanglotError, match="cannot be read"):
        read_keys(tmp_path / "nothing")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.usefixtures("small_by_default")
def test_a_killed_server_starts_again_at_once() -> None:
    port = 0
    for sign in (signal.SIGKILL, signal.SIGINT):
        process = warm.start(["serve", "--json", "--port", str(port)])
        try:
            said = ""
            while "}" not in said:
                line = process.stdout.readline()
                assert line, process.communicate()
                said += line
            place = json.loads(said)["address"]
            assert place.startswith("http://127.0.0.1:")
            port = int(place.rsplit(":", 1)[1].strip("/"))
            with urllib.request.urlopen(f"{place}search?q=plants&k=3", timeout=120) as answer:
                assert len(json.load(answer)["results"][0]["hits"]) == 3
            process.send_signal(sign)
            process.wait(60)
        finally:
            process.kill()
        assert "Traceback" not in process.communicate()[1]


def test_what_loads_has_one_thread_and_what_encodes_has_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr("gc.freeze", lambda: frozen.append(True))  # the other tests need their memory back
    threads = torch.get_num_threads()
    with preparing():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads
    assert frozen == [True]
    with pytest.raises(PanglotError), preparing():
        raise PanglotError("there is no such model.")
    assert torch.get_num_threads() == threads
