"""How far training reaches left-out languages: what is run, and what is made of hand-made findings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from panglot.cli import app
from panglot.data.sample import FOLDER
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation
from panglot.experiments.answer import Answer
from panglot.experiments.experiment import Experiment, read_experiment
from panglot.experiments.questions.unseen_languages import answer, plan
from panglot.experiments.questions.unseen_languages.question import LeftOut
from panglot.experiments.runs import Measured, Places
from panglot.report.blocks import Grid, Picture, Sentences
from panglot.report.markdown import markdown
from panglot.report.render import png

ITEMS = 12  # 2 ** 12 assignments of signs: tests are exact, and the smallest p is 2 / 4096
SWING = 0.01 * (-1.0) ** np.arange(ITEMS)  # above and below its mean in turn
CODES = ("de", "en", "tr")
TURKISH = {"languages": ["tr"]}
Value = Callable[[str, str], Any]  # of query language and pool: one for all items, or one each


def evaluation(value: Value, distance: float | None = None, settings: str = "mono cross multi") -> Evaluation:
    """Return an evaluation of AP ``value(query language, pool)`` in the settings that are named."""
    rows = []
    for x in CODES:
        own = {"mono": [x], "cross": [y for y in CODES if y != x], "multi": ["*"]}
        for pool in (pool for name in settings.split() for pool in own[name]):
            for k, ap in enumerate(np.broadcast_to(value(x, pool), ITEMS)):
                row = {"query_id": f"{x}:{k}", "item": k, "query_language": x, "pool": pool, "AP": float(ap)}
                rows.append({**row, "rank_distance": distance if pool == "*" else None})
    named = (("monolingual", "mono"), ("crosslingual", "cross"), ("multilingual", "multi"))
    having = {name: {"AP": 0.5} if short in settings.split() else None for name, short in named}
    table = pa.Table.from_pylist(rows)
    return Evaluation({"model": {"name": "m"}, "settings": having}, table)


def experiment(**grid: Any) -> Experiment:
    """Return the question with German, English and Turkish, and Turkish left out as a language."""
    settings = {"left_out": {"Turkish": TURKISH}, "languages": list(CODES), "measured": None, **grid}
    overrides = {"benchmarks": ["sample"], "seeds": 2}
    return read_experiment("unseen-languages", overrides | {f"grid.{k}": v for k, v in settings.items()})


def answered(asked: Experiment, *findings: dict[str, list[Evaluation]]) -> Answer:
    runs = plan(asked, Places(()))
    return answer(asked, runs, {f"sample-{k}": groups for k, groups in enumerate(findings)})


def grid_named(sections: Any, name: str) -> Grid:
    (found,) = (b for s in sections for b in s.blocks if isinstance(b, Grid) and b.name == name)
    return found


# --- what is left out, and what is run


def test_what_a_set_takes_in() -> None:
    codes = ["bn", "fa", "hi", "mr", "pl", "ru", "tr", "uk", "zh", "zh-Hant"]
    assert LeftOut(languages=["hi", "zh"]).of(codes) == ["hi", "zh", "zh-Hant"]
    assert LeftOut(languages=["zh-Hant"]).of(codes) == ["zh-Hant"]
    assert LeftOut(scripts=["Cyrl", "Deva"]).of(codes) == ["hi", "mr", "ru", "uk"]
    assert LeftOut(families=["Balto-Slavic"]).of(codes) == ["pl", "ru", "uk"]
    assert LeftOut(families=["Turkic", "Sino-Tibetan"]).of(codes) == ["tr", "zh", "zh-Hant"]
    assert LeftOut(families=["Indo-European"]).of(codes) == ["bn", "fa", "hi", "mr", "pl", "ru", "uk"]
    assert LeftOut(languages=["tr"], scripts=["Arab"], families=["Sinitic"]).of(codes) == [
        "fa",
        "tr",
        "zh",
        "zh-Hant",
    ]


def test_the_default_runs() -> None:
    asked = read_experiment("unseen-languages")
    runs = plan(asked, Places(()))
    strategies = ("monolingual", "crosslingual", "hybrid")
    sets = (
        "with all languages",
        "without three languages",
        "without their scripts",
        "without their branches",
    )
    assert [run.name for run in runs] == [
        "as it comes",
        *(f"{s} {without}, seed {seed}" for without in sets for s in strategies for seed in (0, 1)),
    ]
    assert [run.recipe.batches.strategy for run in runs[1::2]] == [*strategies] * 4
    everything = "ar bn de en es fa fr he hi id ja mr pl pt ru tr uk ur zh"
    by_script = "bn de en es fr he id ja pl pt tr zh"
    by_branch = "de en es fa fr id ja pt tr zh"
    one_by_one = "bn de en es fa fr he id ja mr pl pt tr uk ur zh"
    trained = [" ".join(run.recipe.data.languages or []) for run in runs[1:]]
    assert trained == [everything] * 6 + [one_by_one] * 6 + [by_script] * 6 + [by_branch] * 6
    five = ("ar", "en", "hi", "ru", "zh")
    assert {run.benchmarks for run in runs} == {(Measured("xquad-r", five), Measured("tatoeba", five))}
    assert [run.trained for run in runs] == [False] + [True] * 24


def test_a_benchmark_is_measured_in_the_wanted_languages_that_it_has() -> None:
    asked = read_experiment("unseen-languages", {"benchmarks": ["mlqa-r", "miracl"], "grid.measured": None})
    (mlqa, miracl) = plan(asked, Places(()))[0].benchmarks
    assert mlqa.languages == ("ar", "de", "en", "es", "hi", "zh")  # and vi is not trained on
    assert miracl.languages == ("ar", "bn", "de", "en", "es", "fa", "fr", "hi", "id", "ja", "ru", "zh")


def test_without_languages_all_of_the_sources_are_trained_on() -> None:
    asked = experiment(languages=None, strategies=["hybrid"])
    runs = plan(asked, Places((str(FOLDER / "train.jsonl"),)))
    everything = ["ar", "de", "el", "en", "es", "hi", "ru", "sw", "th", "tr", "vi", "zh"]
    assert runs[1].recipe.data.languages == everything
    assert runs[-1].recipe.data.languages == [code for code in everything if code != "tr"]
    assert runs[0].benchmarks == (Measured("sample", tuple(everything)),)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"left_out": {"all": {"scripts": ["Latn"]}}}, "'all' leaves fewer than two languages"),
        ({"left_out": {"Greek": {"scripts": ["Grek"]}}}, "'Greek' takes in no language that is measured"),
        ({"measured": ["de", "en"]}, "'Turkish' takes in no language that is measured"),
        ({"measured": ["de", "el", "tr"]}, "grid.measured names 'el', which is in no training"),
        ({"languages": ["bn", "tr", "uk"], "measured": ["bn"]}, "sample has none of the languages bn"),
        ({"left_out": {}}, "grid: left_out is wrong"),
        ({"left_out": {"x": {"script": ["Latn"]}}}, "grid: left_out.x.script is no setting"),
        ({"strategies": ["hybird"]}, "grid: strategies.0 is wrong"),
    ],
)
def test_grids_that_say_nothing_are_refused(grid: dict[str, Any], words: str) -> None:
    with pytest.raises(PanglotError, match=words.replace(".", r"\.")):
        plan(experiment(**grid), Places(()))


# --- what is made of findings


def hand_made(settings: str = "mono cross multi") -> dict[str, list[Evaluation]]:
    """Return findings of one benchmark whose Turkish is left out, with two strategies and two seeds.

    As it comes, AP is .2 everywhere and rank distance 100. Hybrid with all languages: .4 (one seed .3, one
    .5) and 60. Without Turkish: .3 where the query is Turkish, .45 elsewhere, and 80. Monolingual batches
    with all languages give as much as the encoder as it comes on average, and without Turkish .1 less.
    """

    def table(value: Value, distance: float) -> Evaluation:
        return evaluation(value, distance, settings)

    def without(x: str, _: str) -> float:
        return 0.3 if x == "tr" else 0.45

    return {
        "as it comes": [table(lambda *_: 0.2, 100)],
        "monolingual with all languages": [table(lambda *_: 0.2 + SWING, 100)] * 2,
        "hybrid with all languages": [table(lambda *_: 0.3, 60), table(lambda *_: 0.5, 60)],
        "monolingual without Turkish": [table(lambda *_: 0.1, 100)] * 2,
        "hybrid without Turkish": [table(without, 80)] * 2,
    }


@pytest.fixture(scope="module")
def found() -> Answer:
    return answered(experiment(strategies=["monolingual", "hybrid"]), hand_made())


def test_gains_and_what_remains_of_them(found: Answer) -> None:
    of_set = found.figures["sample-0"]["sets"]["Turkish"]
    assert (of_set["seen"], of_set["left_out"], of_set["kept"]) == (["de", "en"], ["tr"], ["de", "en"])
    hybrid = of_set["strategies"]["hybrid"]
    for setting in ("monolingual", "crosslingual", "multilingual"):
        place = hybrid["left out"][setting]
        assert [place[key]["value"] for key in ("as it comes", "all languages", "without")] == pytest.approx(
            [0.2, 0.4, 0.3]
        )
        assert place["full_gain"] == pytest.approx({"value": 0.2, "low": 0.2, "high": 0.2})
        assert place["retained"] == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5})
        gain, change = place["gain"], place["change"]
        assert (gain["value"], gain["verdict"]) == (pytest.approx(0.1), "better")
        assert gain["by_seed"] == pytest.approx([0.1, 0.1])
        assert (change["value"], change["verdict"]) == (pytest.approx(-0.1), "worse")
        assert change["by_seed"] == pytest.approx([0.0, -0.2])
        assert hybrid["kept"][setting]["retained"]["value"] == pytest.approx(0.25 / 0.2)
        assert hybrid["kept"][setting]["change"]["verdict"] == "better"
        assert hybrid["by_language"]["tr"][setting]["retained"]["value"] == pytest.approx(0.5)
    assert list(hybrid["by_language"]) == ["tr"]
    distance = hybrid["left out"]["rank_distance"]
    assert (distance["gain"]["value"], distance["gain"]["verdict"]) == (pytest.approx(-20), "better")
    assert (distance["change"]["value"], distance["change"]["verdict"]) == (pytest.approx(20), "worse")
    assert distance["retained"]["value"] == pytest.approx(0.5)  # 20 of 40 ranks


def test_p_is_exact_and_corrected_over_its_family(found: Answer) -> None:
    """All 12 items change alike: p = 2 / 2^12. Two groups, two strategies and four settings are 16 tests.

    Two of these, the rank distance of monolingual batches of both groups, have p = 1, so that the other 14
    have the smallest p, and Holm's correction makes each of them 16 times as large.
    """
    strategies = found.figures["sample-0"]["sets"]["Turkish"]["strategies"]
    smallest = 2 / 2**ITEMS
    gain = strategies["hybrid"]["left out"]["monolingual"]["gain"]
    assert (gain["p"], gain["p_holm"]) == (pytest.approx(smallest), pytest.approx(16 * smallest))
    same = strategies["monolingual"]["left out"]["rank_distance"]["gain"]
    assert (same["value"], same["p_holm"], same["verdict"]) == (0, 1, None)
    single = strategies["hybrid"]["by_language"]["tr"]["monolingual"]["gain"]
    assert single["p_holm"] == pytest.approx(8 * smallest)  # one language, two strategies, four settings
    pairs = strategies["hybrid"]["pairs"]["one seen"]["gain"]
    assert pairs["p_holm"] == pytest.approx(4 * smallest)  # two strategies, two kinds


def test_nothing_remains_of_a_gain_that_is_not_certain(found: Answer) -> None:
    monolingual = found.figures["sample-0"]["sets"]["Turkish"]["strategies"]["monolingual"]
    place = monolingual["left out"]["crosslingual"]
    assert place["full_gain"]["low"] < 0 < place["full_gain"]["high"]
    assert place["retained"] is None
    assert monolingual["left out"]["rank_distance"]["retained"] is None
    assert place["gain"]["verdict"] == "worse"


def test_pairs_go_by_what_was_seen(found: Answer) -> None:
    """German and English were seen: two ordered pairs of both, four with Turkish, none of neither.

    One seen: half of the four have a Turkish query (.3) and half another one (.45).
    """
    pairs = found.figures["sample-0"]["sets"]["Turkish"]["strategies"]["hybrid"]["pairs"]
    assert set(pairs) == {"one seen", "both seen"}
    assert pairs["one seen"]["without"]["value"] == pytest.approx(0.375)
    assert pairs["one seen"]["retained"]["value"] == pytest.approx(0.875)
    assert pairs["both seen"]["without"]["value"] == pytest.approx(0.45)


def test_the_answer_says_what_the_figures_say(found: Answer) -> None:
    first, *rest = found.sentences
    assert first.startswith(
        "All figures are means over 2 seeds; intervals and tests (Holm's correction) are over"
    )
    assert first.endswith("A claim about strategies in general wants 3 seeds or more.")
    what = "on left-out languages against the encoder as it comes, without Turkish:"
    remains = "In brackets: what remains of the gain with all languages."
    assert rest[0] == (
        f"sample-0, monolingual mAP {what} monolingual batches −0.1000 (there is no certain one); hybrid "
        f"batches +0.1000 (50 %). {remains}"
    )
    assert rest[3] == (
        f"sample-0, rank distance (less is better) {what} monolingual batches 0 (not significant, there is "
        f"no certain one); hybrid batches −20 (50 %). {remains}"
    )
    assert rest[4:] == [
        "sample-0, without Turkish: significantly worse than as it comes are Turkish with monolingual "
        "batches, monolingual (−0.1000), Turkish with monolingual batches, cross-lingual (−0.1000) and "
        "Turkish with monolingual batches, multilingual (−0.1000).",
        "sample-0, without Turkish: on the left-out languages, hybrid against monolingual batches, "
        "significantly better in monolingual (+0.2000), cross-lingual (+0.2000), multilingual (+0.2000) and "
        "rank distance (−20).",
    ]


def test_the_section_says_more(found: Answer) -> None:
    (said,) = (b.sentences for b in found.sections[0].blocks if isinstance(b, Sentences))
    where = "sample-0, without Turkish:"
    assert said[0] == (
        f"{where} Turkish left out, 2 languages trained on, German and English of them measured."
    )
    assert said[3] == (
        f"{where} multilingual mAP on the left-out languages, against the encoder as it comes: monolingual "
        "batches −0.1000 (p = .008; with all languages it has no certain gain); hybrid batches +0.1000 "
        "(p = .008; 50 % of its gain with all languages, 50 to 50)."
    )
    assert (
        f"{where} cross-lingual mAP, against the encoder as it comes, of pairs of languages with one seen "
        "and both seen: monolingual batches −0.1000, −0.1000; hybrid batches +0.1750, +0.2500."
    ) in said
    kept = next(text for text in said if "on the kept languages" in text)
    seeds = "(+0.0500, but in 1 of 2 seeds only)"
    assert f"significantly better in monolingual with hybrid batches {seeds}" in kept
    assert "significantly worse in monolingual with monolingual batches (−0.1000)" in kept


def test_tables_and_plots_hold_the_figures(found: Answer) -> None:
    (section,) = found.sections
    grid = grid_named([section], "unseen-sample-0-left-out")
    assert grid.columns[:4] == ["left out", "strategy", "monolingual: gain", "monolingual: remains"]
    monolingual, hybrid = grid.rows
    assert [cell.text for cell in hybrid] == ["Turkish", "hybrid", *["+0.1000", "50"] * 3, "−20", "50"]
    assert [cell.verdict for cell in hybrid] == [None, None, *["better", "worse"] * 4]
    assert [cell.text for cell in monolingual][2:4] == ["−0.1000", ""]
    pairs = grid_named([section], "unseen-sample-0-pairs")
    assert pairs.columns[2::2] == ["one seen: gain", "both seen: gain"]
    values = grid_named([section], "unseen-sample-0-values")
    assert [cell.text for cell in values.rows[-1]][:4] == ["Turkish", "hybrid", "without", "0.3000"]
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    assert [picture.name.removeprefix("unseen-sample-0-") for picture in pictures] == [
        "gain",
        "monolingual",
        "crosslingual",
        "multilingual",
        "rank-distance",
    ]
    drawn = pictures[0].spec["data"]["values"]
    panel = [row for row in drawn if row["panel"] == "multilingual mAP"]
    gains = {(row["name"], row["series"]): row["value"] for row in panel}
    assert gains == {
        ("nothing left out", "monolingual"): pytest.approx(0, abs=1e-12),
        ("Turkish", "monolingual"): pytest.approx(-0.1),
        ("nothing left out", "hybrid"): pytest.approx(0.2),
        ("Turkish", "hybrid"): pytest.approx(0.1),
    }
    assert png(pictures[0].spec).startswith(b"\x89PNG")
    assert "unseen-sample-0-gain.svg" in markdown("t", "s", found.sections)
    json.dumps(found.figures, allow_nan=False)


def test_sets_are_compared_where_the_same_languages_are_measured() -> None:
    """All of Turkic takes in Turkish alone; all but English takes in German, too."""
    left_out = {"Turkish": TURKISH, "Turkic": {"families": ["Turkic"]}, "most": {"languages": ["de", "tr"]}}
    asked = experiment(left_out=left_out, strategies=["hybrid"], languages=["bn", *CODES])
    groups = {
        "as it comes": [evaluation(lambda *_: 0.2, 100)],
        "hybrid with all languages": [evaluation(lambda *_: 0.4, 60)] * 2,
        "hybrid without Turkish": [evaluation(lambda *_: 0.3, 80)] * 2,
        "hybrid without Turkic": [evaluation(lambda *_: 0.25, 80)] * 2,
        "hybrid without most": [evaluation(lambda *_: 0.2, 80)] * 2,
    }
    found = answered(asked, groups)
    compared = found.figures["sample-0"]["against_first"]
    assert (compared["first"], list(compared["sets"])) == ("Turkish", ["Turkic"])
    assert compared["sets"]["Turkic"]["hybrid"]["monolingual"]["value"] == pytest.approx(-0.05)
    assert found.figures["sample-0"]["strategies"] == {"reference": "hybrid", "against": {}}
    most = found.figures["sample-0"]["sets"]["most"]
    assert (most["left_out"], most["kept"]) == (["de", "tr"], ["en"])
    assert set(most["strategies"]["hybrid"]["pairs"]) == {"neither seen", "one seen"}
    assert (
        "sample-0: without Turkic in place of Turkish, on the same left-out languages, significantly worse "
        "in monolingual with hybrid batches (−0.0500), cross-lingual with hybrid batches (−0.0500) and "
        "multilingual with hybrid batches (−0.0500)."
    ) in found.sentences
    picture = next(block for block in found.sections[0].blocks if isinstance(block, Picture))
    names = {row["name"] for row in picture.spec["data"]["values"]}
    assert names == {"nothing left out (tr)", "Turkish", "Turkic", "nothing left out (de, tr)", "most"}


@pytest.mark.parametrize(("settings", "kept"), [("mono", "monolingual"), ("cross", "crosslingual")])
def test_benchmarks_that_lack_settings(settings: str, kept: str) -> None:
    """MIRACL has judgements within languages only, Tatoeba across languages only."""
    found = answered(experiment(strategies=["monolingual", "hybrid"]), hand_made(settings))
    hybrid = found.figures["sample-0"]["sets"]["Turkish"]["strategies"]["hybrid"]
    assert list(hybrid["left out"]) == list(hybrid["kept"]) == [kept]
    assert hybrid["left out"][kept]["retained"]["value"] == pytest.approx(0.5)
    assert set(hybrid["pairs"]) == (set() if kept == "monolingual" else {"one seen", "both seen"})
    names = [block.name for block in found.sections[0].blocks if isinstance(block, (Grid, Picture))]
    assert ("unseen-sample-0-pairs" in names) == (kept == "crosslingual")
    assert "None" not in " ".join(found.sentences)
    json.dumps(found.figures, allow_nan=False)


def test_a_benchmark_without_left_out_languages_is_passed_over() -> None:
    asked = experiment(strategies=["hybrid"])
    groups = {name: ones for name, ones in hand_made().items() if not name.startswith("monolingual")}
    kept = pa.array(
        [code != "tr" for code in groups["as it comes"][0].per_query["query_language"].to_pylist()]
    )
    rest = {
        name: [Evaluation(one.results, one.per_query.filter(kept)) for one in ones]
        for name, ones in groups.items()
    }
    found = answered(asked, rest, groups)
    assert "sample-0: has no language that was left out." in found.sentences
    assert [section.name for section in found.sections] == ["sample-1"]


def test_the_command(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f"""
question = "unseen-languages"
benchmarks = ["sample"]
seeds = 1
[grid]
strategies = ["crosslingual"]
languages = ["de", "en", "ru", "tr"]
measured = ["de", "en", "tr"]
[grid.left_out.Turkic]
families = ["Turkic"]
[recipe.model]
name = "{tiny_checkpoint}"
[recipe.batches]
size = 4
[recipe.training]
steps = 2
learning_rate = 1e-2
max_length = 16
""",
        encoding="utf-8",
    )
    output = tmp_path / "out"
    arguments = ["experiment", "unseen-languages", "--recipe", str(recipe), "--output", str(output)]
    arguments += ["--pairs", str(FOLDER / "train.jsonl")]
    listed = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert listed.exit_code == 0
    assert [line for line in listed.stderr.splitlines() + listed.stdout.splitlines() if line][-3:] == [
        "to do  as it comes",
        "to do  crosslingual with all languages, seed 0",
        "to do  crosslingual without Turkic, seed 0",
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    assert [run["key"].get("data", {}).get("languages") for run in summary["runs"]] == [
        None,
        ["de", "en", "ru", "tr"],
        ["de", "en", "ru"],
    ]
    figures = summary["answer"]["sample"]["sets"]["Turkic"]
    assert (figures["left_out"], figures["kept"]) == (["tr"], ["de", "en"])
    place = figures["strategies"]["crosslingual"]["left out"]["multilingual"]
    gained = place["without"]["value"] - place["as it comes"]["value"]
    assert place["gain"]["value"] == pytest.approx(gained)
    assert place["without"]["value"] != place["all languages"]["value"]
    assert (output / "report.html").exists()
    assert "means over" not in summary["sentences"][0]  # one seed
