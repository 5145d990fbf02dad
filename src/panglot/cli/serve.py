"""``panglot serve``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.errors import PanglotError


def serve(
    index: Annotated[
        str, typer.Option(help="The index's folder or URI; sample: the bundled passages, to try it out.")
    ] = "sample",
    model: Annotated[
        str | None, typer.Option(help="The model, if it lies elsewhere than when the index was made.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens the server to other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="Ask clients for one of the keys in this file, one a line.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds in which a request must be answered.")] = 30.0,
    max_body: Annotated[int, typer.Option(help="Bytes of a request at most.")] = 1 << 20,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the address as JSON when the server is ready.")
    ] = False,
) -> None:
    """Serve an index: a search page, and an HTTP API.

    Only this machine can reach it unless --host says otherwise. /docs describes the API. Questions are not
    written down anywhere. Ctrl-C ends it.

    Examples:

      panglot serve --index my-index

      panglot serve --index my-index --host 0.0.0.0 --api-key-file keys.txt
    """
    check_extra()
    from panglot.search.serve import Limits, create_app, open_searcher, read_keys
    from panglot.search.serve.limits import LOOPBACK
    from panglot.search.serve.run import address, is_loopback, notes, open_socket
    from panglot.search.serve.run import serve as answer

    limits = Limits(seconds=timeout, body_bytes=max_body)
    keys = read_keys(api_key_file) if api_key_file else []
    opened = open_socket(host, port)
    encoder, name, searcher = open_searcher(index, model, trust_remote_code=trust_remote_code)
    hosts = LOOPBACK | {host.lower()} if is_loopback(host) else None
    app = create_app(encoder, searcher, name=name, limits=limits, keys=keys, hosts=hosts)
    opened.listen()  # who comes from now on waits, and is not turned away
    for sentence in notes(host, bool(keys)):
        show.note(sentence)
    if json:
        show.print_json({"address": address(opened), "model": name, "index": index})
    else:
        show.tell(f"search page: {address(opened)}   API: {address(opened)}docs   (Ctrl-C ends it)")
    answer(app, opened, limits)


def check_extra() -> None:
    """Raise a ``PanglotError`` where the libraries of the server are missing."""
    for library in ("fastapi", "uvicorn", "prometheus_client"):
        if find_spec(library) is None:
            raise PanglotError(f"{library} is not installed; run pip install 'panglot[serve]'.")
