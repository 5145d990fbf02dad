"""The tables of a report: settings, differences, measures, languages, bias."""

from panglot.evaluation.bias import READINGS
from panglot.languages import language_name
from panglot.report.blocks import EMPTY, Cell, Grid, figure
from panglot.report.contents import Contents, Run
from panglot.report.reference import Reference
from panglot.report.words import SETTINGS, measure_title, p_text

DISTANCE = "rank_distance"


def settings_grid(contents: Contents) -> Grid:
    """Show the measure in the three settings and rank distance, a row each run."""
    settings = [s for s in SETTINGS if any(run.results["settings"].get(s) for run in contents.runs)]
    distances = any(run.results["bias"].get(DISTANCE) is not None for run in contents.runs)
    rows = []
    for run in contents.runs:
        row = [Cell(run.name)]
        for setting in settings:
            found = run.results["settings"].get(setting)
            value = None if found is None else found[contents.measure]
            ends = run.bounds["settings"].get(setting, {}).get(contents.measure)
            row.append(figure(value, ends, verdict=_verdict(contents, run, setting)))
        if distances:
            ends = run.bounds["bias"].get(DISTANCE)
            value = run.results["bias"].get(DISTANCE)
            row.append(figure(value, ends, ",.0f", verdict=_verdict(contents, run, DISTANCE)))
        rows.append(row)
    title = f"{measure_title(contents.measure)} in each setting, with 95 % intervals"
    columns = ["model", *(SETTINGS[s] for s in settings), *(["rank distance"] if distances else [])]
    return Grid("settings", title, columns, rows, note=_marks_note(contents))


def _verdict(contents: Contents, run: Run, name: str, language: str | None = None) -> str | None:
    """Return what the comparison says of a figure of a run, if it says something."""
    if contents.compared is None:
        return None
    of_run = contents.compared["compared"][run.name]
    if language is not None:
        found = of_run["by_language"].get(language, {}).get(name)
    else:
        found = of_run[DISTANCE] if name == DISTANCE else of_run["settings"].get(name)
    return None if found is None else found.get("verdict")


def _marks_note(contents: Contents) -> str:
    meaning = "Lower rank distance is better."
    if contents.compared is None:
        return meaning
    alpha = contents.compared["method"]["alpha"]
    return (
        f"▲ better, ▼ worse than {contents.compared['baseline']} (p < {alpha:g} after Holm's correction). "
        f"{meaning}"
    )


def differences_grid(contents: Contents) -> Grid:
    """Show every run's difference to the baseline with its interval, p and effect size."""
    assert contents.compared is not None
    compared, rows = contents.compared, []
    for setting in (*SETTINGS, DISTANCE):
        for name in compared["runs"]:
            of_run = compared["compared"][name]
            found = of_run[DISTANCE] if setting == DISTANCE else of_run["settings"].get(setting)
            if found is None or "difference" not in found:
                continue
            form = "+,.0f" if setting == DISTANCE else "+.3f"
            ends = (found["difference_low"], found["difference_high"])
            title = SETTINGS.get(setting, "rank distance")
            change = figure(found["difference"], ends, form, verdict=found["verdict"])
            p = Cell(p_text(found["p_holm"]).removeprefix("p ").removeprefix("= "), found["p_holm"])
            rows.append([Cell(title), Cell(name), change, p, figure(found["effect"], None, "+.2f")])
    method = compared["method"]
    how = "all assignments of signs" if method["exact"] else f"{method['flips']:,} draws"
    note = (
        f"p: {method['test']} ({how}), Holm's correction; effect: {method['effect']}; intervals: "
        f"{method['resamples']:,} resamples of {method['items']:,} items."
    )
    title = f"Difference to {compared['baseline']}"
    return Grid("differences", title, ["setting", "model", "difference", "p", "effect"], rows, 2, note)


def measures_grid(contents: Contents) -> Grid:
    """Show all measures of every run in every setting."""
    rows = []
    for setting, title in SETTINGS.items():
        for run in contents.runs:
            found = run.results["settings"].get(setting)
            if found:
                ends = run.bounds["settings"].get(setting, {})
                cells = [figure(found[m], ends.get(m)) for m in contents.measures]
                rows.append([Cell(title), Cell(run.name), *cells])
    columns = ["setting", "model", *(measure_title(m) for m in contents.measures)]
    return Grid("measures", "All measures, with 95 % intervals", columns, rows, heads=2)


def reference_grid(contents: Contents, reference: Reference) -> Grid:
    """Show the runs above published figures on the same benchmark."""
    rows = []
    for run in contents.runs:
        found = [(run.results["settings"].get(s) or {}).get("AP") for s in SETTINGS]
        distance = run.results["bias"].get(DISTANCE)
        rows.append(
            [Cell(run.name), Cell("this report"), *map(figure, found), figure(distance, None, ",.1f")]
        )
    for row in reference.rows:
        cells = [figure(row.settings.get(s)) for s in SETTINGS]
        rows.append([Cell(row.model), Cell(row.source), *cells, figure(row.rank_distance, None, ",.1f")])
    columns = ["model", "from", *SETTINGS.values(), "rank distance"]
    note = " ".join([*(f"{short}: {full}." for short, full in reference.sources.items()), reference.note])
    return Grid("reference", "Beside published figures (mAP)", columns, rows, note=note)


def language_grid(contents: Contents) -> Grid:
    """Show the measure in each setting, and rank distance, by query language and run."""
    names = [s for s in SETTINGS if any(run.results["settings"].get(s) for run in contents.runs)]
    if any(run.results["bias"].get(DISTANCE) is not None for run in contents.runs):
        names.append(DISTANCE)
    several = len(contents.runs) > 1
    rows = []
    for code in contents.languages:
        for run in contents.runs:
            heads = [Cell(f"{language_name(code)} ({code})"), *([Cell(run.name)] if several else [])]
            rows.append([*heads, *(_of_language(contents, run, name, code) for name in names)])
    title = f"{measure_title(contents.measure)} by query language, with 95 % intervals"
    columns = ["query language", *(["model"] if several else [])]
    columns += [SETTINGS.get(name, "rank distance") for name in names]
    return Grid("languages", title, columns, rows, 1 + several, _marks_note(contents))


def _of_language(contents: Contents, run: Run, setting: str, code: str) -> Cell:
    found = run.results["by_language"].get(code, {}).get(setting)
    ends = run.bounds["by_language"].get(code, {}).get(setting)
    verdict = _verdict(contents, run, setting, code)
    if setting == DISTANCE:
        return figure(found, ends, ",.0f", verdict=verdict)
    if found is None:
        return EMPTY
    return figure(found[contents.measure], (ends or {}).get(contents.measure), verdict=verdict)


def bias_grid(contents: Contents) -> Grid:
    """Show every bias figure that a run has, and its value without bias."""
    rows = []
    for name, reading in READINGS.items():
        cells = [
            figure(run.results["bias"].get(name), run.bounds["bias"].get(name), _bias_form(name))
            for run in contents.runs
        ]
        if any(cell is not EMPTY for cell in cells):
            fair = EMPTY if reading.fair is None else Cell(f"{reading.fair:g}", reading.fair)
            rows.append([Cell(reading.title), *cells, fair])
    columns = ["figure", *(run.name for run in contents.runs), "without bias"]
    return Grid("bias", "Bias in the pool of all languages, with 95 % intervals", columns, rows)


def _bias_form(name: str) -> str:
    return ",.0f" if name == DISTANCE else ".3f"
