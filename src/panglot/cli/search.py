"""``panglot search``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from panglot.cli import show
from panglot.errors import PanglotError


def search(
    question: Annotated[str, typer.Argument(help="What to look for, in any language.")],
    index: Annotated[str, typer.Option(help="The index: a folder, or the address of a Milvus server.")],
    k: Annotated[int, typer.Option("-k", "--top", help="Results, at most.")] = 10,
    languages: Annotated[
        str | None, typer.Option(help="Only passages in these languages, as en,sw,ar; en includes en-US.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only passages with this metadata, as year=1991. Give it once for each."),
    ] = None,
    balanced: Annotated[
        str | None,
        typer.Option(help="Even languages out: scores (calibrated by language) or turns (in turn)."),
    ] = None,
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Fuse with BM25, by reciprocal rank.")] = False,
    model: Annotated[
        str | None, typer.Option(help="Where the index's model is now, if not where it was.")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Search an index with a question in any language.

    Examples:

      panglot search "Why do orchestras tune to the oboe?" --index my-index

      panglot search "Mfumuko wa bei" --index my-index --languages en,de --hybrid --where year=2021
    """
    from panglot.encoders import load_encoder
    from panglot.search.facts import own_means
    from panglot.search.index import open_index
    from panglot.search.look_up import check_model, embed_questions, search_index, snippet

    if not question.strip():
        raise PanglotError("the question is empty; say what to look for.")
    filters = _parse_where(where or ())
    opened = open_index(index)
    opened.engine.release()
    name = model or opened.facts.name
    encoder = load_encoder(name, max_length=opened.facts.max_length, trust_remote_code=trust_remote_code)
    means = own_means(name) if opened.facts.centring else None
    check_model(opened, encoder, means)
    vectors = embed_questions(opened, encoder, [question], means=means)
    try:
        (results,) = search_index(
            opened,
            [question],
            vectors,
            k,
            languages=languages.split(",") if languages else None,
            where=filters,
            balanced=balanced,
            hybrid=hybrid,
        )
    finally:
        opened.engine.release()
    if json:
        show.print_json({"question": question, "results": [result.as_json() for result in results]})
        return
    if not results:
        show.tell("nothing was found")
    for rank, result in enumerate(results, 1):
        title = f"  {snippet(result.title, 70)}" if result.title else ""
        show.tell(f"{rank:3}  {result.score:.3f}  {result.language}  {result.id}{title}")
        show.tell(f"     {snippet(result.text)}")


def _parse_where(texts: Sequence[str]) -> dict[str, str]:
    """Read ``key=value``."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise PanglotError(f"'{text}' is no filter; write it as name=value.")
        if name in found:
            raise PanglotError(f"'{name}' is filtered by twice; give it one value.")
        found[name] = value
    return found
