"""Recipes: read, laid over with options, checked."""

import math
from pathlib import Path
from typing import Any

import pytest

from panglot import PanglotError, encoders
from panglot.experiments import read_experiment
from panglot.experiments.experiment import with_precisions
from panglot.training import Lora, TrainingConfig, known_settings, override, parse_override, read_recipe
from panglot.training.checks import idle_settings
from panglot.training.config import TrainingPart, with_precision

RECIPE = """
[data]
pairs = ["pairs/a.jsonl", "/elsewhere/b.parquet"]
[batches]
strategy = "mixed"
size = 32
[training]
steps = 7
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_a_recipe_sets_what_it_names_and_leaves_the_rest(recipe: Path) -> None:
    read = read_recipe(recipe, {})
    assert (read.batches.strategy, read.batches.size, read.training.steps) == ("mixed", 32, 7)
    assert read.batches.used_alpha == 0.5
    assert read.batches.language_temperature == math.inf
    assert read.model.name == "multilingual-e5-small"


def test_paths_in_a_recipe_are_relative_to_it(recipe: Path) -> None:
    expected = [str(recipe.parent / "pairs" / "a.jsonl"), "/elsewhere/b.parquet"]
    assert read_recipe(recipe, {}).data.pairs == expected


def test_sources_that_are_no_files_stay_as_a_recipe_names_them(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text('[data]\npairs = ["hf:owner/name#train", "mfaq"]\ncolumns = { query = "question" }\n')
    data = read_recipe(path, {}).data
    assert data.pairs == ["hf:owner/name#train", "mfaq"]
    assert data.columns == {"query": "question"}
    with pytest.raises(PanglotError, match="'question' is not a field"):
        read_recipe(path, {"data.columns": {"question": "query"}})
    (tmp_path / "mfaq").touch()  # a file wins over a name of the catalogue
    assert read_recipe(path, {}).data.pairs[1] == str(tmp_path / "mfaq")


def test_options_win_over_the_recipe(recipe: Path) -> None:
    read = read_recipe(recipe, {"batches.size": 16, "data.pairs": ["c.jsonl"], "training.max_length": 64})
    assert (read.batches.size, read.training.max_length) == (16, 64)
    assert read.batches.strategy == "mixed"
    assert read.data.pairs == ["c.jsonl"]


OTHER = {"model.name": "a-model-that-nobody-tested"}


def test_without_a_recipe_the_settings_are_those_of_train() -> None:
    assert read_recipe(None, OTHER).training == TrainingPart()


def test_what_nobody_says_is_as_tested_for_the_model(recipe: Path, tmp_path: Path) -> None:
    read = read_recipe(recipe, {"loss.temperature": 0.02})
    assert (read.batches.size, read.training.steps, read.loss.temperature) == (32, 7, 0.02)
    assert (read.training.learning_rate, read.training.max_length, read.training.dropout) == (2e-5, 64, 0.0)
    assert read.batches.strategy == "mixed"
    paper = read_recipe(None, {"model.name": "FacebookAI/xlm-roberta-base"})
    assert (paper.batches.size, paper.training.learning_rate) == (100, 3e-5)
    (tmp_path / "README.md").write_text("---\nbase_model: sentence-transformers/LaBSE\n---\n")
    assert known_settings(str(tmp_path)) == known_settings("sentence-transformers/LaBSE") != {}
    assert known_settings(OTHER["model.name"]) == {}


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_a_tested_setting_where_the_machine_is_fast_at_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    monkeypatch.setattr(encoders, "computes_bfloat16", lambda: fast)
    for path in (None, Path("multilingual-e5-small-merged")):
        assert read_recipe(path, {}).training.bf16 == "auto"
        assert with_precision(read_recipe(path, {})).training.bf16 is fast
    assert with_precision(read_recipe(None, {"training.bf16": True})).training.bf16 is True
    remedies = read_experiment("remedies", {"benchmarks": ["sample"], "grid.measured": ["de", "en"]})
    experiment, data = with_precisions(remedies, remedies.data(["sample"]))
    assert experiment.bf16 is experiment.recipe.training.bf16 is data.bf16 is fast


WRONG: list[tuple[str, Any]] = [
    *(("training.learning_rate", value) for value in (math.inf, math.nan, -1)),
    *(("training.weight_decay", math.inf), ("training.max_grad_norm", math.inf), ("training.dropout", 1.5)),
    *(("training.micro_batch_tokens", 0), ("training.dataloader_num_workers", -1)),
    *(("training.lora.rank", 0), ("training.lora.ranks", 4), ("training.lora.targets", 3)),
    *(("training.steps", "many"), ("training.embedding_update", "sideways"), ("training.step", 3)),
    *(("loss.temperature", 1e-45), ("loss.temperature", 0), ("loss.pull", math.inf), ("loss.pull", -1)),
    *(("loss.matryoshka_dims", [64, 64]), ("loss.matryoshka_weights", [1.0])),
    *(("batches.alpha", 1.5), ("batches.alpha", []), ("batches.alpha", "half")),
    *(("batches.size", 1), ("batches.strategy", "zigzag"), ("steps", 3)),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_setting_is_named(key: str, value: Any) -> None:
    with pytest.raises(PanglotError, match=key):
        read_recipe(None, {key: value})


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"[batches]\nsizes = 4\n", r"batches\.sizes"),
        (b"[batches\nsize = 4\n", "TOML"),
        (b"name = \xff\n", "TOML"),
        (b'model = "multilingual-e5-small"', "model"),
        (b"batches = 3", "batches"),
        (b"loss = [1]", "loss"),
        (b"batches.alpha = [0.5, -1]", r"batches\.alpha\.1"),
        (b"loss.matryoshka_dims = [64, 0]", r"loss\.matryoshka_dims\.1"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_mistake(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(PanglotError, match=rf"odd\.toml: .*{named}"):
        read_recipe(path, {})
    if content == b"batches = 3":
        with pytest.raises(PanglotError, match="batches"):
            read_recipe(path, {"batches.size": 8})


def test_a_missing_recipe_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path, Path("owner/name")):
        with pytest.raises(PanglotError, match=str(path)):
            read_recipe(path, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("batches.alpha=0.3", ("batches.alpha", 0.3)),
        ("training.bf16 = true", ("training.bf16", True)),
        ("batches.strategy=mixed", ("batches.strategy", "mixed")),
        ('data.languages=["en", "sw"]', ("data.languages", ["en", "sw"])),
        ("batches.language_temperature=inf", ("batches.language_temperature", math.inf)),
        ("model.name=a=b", ("model.name", "a=b")),
        ('model.name="a,b=c"', ("model.name", "a,b=c")),
        ("model.name=a,b", ("model.name", "a,b")),
        ("merge.parts={a = {}, b = {}}", ("merge.parts", {"a": {}, "b": {}})),
    ],
)
def test_an_override_is_read_as_toml_or_else_as_text(text: str, expected: tuple[str, Any]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize(
    "text", ["batches.alpha", "batches.size=4,steps=3", "loss.teacher=a, b.c = 3", "x.y=[1,2],z=1"]
)
def test_an_override_of_nothing_or_of_several_settings_is_refused(text: str) -> None:
    with pytest.raises(PanglotError):
        parse_override(text)


def test_alpha_is_a_number_or_a_schedule(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text("[batches]\nalpha = [1, 0.5, 0]\n", encoding="utf-8")
    assert read_recipe(path, {}).batches.alpha == [1, 0.5, 0]
    assert read_recipe(path, {"batches.alpha": 0.3}).batches.alpha == 0.3


def test_settings_of_a_recipe_become_plain_arguments(tmp_path: Path) -> None:
    path = tmp_path / "lora.toml"
    training = 'training = {report_to = ["tensorboard"], gradient_cache = true, lora = LORA}'
    path.write_text(training.replace("LORA", '{rank = 4, targets = ["query", "value"]}'), encoding="utf-8")
    how = read_recipe(path, OTHER | {"training.metric_for_best_model": "rank_distance"}).training
    assert how == TrainingPart(
        gradient_cache=True,
        lora=Lora(rank=4, alpha=32, dropout=0.0, targets=["query", "value"]),
        metric_for_best_model="rank_distance",
        report_to=["tensorboard"],
    )
    assert read_recipe(None, {"training.lora": {}}).training.lora == Lora()
    assert read_recipe(None, {"training.lora.rank": 8}).training.lora == Lora(rank=8)
    assert read_recipe(path, {"training.lora.rank": 8}).training.lora == Lora(
        rank=8, targets=["query", "value"]
    )


def test_old_names_of_settings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text("[objective]\ntemperature = 0.07\n[training]\nevaluate_every = 5\ntable = 'dense'\n")
    read = read_recipe(path, {"training.warmup": 0.2})
    assert (read.loss.temperature, read.training.eval_steps) == (0.07, 5)
    assert (read.training.embedding_update, read.training.warmup_ratio) == ("dense", 0.2)


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        ({"batches.strategy": "hybrid"}, 0.5),
        ({"batches.strategy": "bilingual"}, 0.0),
        ({"batches.strategy": "bilingual", "batches.alpha": 0.3}, 0.3),
        ({"batches.strategy": "hybrid", "batches.alpha": [1.0, 0.0]}, [1.0, 0.0]),
    ],
)
def test_the_usual_alpha_goes_with_the_strategy(settings: dict[str, Any], alpha: float | list[float]) -> None:
    laid_over = override(override(TrainingConfig(), {"batches.strategy": "bilingual"}), settings)
    assert laid_over.batches.used_alpha == alpha


@pytest.mark.parametrize("name", ["paper/xlm-r", "paper/labse"])
def test_the_papers_settings_are_a_recipe_of_the_package(name: str) -> None:
    """Batches of 100, alpha 0.5, a rate of 3e-5, weight decay 0.01, a cosine schedule, nine languages."""
    recipe = read_recipe(Path(name), {})
    assert (recipe.batches.strategy, recipe.batches.alpha, recipe.batches.size) == ("hybrid", 0.5, 100)
    how = recipe.training
    assert (how.learning_rate, how.weight_decay, how.lr_scheduler_type) == (3e-5, 0.01, "cosine")
    assert recipe.data.languages is not None
    assert len(recipe.data.languages) == 9
    assert not {"el", "vi"} & set(recipe.data.languages)  # unseen languages of XQuAD-R


def test_a_recipe_of_the_package_says_what_is_tested_for_its_model() -> None:
    recipe = read_recipe(Path("multilingual-e5-small"), {})
    own = read_recipe(None, {})
    assert recipe.batches == own.batches
    assert recipe.loss == own.loss
    assert recipe.training == own.training


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"batches.alpha": 0.3}, []),
        ({"batches.alpha": 0.3, "batches.strategy": "mixed"}, ["batches.alpha"]),
        ({"loss.teacher": "a/b", "loss.pivot": "de"}, ["loss.teacher", "loss.pivot"]),
        ({"loss.teacher": "a/b", "loss.pivot": "de", "loss.pull": 1.0}, []),
        ({"training.eval_steps": 5, "training.embedding_update": "frozen"}, ["training.eval_steps"]),
    ],
    ids=str,
)
def test_settings_without_effect_are_named(settings: dict[str, Any], named: list[str]) -> None:
    found = idle_settings(override(TrainingConfig(), settings), held_out=False)
    assert [sentence.split()[0] for sentence in found] == named


def test_settings_tested_for_a_model_all_have_an_effect() -> None:
    for name in ("multilingual-e5-small", "FacebookAI/xlm-roberta-base"):
        assert idle_settings(read_recipe(None, {"model.name": name}), held_out=False) == []
