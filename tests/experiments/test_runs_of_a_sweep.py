"""Runs: what a run's place depends on."""

from collections.abc import Callable
from pathlib import Path

from panglot.data import sample
from panglot.experiments.runs import Data, Run, folder_of, forget_data, sources_of

MakeRun = Callable[..., Run]


def test_the_order_of_the_sources_changes_neither_draws_nor_place(make_run: MakeRun, tmp_path: Path) -> None:
    lines = (sample.FOLDER / "train.jsonl").read_bytes().splitlines(keepends=True)
    paths = []
    for name, part in (("b", lines[: len(lines) // 2]), ("a", lines[len(lines) // 2 :])):
        paths.append(str(tmp_path / f"{name}.jsonl"))
        Path(paths[-1]).write_bytes(b"".join(part))
    forget_data()
    one, other = Data(tuple(paths)), Data(tuple(reversed(paths)))
    assert [source.name for source in sources_of(one)[0]] == ["a", "b"]
    assert [source.sha256 for source in sources_of(one)[0]] == [s.sha256 for s in sources_of(other)[0]]
    assert folder_of(make_run("a"), one, Path()) == folder_of(make_run("a"), other, Path())
    forget_data()
