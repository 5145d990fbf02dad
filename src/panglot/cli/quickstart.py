"""``panglot quickstart``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from panglot.cli import show
from panglot.errors import PanglotError


def quickstart(
    output: Annotated[Path, typer.Option(help="Folder for the model and the results.")] = Path(
        "runs/quickstart"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier quickstart in --output.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print both results as JSON, and nothing else.")
    ] = False,
) -> None:
    """See hybrid batch training work, in under three minutes on a laptop.

    Fine-tunes the embedded encoder on the bundled sample (12 languages), evaluates it before and after in the
    three settings, and searches in three languages.
    """
    import shutil

    from panglot.experiments import quickstart as run
    from panglot.languages import language_name
    from panglot.report import change_table

    if overwrite:
        shutil.rmtree(output / "model", ignore_errors=True)
    if (output / "model").exists():
        raise PanglotError(f"{output}: holds an earlier quickstart; replace it with --overwrite.")
    with show.training_progress() as tell:
        found = run(output, say=show.say, tell=tell)
    before, after = found.before.results, found.after.results
    if json:
        show.print_json({"before": before, "after": after})
        return
    show.out.print(change_table(before, after))
    show.out.print(
        "How to read it: mAP is 1 when the right passage always comes first. In the multilingual setting the "
        "right passages in all 12 languages compete in one list. The rank distance tells how far apart they "
        "land in it: a model that ranks by language, not by meaning, has a large one. These questions were "
        "not trained on.\n",
        highlight=False,
    )
    benchmark = found.benchmark
    for row, hits in found.searches:
        language = benchmark.languages[benchmark.queries.languages[row]]
        show.out.print(Text(f"{language_name(language)}: {benchmark.queries.texts[row]}", style="bold"))
        for hit in hits:
            code = benchmark.languages[benchmark.passages.languages[hit.row]]
            line = Text(f"  {hit.score:.2f} {code}  {hit.text}")
            line.truncate(max(40, show.out.width - 1), overflow="ellipsis")
            show.out.print(line)
    show.tell(f"\nThe model is in {output / 'model'}, the results in {output}. Next: panglot train --help")
