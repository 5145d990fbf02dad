"""The settings of a training run, as a recipe (TOML) or the command line gives them, checked by pydantic."""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from panglot.batches import Strategy
from panglot.data.catalogue.training import is_training_set
from panglot.data.pairs import SAMPLE
from panglot.data.pairs_files.columns import check_columns
from panglot.data.pairs_files.hub import is_hub_source
from panglot.encoders import EMBEDDED, computes_bfloat16, known_names
from panglot.errors import PanglotError
from panglot.training.adapters import Lora
from panglot.training.held_out import STOP_ON, stopping_measure
from panglot.training.optimisation import Optimisation
from panglot.training.optimizer import TableMode

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Temperature = Annotated[float, Field(ge=1e-4, allow_inf_nan=False)]  # a cosine over less overflows in 16 bits
Flattening = Annotated[float, Field(gt=0)]  # inf: all alike
# Settings known to suit a family of models, by the ends of its names; the first family that fits counts.
TESTED: dict[str, dict[str, Any]] = {
    "multilingual-e5-(small|base|large)(-instruct)?": {  # chosen on held-out questions: docs/results.md
        "batches.size": 64,
        "objective.temperature": 0.01,  # e5's own
        "training.steps": 100,
        "training.learning_rate": 2e-5,
        "training.max_length": 64,
        "training.dropout": 0.0,
        "training.bf16": True,
    },
    ".*(xlm-r|xlm-roberta|labse|mdeberta).*": {  # Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536
        "batches.size": 100,
        "training.learning_rate": 3e-5,
        "training.weight_decay": 0.01,
    },
}
Settings = TypeVar("Settings", bound=BaseModel)
TRIED = re.compile(r"(constrained-)?(str|int|float)|list\[.*\]")  # types of a union: pydantic names them too


class Part(BaseModel):
    """Settings of which an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(Part):
    """Which encoder is trained, and whether the trained one keeps its language means (``--centre model``)."""

    name: str = EMBEDDED
    trust_remote_code: bool = False
    centre: bool = False


class DataPart(Part):
    """What it is trained on: sources of pairs, and the columns that fields stand in; see ``load_pairs``."""

    pairs: list[str] = Field(default_factory=list)
    columns: dict[str, str] = Field(default_factory=dict)
    languages: list[str] | None = None
    held_out: Share = 0.0
    held_out_items: Annotated[int, Field(ge=2)] = 100

    @field_validator("columns")
    @classmethod
    def _fields(cls, columns: dict[str, str]) -> dict[str, str]:
        check_columns(columns)
        return columns


class BatchesPart(Part):
    """How batches are drawn; see ``panglot.batches.Sampler``."""

    strategy: Strategy = "hybrid"
    alpha: Share | Annotated[list[Share], Field(min_length=1)] = 0.5
    size: Annotated[int, Field(ge=2)] = 128
    language: str | None = None
    language_temperature: Flattening = math.inf
    source_temperature: Flattening = 1.0


class ObjectivePart(Part):
    """InfoNCE, and what a teacher adds to it; see ``panglot.training.teacher``.

    The teacher is an encoder as ``load_encoder`` names it; None: the model that is trained, before training.
    A pivot of "" is the query's own language.
    """

    temperature: Temperature = 0.05
    distillation: NotNegative = 0.0
    distillation_temperature: Temperature = 0.05
    pull: NotNegative = 0.0
    teacher: str | None = None
    pivot: str = "en"


class LoraPart(Part):
    """Low-rank adapters; see ``panglot.training.Lora``."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Share = 0.0
    targets: str | list[str] = "all-linear"


class TrainingPart(Part):
    """The optimisation: AdamW, warm-up, decay, when to measure, save and stop."""

    steps: Annotated[int, Field(ge=1)] = 200
    max_length: Annotated[int, Field(ge=8)] | None = None
    learning_rate: Positive = 5e-5
    table_learning_rate: Positive | None = None
    table: TableMode = "sparse"
    warmup: Share = 0.1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: NotNegative = 0.01
    max_gradient_norm: Positive = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    dropout: Share | None = None
    bf16: bool = False
    micro_batch_tokens: Annotated[int, Field(ge=1)] | None = None
    gradient_cache: bool = False
    gradient_checkpointing: bool = False
    compile: bool = False
    evaluate_every: Annotated[int, Field(ge=0)] = 0
    stop_on: str = STOP_ON
    patience: Annotated[int, Field(ge=0)] = 0
    save_every: Annotated[int, Field(ge=0)] = 0
    workers: Annotated[int, Field(ge=0)] = 0
    report_to: list[str] = Field(default_factory=list)
    lora: LoraPart | None = None

    @field_validator("stop_on")
    @classmethod
    def _known(cls, name: str) -> str:
        stopping_measure(name)
        return name

    def optimisation(self) -> Optimisation:
        """Return the settings as plain arguments."""
        values = self.model_dump()
        if self.lora is not None:
            targets = self.lora.targets
            lora = self.lora.model_dump() | {
                "targets": targets if isinstance(targets, str) else tuple(targets)
            }
            values["lora"] = Lora(**lora)
        return Optimisation(**values | {"report_to": tuple(self.report_to)})


