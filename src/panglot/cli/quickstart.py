"""``panglot quickstart``."""

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from rich.text import Text
from typer import Option

from panglot.cli import show
from panglot.cli.options import Model
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from panglot.experiments.quickstart import Answer, Hit, Stage


def quickstart(
    output: Annotated[Path, Option(help="Folder for the models and the results.")] = Path("runs/quickstart"),
    model: Model = "multilingual-e5-small",
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace an earlier quickstart in --output.")
    ] = False,
    json: Annotated[bool, Option("--json", help="Print only JSON: the three results.")] = False,
) -> None:
    """Show in about a minute what hybrid batches change.

    The command trains an encoder on the bundled sample (12 languages), once with mixed and once with hybrid
    batches. It evaluates the encoder before and after training, and asks all three models the same questions.
    """
    from panglot.experiments.quickstart import STRATEGIES
    from panglot.experiments.quickstart import quickstart as run

    for name in STRATEGIES:
        if overwrite:
            shutil.rmtree(output / name, ignore_errors=True)
        if (output / name).exists():
            raise PanglotError(
                f"{output}: the folder holds an earlier quickstart. Replace it with --overwrite."
            )
    stages = run(output, model=model, say=show.say)
    if json:
        show.print_json({stage.name: stage.evaluation.results for stage in stages})
        return
    _show_headline(stages)
    show.out.print(_figures(stages))
    for answers in zip(*(stage.answers for stage in stages), strict=True):
        show.out.print(_side_by_side([stage.name for stage in stages], answers))
    _show_next_steps(output, stages)


def _show_headline(stages: Sequence["Stage"]) -> None:
    """Print the two main figures."""
    wins = ", ".join(f"{stage.name} {100 * stage.own_wins:.0f} %" for stage in stages)
    ranks = ", ".join(f"{stage.name} {stage.other_rank:.0f}" for stage in stages)
    show.result(
        "\nHow often does a right passage in another language rank below one in the question's own language?"
    )
    show.out.print(f"  {wins}", style="bold", highlight=False)
    show.result(
        "At which rank does one find a right passage in another language (median, among 288 passages)?"
    )
    show.out.print(f"  {ranks}", style="bold", highlight=False)
    show.result(
        "\nAfter training with mixed batches (a shuffled multilingual data set), the encoder ranks by "
        "language. After\ntraining with hybrid batches of the same pairs and budget, it ranks by meaning. No "
        "question is training data.\n"
    )


def _figures(stages: Sequence["Stage"]) -> Table:
    from panglot.report.figures import SETTING_NAMES

    table = show.new_table("mAP (1: the right passages always come first) with 95 % intervals over questions")
    table.add_column("batches")
    for setting in SETTING_NAMES.values():
        table.add_column(setting, justify="right")
    table.add_column("rank distance", justify="right")
    for stage in stages:
        results = stage.evaluation.results
        bounds = results["intervals"]
        cells = [
            f"{results['settings'][name]['AP']:.3f} ±{_half(bounds['settings'][name]['AP']):.3f}"
            for name in SETTING_NAMES
        ]
        distance = f"{results['bias']['rank_distance']:.0f} ±{_half(bounds['bias']['rank_distance']):.0f}"
        table.add_row("none (zero-shot)" if stage.name == "zero-shot" else stage.name, *cells, distance)
    return table


def _half(bounds: Sequence[float]) -> float:
    return (bounds[1] - bounds[0]) / 2


def _side_by_side(names: Sequence[str], answers: Sequence["Answer"]) -> Table:
    """Show what each stage finds for one question; right passages are marked."""
    from panglot.languages import language_name

    table = show.new_table(f"{language_name(answers[0].language)}: {answers[0].question}", expand=True)
    for name in names:
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1)
    for hits in zip(*(answer.hits for answer in answers), strict=True):
        table.add_row(*(_cell(hit, hit.language == answers[0].language) for hit in hits))
    return table


def _cell(hit: "Hit", own: bool) -> Text:
    mark = "✓" if hit.right else "·"
    return Text(
        f"{mark} {hit.language} {hit.text}", "dim" if not hit.right else "bold green" if not own else "green"
    )


def _show_next_steps(output: Path, stages: Sequence["Stage"]) -> None:
    """Write the report, and print the next steps."""
    results = [output / f"{stage.name}.json" for stage in stages]
    show.result("✓ marks a right passage, in the language before it.\n\nNext:")
    if find_spec("altair") is not None:
        from panglot.report import gather, write_report

        page = output / "report.html"
        write_report(gather([stage.evaluation for stage in stages], paths=results), page)
        show.result(f"  open {page} in a browser: the figures by language")
    else:
        show.result(
            "  see the figures by language: pip install 'panglot[report]', then panglot report "
            f"{' '.join(map(str, results))}"
        )
    show.result(f"  try the search page: panglot serve --model {output / 'hybrid'}")
    show.result("  train on your own pairs: panglot train --pairs pairs.jsonl --output runs/tuned")
