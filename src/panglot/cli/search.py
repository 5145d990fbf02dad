"""``panglot search`` and ``panglot serve``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from panglot.cli import show
from panglot.cli.options import Balance, Json, ModelOfIndex, Rerank, RerankDepth, TrustRemoteCode, reranker_of
from panglot.errors import PanglotError, needs


def search(
    question: Annotated[str, Argument(help="Question, in any language.")],
    index: Annotated[str, Option(help="Folder of the index, or address of a Milvus server.")],
    k: Annotated[int, Option("-k", "--top", help="Maximum number of results.")] = 10,
    languages: Annotated[
        str | None, Option(help="Search only passages in these languages, e.g. en,sw,ar; en includes en-US.")
    ] = None,
    where: Annotated[
        list[str] | None, Option(help="Search only passages with this metadata, e.g. year=1991; repeatable.")
    ] = None,
    balanced: Balance = None,
    hybrid: Annotated[
        bool, Option("--hybrid", help="Match words, too: fuse the ranking with BM25's by reciprocal rank.")
    ] = False,
    rerank: Rerank = None,
    rerank_depth: RerankDepth = 50,
    model: ModelOfIndex = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Search an index with a question in any language.

    A weak match is no nearer to the question than the best of as many passages taken at random would be.

    Examples:

      panglot search "Why do orchestras tune to the oboe?" --index my-index

      panglot search "Mfumuko wa bei" --index my-index --languages en,de --hybrid --where year=2021
    """
    from panglot.search.index import Index
    from panglot.search.look_up import snippet

    if not question.strip():
        raise PanglotError("the question is empty. Write a question.")
    filters = _parse_where(where or ())
    with Index.open(index, model, trust_remote_code=trust_remote_code) as opened:
        results = opened.search(
            question,
            k,
            reranker=reranker_of(rerank, trust_remote_code),
            rerank_depth=rerank_depth,
            languages=languages.split(",") if languages else None,
            where=filters,
            balanced=balanced,
            hybrid=hybrid,
        )
    if json:
        show.print_json({"question": question, "results": [result.as_json() for result in results]})
        return
    if not results:
        show.result("no results")
    elif all(result.weak for result in results):
        show.note(
            "no passage is much nearer to the question than the others are; the index may have no answer."
        )
    for rank, result in enumerate(results, 1):
        title = f"  {snippet(result.title, 70)}" if result.title else ""
        weak = "  (weak match)" if result.weak else ""
        show.result(f"{rank:3}  {result.score:.3f}  {result.language}  {result.id}{title}{weak}")
        show.result(f"     {snippet(result.text)}")


def _parse_where(texts: Sequence[str]) -> dict[str, str]:
    """Read ``key=value``."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise PanglotError(f"--where: '{text}' is not a filter. Write it as name=value.")
        if name in found:
            raise PanglotError(f"--where: '{name}' has two values. Give it one value.")
        found[name] = value
    return found


def serve(
    index: Annotated[
        str, Option(help="Folder or address of the index; sample serves the bundled passages.")
    ] = "sample",
    model: ModelOfIndex = None,
    host: Annotated[
        str, Option(help="Address of the server; 0.0.0.0 lets other machines reach it.")
    ] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="Port of the server; 0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        Path | None, Option(help="Require one of the API keys in this file, which has one key a line.")
    ] = None,
    rerank: Rerank = None,
    rerank_depth: RerankDepth = 50,
    timeout: Annotated[float, Option(help="Maximum number of seconds for a request.")] = 30.0,
    max_body: Annotated[int, Option(help="Maximum size of a request in bytes.")] = 1 << 20,
    trust_remote_code: TrustRemoteCode = False,
    json: Annotated[
        bool, Option("--json", help="Print only JSON: the address, when the server is ready.")
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
    from panglot.search.serve.run import address, make_server, notes, open_socket, preparing

    limits = Limits(seconds=timeout, body_bytes=max_body)
    keys = read_keys(api_key_file) if api_key_file else []
    opened = open_socket(host, port)
    show.say("encoding the bundled sample" if index == SAMPLE else f"loading the model of {index}")
    with preparing():
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
    page = address(opened)
    sentence = f"search page: {page}   API: {page}docs   (Ctrl-C stops it)"
    show.answer(json, {"address": page, "model": name, "index": index}, sentence)
    make_server(app, limits).run(sockets=[opened])
