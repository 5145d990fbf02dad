"""Every command explains itself."""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points, version
from typing import Any

import pytest
import typer

from panglot.cli import app, main
from panglot.experiments.experiment import NAMES

Runner = Callable[..., Any]


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk over a command and those below it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(path) for path, _ in COMMANDS} == {
        "",
        "quickstart",
        "train",
        "evaluate",
        "compare",
        "inspect",
        "report",
        "reproduce",
        "export",
        "export mteb",
        "export model-card",
        "mine",
        "centre",
        "trim",
        "average",
        "push",
        "encode",
        "index",
        "search",
        "serve",
        "export onnx",
        "data",
        "data list",
        "data info",
        "data get",
        "data check",
        "data translate",
        "experiment",
        "experiment strategies",
        *(f"experiment {name}" for name in NAMES),
    }


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_help_names_every_option_with_an_explanation(
    panglot: Runner, path: tuple[str, ...], command: Any
) -> None:
    outcome = panglot(*path, "--help")
    assert outcome.code == 0
    for parameter in command.params:
        named = parameter.metavar or parameter.name  # of an argument
        name = parameter.opts[0] if parameter.param_type_name == "option" else named.removesuffix("...")
        assert name.lower() in outcome.out.lower()
        assert parameter.help, f"{name} is not explained"
    first_words = command.help.split("\n")[0].split(".")[0].split()[:5]
    assert " ".join(first_words) in " ".join(outcome.out.split())


@pytest.mark.parametrize("path", [(), ("train",), ("experiment",)])
def test_a_command_without_arguments_shows_its_help(panglot: Runner, path: tuple[str, ...]) -> None:
    outcome = panglot(*path)
    assert "Usage:" in outcome.out
    assert "--help" in outcome.out


def test_version_prints_the_version(panglot: Runner) -> None:
    outcome = panglot("--version")
    assert (outcome.code, outcome.out.strip()) == (0, version("panglot"))


@pytest.mark.parametrize(
    "command", ["trian", "train --batch-sise 3", "train --steps many", "--unknown train"]
)
def test_wrong_usage_is_said_by_one_process_alone(
    panglot: Runner, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    reported: list[str] = []

    def first_to_report(sentence: str) -> bool:
        reported.append(sentence)
        return len(reported) == 1

    monkeypatch.setattr("panglot.cli.guard._first_to_report", first_to_report)
    first, second = (panglot(*command.split()) for _ in range(2))
    assert (first.code, second.code, first.out, second.out) == (2, 2, "", "")
    assert (first.err.count("─ Error ─"), second.err) == (1, "")
    assert reported[0] == reported[1]


def test_the_program_is_called_panglot() -> None:
    (script,) = entry_points(group="console_scripts", name="panglot")
    assert script.load() is main
