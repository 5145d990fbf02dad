"""What ``domain-shift`` shows: tables and plots."""

from collections.abc import Mapping, Sequence
from typing import Any

from panglot.evaluation import ALL
from panglot.evaluation.compare import ALPHA
from panglot.experiments.charts import dots
from panglot.experiments.questions.domain_shift.figures import AGNOSTIC
from panglot.experiments.questions.domain_shift.words import FORM, Compared, Losses, place
from panglot.experiments.runs import ZERO_SHOT
from panglot.report.blocks import EMPTY, Cell, Grid, Picture, Section, Sentences, figure
from panglot.report.words import measure_title

MACRO = "mean"  # of all languages


def sections(sentences: Sequence[str], compared: Compared, lost: Losses) -> list[Section]:
    """Return the page: the answer, what is lost, and a table a benchmark and setting."""
    tables = [_by_language(key, parts) for key, parts in compared.items()]
    return [
        Section("answer", "The answer", [Sentences(sentences, listed=True)]),
        Section("shifts", "What is lost outside the domain", [_gains(lost), _losses(lost), _each(lost)]),
        Section("languages", "One model against one a language", [_differences(compared), *tables]),
    ]


def _gains(lost: Losses) -> Picture:
    groups = [group for group in lost[0]["groups"] if group != ZERO_SHOT]
    rows = [
        {"name": group, "panel": _panel(shift), "series": series, **shift["groups"][group][ALL][key]}
        for shift in lost
        for group in groups
        for series, key in (("inside", "gain_inside"), ("outside", "gain_outside"))
    ]
    title = "Gain over the encoder as it comes, inside the domain and outside"
    panels = [_panel(shift) for shift in lost]
    spec = dots(
        rows, title, value="gain", names=groups, series=["inside", "outside"], panels=panels, zero=True
    )
    alt = f"{title}: two dots a group with 95 % intervals, a panel a shift; the numbers are in the table."
    return Picture("domain-shift-gains", title, alt, spec)


def _differences(compared: Compared) -> Picture:
    rows, panels, names, groups = [], [], [MACRO], []
    for key, parts in compared.items():
        panels.append(place(*key))
        for group, found in parts["compared"].items():
            if group in (AGNOSTIC, ZERO_SHOT):
                continue
            groups += [] if group in groups else [group]
            of_language = found["by_language"]
            scopes = {MACRO: found["settings"], **of_language} if len(of_language) > 1 else of_language
            for name, of_scope in scopes.items():
                names += [] if name in names else [name]
                of_setting = of_scope[key[1]]
                ends = {
                    end: of_setting[f"difference{rest}"]
                    for end, rest in (("value", ""), ("low", "_low"), ("high", "_high"))
                }
                rows.append({"name": name, "panel": panels[-1], "series": group, **ends})
    title = "Difference to the agnostic model, by language of the query"
    spec = dots(rows, title, value="difference", names=names, series=groups, panels=panels, zero=True)
    alt = f"{title}: a dot a group with its 95 % interval, a panel a benchmark; above 0 beats agnostic."
    return Picture("domain-shift-differences", title, alt, spec)


def _losses(lost: Losses) -> Grid:
    rows = []
    for shift in lost:
        for group, scopes in shift["groups"].items():
            rows.append([Cell(shift["title"]), Cell(group), *_loss_cells(scopes[ALL])])
    note = (
        "In brackets 95 % intervals of a bootstrap over items. Drop: inside minus outside, and its share of "
        "what is inside. Gain: over the encoder as it comes; kept: the share of it that is left outside. "
        "More than agnostic: how much more drops than for the agnostic model; ▲ less and ▼ more, "
        f"p < {ALPHA} by the normal distribution after Holm's correction over all rows. Those of "
        "changed queries rest on the intervals of the changes and are wider than they need be."
    )
    return Grid(
        "domain-shift-losses", "What is lost, mean of the languages", ["", "", *LOSSES], rows, 2, note
    )


LOSSES = (
    "inside",
    "outside",
    "drop",
    "share",
    "gain inside",
    "gain outside",
    "drop of the gain",
    "gain kept",
    "more than agnostic",
    "p",
)


def _each(lost: Losses) -> Grid:
    rows = [
        [Cell(shift["title"]), Cell(group), Cell(scope), *_loss_cells(figures)]
        for shift in lost
        for group, scopes in shift["groups"].items()
        for scope, figures in scopes.items()
        if scope != ALL
    ]
    note = "As above; Holm's correction over all rows of this table."
    columns = ["", "", "language", *LOSSES]
    return Grid(
        "domain-shift-losses-languages", "What is lost, by language", columns, rows, 3, note, folded=True
    )


def _loss_cells(found: Mapping[str, Any]) -> list[Cell]:
    def cell(name: str, form: str = FORM, verdict: str | None = None) -> Cell:
        its = found.get(name)
        return (
            EMPTY if its is None else figure(its["value"], (its["low"], its["high"]), form, verdict=verdict)
        )

    further = found["further"]
    return [
        cell("inside"),
        cell("outside"),
        cell("drop", "+" + FORM),
        cell("relative", ".1%"),
        *(cell(name, "+" + FORM) for name in ("gain_inside", "gain_outside", "gain_drop")),
        cell("kept", ".0%"),
        cell("further", "+" + FORM, None if further is None else further["verdict"]),
        EMPTY if further is None else figure(further["p_holm"], form=".3f"),
    ]


def _by_language(key: tuple[str, str], compared: Mapping[str, Any]) -> Grid:
    """Show a benchmark's figures: a row a group, the mean and every language."""
    languages = list(compared["compared"][AGNOSTIC]["by_language"])
    rows = []
    for group, found in compared["compared"].items():
        scopes = [found["settings"], *(found["by_language"][x] for x in languages if len(languages) > 1)]
        cells = [
            figure(f["value"], (f["low"], f["high"]), FORM, verdict=f.get("verdict"))
            for f in (scope[key[1]] for scope in scopes)
        ]
        rows.append([Cell(group), *cells])
    columns = ["", *([MACRO, *languages] if len(languages) > 1 else languages)]
    title = f"{measure_title(compared['measure'])}: {place(*key)}"
    note = (
        "In brackets 95 % intervals of a bootstrap over items. ▲ better and ▼ worse than agnostic, "
        f"p < {compared['method']['alpha']} after Holm's correction, over the means and over the "
        "languages. Queries of a language are answered by that language's specific model."
    )
    return Grid(f"domain-shift-{key[0]}-{key[1]}", title, columns, rows, note=note)


def _panel(shift: Mapping[str, Any]) -> str:
    return f"{shift['title']}: {', '.join(shift['languages'])}"
