"""The figures of results as a data frame, and the tables that show them: of one run, or compared."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import langcodes
import pandas as pd

from panglot.data.catalogue import entry_named
from panglot.data.suite import SETTINGS
from panglot.errors import PanglotError
from panglot.evaluation import Comparison
from panglot.evaluation.aggregate import ARROW
from panglot.evaluation.measures import DISTANCE
from panglot.languages import language_name
from panglot.report.tables import Table, number, texts, wide

SETTING_NAMES = {
    "monolingual": "monolingual",
    "crosslingual": "cross-lingual",
    "multilingual": "multilingual",
}
MEANINGS = {
    "monolingual": "query and passages in one language",
    "crosslingual": "passages in one other language",
    "multilingual": "passages in all languages, one list",
}
INTERVALS = "Ranges are 95 % intervals of a bootstrap over items."
ENDS = ["difference_low", "difference_high"]
ACROSS = "Rows: language of the query; columns: language of the passages."
LANGUAGE = {"name": "query language"}
KEYS = ["family", "group", "setting", "measure"]
SOURCES = {
    "Elmahdy et al.": "Elmahdy, Lin, Ahmad (2024), Synergistic Approach for Simultaneous Optimization of "
    "Monolingual, Cross-lingual, and Multilingual Information Retrieval, arXiv 2408.10536",
    "Roy et al.": "Roy et al. (2020), LAReQA, arXiv 2004.05484; fine-tuned mBERT, mAP in the pool of all "
    "languages",
}
OTHERWISE = "Trained on other data, with other batches and budgets: no comparison like for like."


def figures_of(
    results: Mapping[str, Any],
    intervals: Mapping[str, Any] | None = None,
    groups: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the figures of a results file, a row each.

    Args:
        intervals: their bounds; see ``bootstrap.intervals``. (default: those in the results, if any)
        groups: figures of groups of languages to add; see ``groups.group_figures``.

    Returns:
        ``family`` (settings, bias, by_language, matrix; ``languages KIND`` and ``pairs KIND`` of groups),
        ``group`` (all, a language, ``de→en``, or a group with what is in it), ``setting``, ``measure``,
        ``value``, ``low`` and ``high`` (NaN where there is no interval).
    """
    ends = intervals or results.get("intervals") or {}
    rows: list[tuple[Any, ...]] = []

    def add(family: str, group: str, setting: str, values: Any, bounds: Any) -> None:
        rows.extend(_rows(family, group, setting, values, bounds))

    bias, of_bias = results["bias"], ends.get("bias", {})
    for setting, values in results["settings"].items():
        add("settings", "all", setting, values, ends.get("settings", {}).get(setting))
    add("settings", "all", "multilingual", {DISTANCE: bias.get(DISTANCE)}, of_bias)
    add("bias", "all", "multilingual", bias, of_bias)
    for code, found in results["by_language"].items():
        own = ends.get("by_language", {}).get(code, {})
        for setting in SETTINGS:
            add("by_language", code, setting, found.get(setting), own.get(setting))
        add("by_language", code, "multilingual", {DISTANCE: found.get(DISTANCE)}, own)
    for measure, matrix in results["matrix"].items():
        for x, row in matrix.items():
            own = ends.get("matrix", {}).get(measure, {}).get(x, {})
            for y, value in row.items():
                setting = "monolingual" if x == y else "crosslingual"
                add("matrix", f"{x}{ARROW}{y}", setting, {measure: value}, {measure: own.get(y)})
    rows.extend(_group_rows(groups or {}))
    return pd.DataFrame(rows, columns=[*KEYS, "value", "low", "high"])


