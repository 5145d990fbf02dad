"""The sections of a report, in the order of reading."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import langcodes

from panglot.evaluation.bias import READINGS
from panglot.languages import language_name
from panglot.report.blocks import EMPTY, Block, Cell, Facts, Failures, Grid, Section, Sentences, figure
from panglot.report.compare_tables import comparison_in_words
from panglot.report.contents import Contents, Run
from panglot.report.grids import (
    DISTANCE,
    bias_grid,
    differences_grid,
    language_grid,
    measures_grid,
    reference_grid,
    settings_grid,
)
from panglot.report.heat import change_grid, matrix_grids, share_grids
from panglot.report.pictures import (
    change_picture,
    distance_picture,
    matrix_picture,
    share_picture,
    spread_picture,
)
from panglot.report.reference import Reference
from panglot.report.words import SETTINGS, summary

KINDS = {
    "training": "Seen or unseen in training",
    "script": "Script",
    "family": "Language family",
    "resource": "Resource class",
    "relation": "Distance of the two languages",
}


def sections(contents: Contents, reference: Reference | None = None) -> list[Section]:
    """Return all sections that the runs have something for."""
    found = [
        Section("summary", "Summary", [Sentences(summary(contents), listed=True)]),
        Section("settings", "The three settings", list(_settings(contents, reference))),
        Section("languages", "By query language", [language_grid(contents)]),
        Section("matrix", "Query language by passage language", list(_matrices(contents))),
        Section("distance", "Rank distance", list(_distances(contents))),
        Section("shares", "Languages at the top of the list", list(_shares(contents))),
        Section("bias", "Language bias", list(_bias(contents))),
        Section("groups", "Groups of languages", list(_groups(contents))),
        Section("failures", "Worst queries", list(_failures(contents))),
        Section("repeat", "To repeat it", list(_facts(contents))),
    ]
    return [section for section in found if section.blocks]


def _settings(contents: Contents, reference: Reference | None) -> Iterator[Block]:
    yield settings_grid(contents)
    if contents.compared is not None:
        yield differences_grid(contents)
        yield Sentences([*comparison_in_words(contents.compared), *contents.compared["notes"]])
    if len(contents.measures) > 1:
        yield measures_grid(contents)
    if reference is not None:
        yield reference_grid(contents, reference)


def _matrices(contents: Contents) -> Iterator[Block]:
    if len(contents.languages) < 2:
        return
    yield from matrix_grids(contents)
    yield from (matrix_picture(contents, run) for run in contents.runs)
    if contents.compared is not None:
        for name in contents.compared["runs"]:
            if name != contents.compared["baseline"]:
                yield change_grid(contents.compared, name)
                yield change_picture(contents.compared, name)


def _distances(contents: Contents) -> Iterator[Block]:
    known = [run for run in contents.runs if run.results["bias"].get(DISTANCE) is not None]
    if known:
        yield distance_picture(contents, known)
        picture, grid = spread_picture(contents, known)
        yield picture
        yield grid


def _shares(contents: Contents) -> Iterator[Block]:
    known = [run for run in contents.runs if top_shares(run)]
    if known:
        picture, grid = share_picture(contents, known)
        yield picture
        yield grid
        yield from share_grids(contents, known)


def top_shares(run: Run) -> Mapping[str, Any] | None:
    """Return a run's shares of languages in the top of the list, where its results have them."""
    for name, found in run.results["bias"].items():
        if name.startswith("top_shares@"):
            shares: Mapping[str, Any] = found
            return shares
    return None


def _bias(contents: Contents) -> Iterator[Block]:
    grid = bias_grid(contents)
    if not grid.rows:
        return
    yield grid
    shown = {row[0].text for row in grid.rows}
    readings = {r.title: f"{r.sentence} Source: {r.source}." for r in READINGS.values() if r.title in shown}
    yield Facts("How to read them", readings, {})