class Recipe(Part):
    """One training run."""

    model: ModelPart = ModelPart()
    data: DataPart = DataPart()
    batches: BatchesPart = BatchesPart()
    objective: ObjectivePart = ObjectivePart()
    training: TrainingPart = TrainingPart()


def read_recipe(path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Read a recipe and lay single settings, such as ``{"batches.alpha": 0.3}``, over it.

    Paths of pairs in a file are relative to that file. What neither says is as tested for the model (see
    ``known_settings``), else as the class has it.

    Raises:
        PanglotError: the file is missing or broken, or a setting is unknown or out of bounds.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PanglotError(f"{path}: no such recipe; check the path.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PanglotError(f"{path}: is no valid TOML: {error}.") from error
        data = values.get("data")
        if isinstance(data, dict) and isinstance(data.get("pairs"), list):
            data["pairs"] = [_source(path.parent, str(name)) for name in data["pairs"]]
    named = overrides.get("model.name") or (values.get("model") or {}).get("name") or EMBEDDED
    tested = {
        key: value
        for key, value in known_settings(str(named)).items()
        if key not in overrides and not _has(values, key)
    }
    return _lay_over(values, tested | dict(overrides), str(path or ""))


def known_settings(model: str) -> dict[str, Any]:
    """Return the settings known to suit a model, such as ``{"batches.size": 64}``, found by its name or card.

    bfloat16 is left out where the machine does not compute it faster. Nothing is known of most models.
    """
    for family, settings in TESTED.items():
        if any(re.fullmatch(family, name) for name in known_names(model)):
            return {k: v for k, v in settings.items() if k != "training.bf16" or computes_bfloat16()}
    return {}


def _has(values: Any, key: str) -> bool:
    """Say whether a recipe's tables have a setting such as ``batches.size``."""
    part, name = key.split(".")
    table = values.get(part, {})
    return not isinstance(table, dict) or name in table  # what is not a table is refused later


def _source(folder: Path, name: str) -> str:
    """Return a source of pairs as a recipe in a folder names it."""
    path = folder / name
    if is_hub_source(name) or ((name == SAMPLE or is_training_set(name)) and not path.exists()):
        return name
    return str(path)


def override(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return a recipe with single settings, such as ``{"batches.alpha": 0.3}``, laid over it."""
    return _lay_over(recipe.model_dump(), settings, "")


def _lay_over(values: dict[str, Any], overrides: Mapping[str, Any], where: str) -> Recipe:
    for key, value in overrides.items():
        *parts, name = key.split(".")
        place = values
        for part in parts:
            if place.get(part) is None:  # a part that is not there yet, such as training.lora
                place[part] = {}
            place = place[part]
            if not isinstance(place, dict):
                break
        if not parts or not name or not isinstance(place, dict):
            raise PanglotError(f"'{key}' is no setting; write PART.NAME, such as batches.alpha.")
        place[name] = value
    return checked(Recipe, values, where)


def checked(form: type[Settings], values: Mapping[str, Any], where: str = "") -> Settings:
    """Return settings in their form, or raise a ``PanglotError`` that names the wrong one."""
    try:
        return form.model_validate(values)
    except ValidationError as error:
        first = max(  # what is nearest to what is wrong; an unknown name may be why another is missing
            error.errors(), key=lambda found: (len(found["loc"]), found["type"] == "extra_forbidden")
        )
        name = ".".join(str(part) for part in first["loc"] if not TRIED.fullmatch(str(part)))
        message = first["msg"].removeprefix("Value error, ")
        said = {"extra_forbidden": f"{name} is no setting", "missing": f"lacks '{name}'"}
        wrong = said.get(first["type"], f"{name} is wrong: {message}" if name else message)
        given = f" (given: {first['input']!r})" if name and first["type"] != "missing" else ""
        raise PanglotError(f"{where}: {wrong}{given}." if where else f"{wrong}{given}.") from error


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``batches.alpha=0.3`` into its name and its value, read as TOML or else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise PanglotError(f"'{text}' sets nothing; write NAME=VALUE, such as batches.alpha=0.3.")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