def _rows(family: str, group: str, setting: str, values: Any, bounds: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one group and setting: figures by measure, and their bounds where there are any."""
    for measure, value in (values or {}).items():
        if isinstance(value, int | float):
            low, high = (bounds or {}).get(measure) or (float("nan"), float("nan"))
            yield family, group, setting, measure, value, low, high


def _group_rows(groups: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of groups of languages and of pairs of them."""

    def rows(family: str, group: str, setting: str, found: Mapping[str, Any] | None) -> Any:
        known = {name: figure for name, figure in (found or {}).items() if figure}
        bounds = {name: (figure["low"], figure["high"]) for name, figure in known.items()}
        return _rows(family, group, setting, {name: f["value"] for name, f in known.items()}, bounds)

    for kind, of_kind in groups.get("languages", {}).items():
        for group, found in of_kind.items():
            title = langcodes.Language.make(script=group).script_name() if kind == "script" else group
            title = f"{title}: {', '.join(found['languages'])}"
            for setting in SETTINGS:
                yield from rows(f"languages {kind}", title, setting, found["settings"].get(setting))
            yield from rows(f"languages {kind}", title, "multilingual", {DISTANCE: found[DISTANCE]})
    for kind, of_kind in groups.get("pairs", {}).items():
        for group, found in of_kind.items():
            title = f"{group}: {found['pairs']:,} pairs"
            yield from rows(f"pairs {kind}", title, "crosslingual", found["crosslingual"])


def rows_of(figures: pd.DataFrame, family: str, *measures: str) -> pd.DataFrame:
    """Return the figures of a family, of some measures or all."""
    found = figures[figures["family"] == family]
    return found[found["measure"].isin(measures)] if measures else found


def measure_title(measure: str) -> str:
    """Return what people call a measure: the mean of AP is mAP."""
    return {"AP": "mAP", DISTANCE: "rank distance"}.get(measure, measure)


def language_title(code: str) -> str:
    """Return the name of a language with its code."""
    return f"{language_name(code)} ({code})"


def with_languages(found: pd.DataFrame, codes: str = "group") -> pd.DataFrame:
    """Add ``name``: the title of the language whose code is in a column."""
    return found.assign(name=found[codes].map(language_title))


def with_panels(found: pd.DataFrame) -> pd.DataFrame:
    """Add ``panel``: the title of a figure's setting, or rank distance; rows go in that order."""
    order = {**SETTING_NAMES, DISTANCE: "rank distance"}
    name = found["setting"].where(found["measure"] != DISTANCE, DISTANCE)
    found = found.assign(panel=name.map(order), _order=name.map(list(order).index))
    return found.sort_values("_order", kind="stable").drop(columns="_order")


def with_texts(
    found: pd.DataFrame, value: str = "value", form: str = ".4f", distance: str = ",.0f"
) -> pd.DataFrame:
    """Add ``text``: a figure with its interval and mark, ranks in the form ``distance``."""
    sign = "+" if value == "difference" else ""
    return found.assign(text=texts(found, value, sign + form, ranks=sign + distance))


def legend(baseline: str, over: str, alpha: float = 0.05) -> str:
    """Say what brackets and marks mean."""
    return f"{INTERVALS} {marks(baseline, alpha, over)}."


def marks(baseline: str, alpha: float, over: str) -> str:
    """Say what arrows mean."""
    return f"▲ ▼: significantly above or below {baseline}, p < {alpha:g} after Holm's correction over {over}"


def figure_table(
    name: str,
    title: str,
    rows: pd.DataFrame,
    heads: Mapping[str, str],
    *,
    value: str = "value",
    form: str = ".4f",
    distance: str = ",.0f",
    column: str = "panel",
    note: str = "",
    folded: bool = False,
) -> Table:
    """Show figures: rows by some columns, and settings (or another column's values) across."""
    rows = with_panels(rows)
    shown = wide(with_texts(rows, value, form, distance), list(heads), column).rename(columns=heads)
    return Table(name, title, shown, rows.drop(columns="panel"), len(heads), note, folded)


def difference_table(
    name: str, title: str, rows: pd.DataFrame, heads: Mapping[str, str], **options: Any
) -> Table:
    """Show differences between runs, to three digits; see ``figure_table``."""
    return figure_table(name, title, rows, heads, value="difference", form=".3f", **options)


# one run


def _figures_alone(results: Mapping[str, Any], family: str, *measures: str) -> pd.DataFrame:
    return rows_of(figures_of(results), family, *measures).drop(columns=["low", "high"])


def settings_table(results: Mapping[str, Any]) -> Table:
    """Show all measures of one results file, a row for each of the three settings."""
    benchmark, rows = results["benchmark"], _figures_alone(results, "settings")
    rows = rows.assign(row=rows["setting"].map(SETTING_NAMES), title=rows["measure"].map(measure_title))
    title = (
        f"{results['model']['name']} on {benchmark['name']}: {benchmark['queries']:,} queries, "
        f"{benchmark['passages']:,} passages, {len(benchmark['languages'])} languages"
    )
    return figure_table("settings", title, rows, {"row": "setting"}, column="title", distance=",.1f")


def languages_table(results: Mapping[str, Any], measure: str) -> Table:
    """Show one measure in each setting, and rank distance, by query language."""
    rows = _figures_alone(results, "by_language", measure, DISTANCE)
    title, rows = f"{measure_title(measure)} by query language", with_languages(rows)
    return figure_table("languages", title, rows, LANGUAGE, distance=",.1f")


def matrix_table(results: Mapping[str, Any], measure: str) -> Table:
    """Show one measure, times 100, for every query language (rows) and pool language (columns)."""
    rows = _figures_alone(results, "matrix", measure)
    title = f"{measure_title(measure)} × 100: query language (down), passage language (across)"
    return heat_table("matrix", title, rows, (0, 1))


def perturbed_tables(perturbed: Mapping[str, Any], measure: str) -> Iterator[Table]:
    """Show what each kind of change of the queries does to a measure: by setting, and by language in one."""
    rows = []
    for kind, found in perturbed.items():
        shares = [part["changed"] for part in found["by_language"].values() if "changed" in part]
        whole = {**found["settings"], "changed": sum(shares) / max(1, len(shares))}
        for code, of_code in {"": whole, **found["by_language"]}.items():
            for setting in SETTINGS:
                if figure := of_code.get(setting):
                    ends = {"change_low": figure["low"], "change_high": figure["high"]}
                    changed = f"{100 * of_code.get('changed', 0):.0f} %"
                    keys = {"change": figure["change"], "changed": changed, "measure": measure}
                    rows.append({"kind": kind, "language": code, "setting": setting, **keys, **ends})
    if not rows:
        return
    found = with_panels(pd.DataFrame(rows))
    title = f"Change of {measure_title(measure)} when queries are changed"
    whole = found[found["language"] == ""]
    shown = wide(whole.assign(text=texts(whole, "change", "+.4f")), ["kind", "changed"], "panel")
    shown = shown.rename(columns={"kind": "change", "changed": "queries changed"})
    yield Table("perturbed", title, shown, whole, 2)
    each = found[(found["language"] != "") & (found["panel"] == found["panel"].iloc[0])]
    if len(each):
        text = [
            f"{number(v, '+.4f')} ({share})" for v, share in zip(each["change"], each["changed"], strict=True)
        ]
        named = each.assign(text=text, language=each["language"].map(language_title))
        shown = wide(named, ["language"], "kind").rename(columns={"language": "query language"})
        about = f"{title}, by query language, {each['panel'].iloc[0]} (queries changed)"
        yield Table("perturbed-languages", about, shown, each)


# heat maps


def heat_table(
    name: str,
    title: str,
    rows: pd.DataFrame,
    ends: tuple[float, float],
    *,
    value: str = "value",
    form: str = ".0f",
    note: str = "",
) -> Table:
    """Show a figure, times 100, for each pair of query language (rows) and passage language (columns).

    Args:
        rows: with ``group`` (``de→en``) and the figure, perhaps with bounds and ``verdict``.
        ends: the figures of no colour and of the full blue; the full orange is as far below the former.
    """
    pairs = rows["group"].str.split(ARROW, expand=True).reindex(columns=[0, 1])
    zero, full = ends
    fill = (100 * (rows[value] - zero) / (full - zero or 1)).clip(-100, 100).round()
    rows = rows.assign(query=pairs[0], pool=pairs[1], text=texts(rows, value, form, times=100), fill=fill)
    shown, fills = wide(rows, ["query"], "pool"), rows.pivot(index="query", columns="pool", values="fill")
    columns = [code for code in dict.fromkeys([*pairs[0], *pairs[1]]) if code in shown]  # as the rows
    fills = fills.reindex(index=list(shown["query"]), columns=columns).astype(float)
    shown = shown[["query", *columns]].rename(columns={"query": ""})
    data = rows.drop(columns=["text", "fill", "group"])
    return Table(name, title, shown, data, note=note, fills=fills)


def excess_rows(results: Mapping[str, Any]) -> pd.DataFrame:
    """Return shares of languages at the top of the list, and of the relevant passages.

    Returns:
        by ``group`` (``de→en``: query and passage language) ``passage_language``, ``share``, ``fair`` and
        ``value``, their difference; empty where results have no shares.
    """
    shares = (v for name, v in results["bias"].items() if name.startswith("top_shares@"))
    found: Mapping[str, Any] = next(shares, {})
    rows = [
        (f"{x}{ARROW}{y}", y, share, found["fair"][x][y])
        for x, row in found.get("share", {}).items()
        for y, share in row.items()
        if x in found["fair"]
    ]
    frame = pd.DataFrame(rows, columns=["group", "passage_language", "share", "fair"])
    return frame.assign(value=frame["share"] - frame["fair"], measure="share")


def heat_tables(
    name: str, title: str, frames: Mapping[str, pd.DataFrame], *, signed: bool, note: str, **options: Any
) -> Iterator[Table]:
    """Show a heat map for each run, all with one scale of colours.

    Args:
        name: of the files, to which the number of the run is added.
        title: to which the name of the run is added.
        frames: rows of ``heat_table`` by run, empty where there are none.
        signed: whether colours show figures above and below 0, or all figures from the lowest on.
    """
    column = options.get("value", "value")
    values = pd.concat([frame[column] for frame in frames.values()])
    if not len(values):
        return
    top = values.abs().max() if signed else values.max()
    ends = (0.0, -top if options.pop("less_is_blue", False) else top) if signed else (values.min(), top)
    scale = "" if signed else f" Light: {100 * ends[0]:.0f}, dark: {100 * ends[1]:.0f}."
    for k, (run, rows) in enumerate(frames.items(), 1):
        if len(rows):
            yield heat_table(f"{name}-{k}", f"{title}: {run}", rows, ends, note=f"{note}{scale}", **options)


# compared runs


def comparison_table(compared: Comparison) -> Table:
    """Show every run in each setting: figure, difference to the baseline with its interval, p and effect."""
    rows = rows_of(compared.figures, "settings")
    rows = with_panels(rows.sort_values("run", key=lambda runs: runs != compared.baseline, kind="stable"))
    measure, benchmark = measure_title(compared.measure), compared.benchmark["name"]
    plain = rows.drop(columns=["low", "high", *ENDS])
    ends = [
        (row["low"], row["high"], "") if pd.isna(row["difference"]) else (*(row[end] for end in ENDS), "+")
        for row in rows.to_dict("records")
    ]
    forms = [",.0f" if name == DISTANCE else ".3f" for name in rows["measure"]]
    shown = pd.DataFrame(
        {
            "setting": rows["panel"],
            "run": rows["run"],
            measure: with_texts(plain.drop(columns="verdict"), form=".3f")["text"],
            "difference": with_texts(plain, "difference", ".3f")["text"],
            f"{100 * compared.method['share']:g} % interval": [
                f"{number(low, sign + form)} to {number(high, sign + form)}"
                for (low, high, sign), form in zip(ends, forms, strict=True)
            ],
            "p": [
                "" if pd.isna(p) else "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"
                for p in rows["p_holm"]
            ],
            "d": ["" if pd.isna(d) else number(d, "+.2f") for d in rows["effect"]],
        }
    )
    note = f"{_marks(compared, 'the table')}; d: difference in standard deviations of items."
    title = f"{measure} on {benchmark}; baseline: {compared.baseline}"
    return Table("comparison", title, shown, rows.drop(columns="panel"), 2, note)


def change_by_language_table(compared: Comparison, run: str) -> Table:
    """Show what a run gains and loses against the baseline, by query language."""
    rows = with_languages(_of(compared, run, "by_language").drop(columns=ENDS))
    title = f"{run} minus {compared.baseline}: {measure_title(compared.measure)} by query language"
    note = f"{_marks(compared, 'all runs, languages and settings')}."
    return difference_table("languages", title, rows, LANGUAGE, note=note)


def change_matrix_tables(compared: Comparison, runs: Iterable[str] | None = None) -> Iterator[Table]:
    """Show what runs gain and lose, times 100, by query language (rows) and pool language (columns)."""
    frames = {
        run: _of(compared, run, "matrix")
        if run != compared.baseline and run in (runs or compared.runs)
        else compared.figures[:0]
        for run in compared.runs
    }
    title = f"Change of {measure_title(compared.measure)} × 100 from {compared.baseline}"
    note = f"{ACROSS} Blue: gains, orange: losses. {_marks(compared, 'all runs and pairs')}."
    yield from heat_tables("change", title, frames, signed=True, note=note, value="difference", form="+.0f")


def _of(compared: Comparison, run: str, family: str) -> pd.DataFrame:
    return rows_of(compared.figures[compared.figures["run"] == run], family)


def _marks(compared: Comparison, over: str) -> str:
    return marks(compared.baseline, compared.method["alpha"], over)


# published figures


def reference_for(benchmark: Mapping[str, Any]) -> pd.DataFrame:
    """Return what Elmahdy et al. (2024) and Roy et al. (2020) have on a benchmark: means over its languages.

    Returns:
        a row a figure: ``model``, ``source``, ``setting``, ``measure`` (AP or rank distance), ``value``.

    Raises:
        PanglotError: nothing is published on it, or on other languages or candidates.
    """
    with files("panglot.report").joinpath("published.csv").open(encoding="utf-8") as file:
        figures = pd.read_csv(file)
    name = str(benchmark["name"])
    found = figures[figures["benchmark"] == name].drop(columns="benchmark").reset_index(drop=True)
    if not len(found):
        raise PanglotError(
            f"the paper has no figures on '{name}'; leave --reference out (it has xquad-r and mlqa-r)."
        )
    languages = sorted(entry_named(name).languages)
    if sorted(benchmark["languages"]) != languages:
        names = ", ".join(map(language_name, languages))
        raise PanglotError(
            f"the paper's figures on {name} cover all its languages ({names}), so the pools differ; "
            "evaluate without --languages, or leave --reference out."
        )
    if benchmark["candidate_text"] != "sentence":
        raise PanglotError(
            f"the paper ranks sentences, but these results rank '{benchmark['candidate_text']}'; leave "
            "--reference out."
        )
    return found


def beside_published(own: pd.DataFrame, published: pd.DataFrame, name: str = "reference") -> Table:
    """Show runs above published figures on the same benchmark.

    Args:
        own: rows with ``run``, ``setting``, ``measure`` (AP or rank distance) and ``value``.
        published: see ``reference_for``.
    """
    own = own[["run", "setting", "measure", "value"]].rename(columns={"run": "model"})
    rows = with_panels(pd.concat([own.assign(source="this report"), published]))
    shown = wide(with_texts(rows, form=".3f", distance=",.1f"), ["model", "source"], "panel")
    sources = [f"{short}: {SOURCES[short]}." for short in dict.fromkeys(published["source"])]
    note = " ".join([*sources, OTHERWISE])
    title = "Beside published figures (mAP)"
    return Table(name, title, shown.rename(columns={"source": "from"}), rows, 2, note)