def _groups(contents: Contents) -> Iterator[Block]:
    for kind, title in KINDS.items():
        rows = [
            [
                Cell(_group_name(kind, group, found["languages"])),
                Cell(run.name),
                *_group_cells(contents, found),
            ]
            for group in _names(contents, "languages", kind)
            for run in contents.runs
            if (found := run.groups["languages"].get(kind, {}).get(group))
        ]
        if len({row[0].text for row in rows}) > 1:
            columns = ["group", "model", *SETTINGS.values(), "rank distance"]
            yield Grid(f"groups-{kind}", title, columns, rows, 2, _group_note(contents, kind))
    for kind, title in KINDS.items():
        rows = [
            [Cell(f"{group}: {found['pairs']:,} pairs"), Cell(run.name), _crosslingual(contents, found)]
            for group in _names(contents, "pairs", kind)
            for run in contents.runs
            if (found := run.groups["pairs"].get(kind, {}).get(group))
        ]
        if len({row[0].text for row in rows}) > 1:
            columns = ["group", "model", SETTINGS["crosslingual"]]
            yield Grid(
                f"pairs-{kind}", f"Pairs of languages: {title[0].lower()}{title[1:]}", columns, rows, 2
            )


def _group_name(kind: str, group: str, languages: Sequence[str]) -> str:
    if kind == "script":
        group = langcodes.Language.make(script=group).script_name()
    return f"{group}: {', '.join(languages)}"


def _names(contents: Contents, part: str, kind: str) -> list[str]:
    return list(dict.fromkeys(name for run in contents.runs for name in run.groups[part].get(kind, {})))


def _group_cells(contents: Contents, found: Mapping[str, Any]) -> list[Cell]:
    figures = [(found["settings"].get(setting) or {}).get(contents.measure) for setting in SETTINGS]
    return [*map(_with_ends, figures), _with_ends(found[DISTANCE], ",.0f")]


def _crosslingual(contents: Contents, found: Mapping[str, Any]) -> Cell:
    return _with_ends(found["crosslingual"].get(contents.measure))


def _with_ends(found: Mapping[str, float] | None, form: str = ".3f") -> Cell:
    return EMPTY if found is None else figure(found["value"], (found["low"], found["high"]), form)


def _group_note(contents: Contents, kind: str) -> str:
    unknown = contents.runs[0].groups["unknown"].get(kind, [])
    notes = [f"In no group, since it is not known: {', '.join(unknown)}."] if unknown else []
    if kind == "resource":
        notes.insert(0, "Joshi et al. 2020: from 0, hardly any data, to 5, most.")
    return " ".join(notes)


def _failures(contents: Contents) -> Iterator[Block]:
    for run in contents.runs:
        if run.failures:
            yield Failures(f"Worst queries of {run.name}", run.failures)


def _facts(contents: Contents) -> Iterator[Block]:
    benchmark = contents.benchmark
    facts = {
        "benchmark": str(benchmark["name"]),
        "sha256 of its texts and judgements": str(benchmark["sha256"]),
        "queries": f"{benchmark['queries']:,}",
        "passages": f"{benchmark['passages']:,}",
        "candidates": str(benchmark["candidate_text"]),
        "languages": ", ".join(f"{language_name(code)} ({code})" for code in contents.languages),
        **{f"{name} (of this report)": f"{value:g}" for name, value in contents.settings.items()},
    }
    yield Facts("Benchmark and method", facts, {})
    for run in contents.runs:
        yield _run_facts(run)


def _run_facts(run: Run) -> Facts:
    results, model = run.results, run.results["model"]
    facts = {
        "command": str(results.get("command", "")),
        "made": f"{results.get('created', '')}, panglot {results.get('panglot', '')}",
        "seed": str(results.get("seed", "")),
        "model": str(model["name"]),
        "sha256 of its weights": str(model.get("sha256", "")),
        "precision": str(model.get("precision", "")),
        "longest text, tokens": str(model.get("max_length", "")),
        **{f"prompt of a {kind}": json.dumps(text, ensure_ascii=False) for kind, text in _prompts(model)},
        "versions": ", ".join(f"{name} {number}" for name, number in (results.get("versions") or {}).items()),
    }
    in_full = {
        title: json.dumps(model[key], ensure_ascii=False, indent=2)
        for key, title in (("training", "how it was trained"), ("centring", "how it was centred"))
        if model.get(key)
    }
    return Facts(
        run.name, {name: value for name, value in facts.items() if value not in ("", "None")}, in_full
    )


def _prompts(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in (model.get("prompts") or {}).items() if text]
