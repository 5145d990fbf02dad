"""What the runs of tests found."""

from pathlib import Path

from panglot.evaluation import Evaluation, load_results
from panglot.experiments.runs import Data, Run, results_of


def read_results(run: Run, data: Data, folder: Path) -> dict[str, Evaluation]:
    """Read the results of a finished run, by the titles of its targets."""
    return {t.title: load_results(results_of(run, t, data, folder)) for t in run.targets}
