"""``panglot serve``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.options import ModelOfIndex, Rerank, RerankDepth, TrustRemoteCode, reranker_of
from panglot.errors import needs


def serve(
    index: Annotated[
        str, typer.Option(help="Folder or address of the index; sample serves the bundled passages.")
    ] = "sample",
    model: ModelOfIndex = None,
    host: Annotated[
        str, typer.Option(help="Address of the server; 0.0.0.0 lets other machines reach it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the server; 0 takes a free one.")
    ] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="Require one of the API keys in this file, which has one key a line.")
    ] = None,
    rerank: Rerank = None,
    rerank_depth: RerankDepth = 50,
    timeout: Annotated[float, typer.Option(help="Maximum number of seconds for a request.")] = 30.0,
    max_body: Annotated[int, typer.Option(help="Maximum size of a request in bytes.")] = 1 << 20,
    trust_remote_code: TrustRemoteCode = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print only JSON: the address, when the server is ready.")
    ] = False,
) -> None:
    """Serve an index with a search page and an HTTP API.

    Only this machine can reach the server, unless --host names another address. The page /docs describes the
    API. The server does not log questions. Ctrl-C stops it.

    Examples:

      panglot serve --index my-index

      panglot serve --index my-index --host 0.0.0.0 --api-key-file keys.txt
    """
    needs("serve", "fastapi", "uvicorn", "prometheus_fastapi_instrumentator", "fastapi_offline")
    from panglot.data.pairs_files.read import SAMPLE
    from panglot.search.index import Index

    if index != SAMPLE:
        Index.open(index).close()  # a wrong place is refused before torch is loaded
    from panglot.search.serve import Limits, create_app, open_searcher, read_keys
    from panglot.search.serve.limits import LOOPBACK
    from panglot.search.serve.run import address, make_server, notes, open_socket

    limits = Limits(seconds=timeout, body_bytes=max_body)
    keys = read_keys(api_key_file) if api_key_file else []
    opened = open_socket(host, port)
    encoder, name, searcher = open_searcher(
        index,
        model,
        trust_remote_code=trust_remote_code,
        reranker=reranker_of(rerank, trust_remote_code),
        rerank_depth=rerank_depth,
    )
    hosts = LOOPBACK if host in LOOPBACK else None
    app = create_app(encoder, searcher, name=name, limits=limits, keys=keys, hosts=hosts)
    opened.listen()  # who comes from now on waits, and is not turned away
    for sentence in notes(host, bool(keys)):
        show.note(sentence)
    if json:
        show.print_json({"address": address(opened), "model": name, "index": index})
    else:
        show.tell(f"search page: {address(opened)}   API: {address(opened)}docs   (Ctrl-C stops it)")
    make_server(app, limits).run(sockets=[opened])
