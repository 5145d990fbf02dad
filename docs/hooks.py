"""Write the page of all commands from their own help, when mkdocs builds the site."""

from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from panglot.cli import app

PAGE = "reference/cli.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to those that lie in the folder."""
    text = "\n".join(["# Commands", "", *described(typer.main.get_command(app), "panglot")])
    files.append(File.generated(config, PAGE, content=text))
    return files


def described(command: Any, path: str) -> Iterator[str]:
    """Yield the lines on a command and on those below it."""
    below = getattr(command, "commands", {})
    if path != "panglot":
        yield from (f"## {path}", "", paragraphs(command.help), "")
    if not below:
        yield from (f"```\n{usage(command, path)}\n```", "", "| | |", "|---|---|")
        for parameter in command.params:
            yield f"| {names(parameter)} | {cell(parameter)} |"
        yield ""
    for name, inner in below.items():
        yield from described(inner, f"{path} {name}")


def paragraphs(text: str) -> str:
    """Return a help text as Markdown; indented lines are commands."""
    parts = [part.strip("\n") for part in text.replace("\b", "").split("\n\n")]
    return "\n\n".join(f"```\n{part.strip()}\n```" if part.startswith("  ") else part for part in parts)


def usage(command: Any, path: str) -> str:
    """Return a command with its arguments."""
    words = [path]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            word = names(parameter).strip("`").removesuffix("...") + "..." * (parameter.nargs == -1)
            words.append(word if parameter.required else f"[{word}]")
    return " ".join((*words, "[OPTIONS]"))


def names(parameter: Any) -> str:
    """Return all names of an option, or that of an argument."""
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def cell(parameter: Any) -> str:
    """Return what a parameter means, and its default where the help does not name it."""
    text = parameter.help.replace("|", "\\|").replace("<", "&lt;")
    default = parameter.default
    if parameter.required:
        return f"{text} (required)"
    if "(default" in text or not isinstance(default, str | int | float) or isinstance(default, bool):
        return text
    return f"{text} (default: `{default}`)"
