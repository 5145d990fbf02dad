"""The settings of a training run, as a recipe (TOML) or the command line gives them, checked by pydantic."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panglot.batches import Strategy
from panglot.errors import PanglotError
from panglot.training.optimizer import TableMode

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(_Part):
    """Which encoder is trained."""

    name: str = "use-multilingual"
    trust_remote_code: bool = False


class DataPart(_Part):
    """What it is trained on."""

    pairs: list[Path] = Field(default_factory=list)
    languages: list[str] | None = None
    held_out: Share = 0.0
    held_out_items: Annotated[int, Field(ge=2)] = 100


class BatchesPart(_Part):
    """How batches are drawn; see ``panglot.batches.Sampler``."""

    strategy: Strategy = "hybrid"
    alpha: Share = 0.5
    size: Annotated[int, Field(ge=2)] = 128
    language: str | None = None
    language_temperature: Positive = math.inf
    source_temperature: Positive = 1.0


class ObjectivePart(_Part):
    """InfoNCE."""

    temperature: Positive = 0.05


class TrainingPart(_Part):
    """The optimisation: AdamW, warm-up, decay, when to measure, save and stop."""

    steps: Annotated[int, Field(ge=1)] = 200
    max_length: Annotated[int, Field(ge=8)] | None = None
    learning_rate: Positive = 5e-5
    table_learning_rate: Positive | None = None
    table: TableMode = "sparse"
    warmup: Share = 0.1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    max_gradient_norm: Positive = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    bf16: bool = False
    evaluate_every: Annotated[int, Field(ge=0)] = 0
    patience: Annotated[int, Field(ge=0)] = 0
    save_every: Annotated[int, Field(ge=0)] = 0


class Recipe(_Part):
    """One training run."""

    model: ModelPart = ModelPart()
    data: DataPart = DataPart()
    batches: BatchesPart = BatchesPart()
    objective: ObjectivePart = ObjectivePart()
    training: TrainingPart = TrainingPart()


def read_recipe(path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Read a recipe and lay single settings, such as ``{"batches.alpha": 0.3}``, over it.

    Paths of pairs in a file are relative to that file.

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
            data["pairs"] = [str(path.parent / str(name)) for name in data["pairs"]]
    for key, value in overrides.items():
        part, _, name = key.partition(".")
        if not name or not isinstance(values.setdefault(part, {}), dict):
            raise PanglotError(f"'{key}' is no setting; write PART.NAME, such as batches.alpha.")
        values[part][name] = value
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        where = f"{path}: " if path else ""
        known = "is no setting" if first["type"] == "extra_forbidden" else f"is wrong: {first['msg']}"
        raise PanglotError(f"{where}{name} {known} (given: {first['input']!r}).") from error


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``batches.alpha=0.3`` into its name and its value, read as TOML or else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise PanglotError(f"'{text}' sets nothing; write NAME=VALUE, such as batches.alpha=0.3.")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
