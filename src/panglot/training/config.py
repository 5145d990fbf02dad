"""The settings of a training run: one class for ``train``, a recipe (TOML) and the command line."""

import copy
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from panglot import encoders
from panglot.batches import Strategy, usual_alpha
from panglot.data import ParallelPairs, join_pairs
from panglot.data.catalogue.training import is_benchmark, is_training_set
from panglot.data.pairs_files.columns import check_columns
from panglot.data.pairs_files.hub import is_hub_source
from panglot.data.pairs_files.read import SAMPLE
from panglot.data.suite import SETTINGS
from panglot.encoders.embedded import EMBEDDED
from panglot.encoders.names import known_names
from panglot.errors import PanglotError, meant
from panglot.evaluation.measures import DISTANCE, parse_measure
from panglot.parse import parse_toml, read_toml, what_is_wrong

BUNDLED = Path(__file__).with_name("defaults")  # recipes of the package, by their names
BEST = "AP"  # the mean over the three settings
LOSS = "loss"
LESS_IS_BETTER = (DISTANCE, LOSS)
EmbeddingUpdate = Literal["sparse", "frozen", "dense"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Temperature = Annotated[float, Field(ge=1e-4, allow_inf_nan=False)]  # a cosine over less overflows in 16 bits
Precision = bool | Literal["auto"]  # in bfloat16 or not; auto: if this machine is faster with it
Flattening = Annotated[float, Field(gt=0)]  # inf: all alike
# Settings known to suit a family of models, by the ends of its names; the first family that fits counts.
TESTED: dict[str, dict[str, Any]] = {
    "multilingual-e5-(small|base|large)(-instruct)?": {  # chosen on held-out questions: docs/results/
        "batches.strategy": "bilingual",
        "batches.size": 64,
        "loss.temperature": 0.01,  # e5's own
        "training.steps": 100,
        "training.learning_rate": 2e-5,
        "training.max_length": 64,
        "training.dropout": 0.0,
        "training.bf16": "auto",
    },
    ".*(xlm-r|xlm-roberta|labse|mdeberta).*": {  # Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536
        "batches.size": 100,
        "training.learning_rate": 3e-5,
        "training.weight_decay": 0.01,
    },
}
Settings = TypeVar("Settings", bound=BaseModel)


class Part(BaseModel):
    """Settings of which an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Yield the settings that differ from their defaults: what ``repr`` shows."""
        for name, field in type(self).model_fields.items():
            if (value := getattr(self, name)) != field.get_default(call_default_factory=True):
                yield name, value


class ModelPart(Part):
    """Which encoder is trained, and whether the trained one keeps its language means (``--centre model``)."""

    name: str = EMBEDDED
    trust_remote_code: bool = False
    centre: bool = False


class DataPart(Part):
    """What it is trained on: sources of pairs, and the columns that fields are in; see ``load_pairs``."""

    pairs: list[str] = Field(default_factory=list)
    validation: list[str] = Field(default_factory=list)
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
    """How batches are drawn; see ``panglot.batches.Sampler``.

    Attributes:
        alpha: None: 0.5 with hybrid batches, 0 with bilingual ones.
        join_sources: draw each batch from all sources, as if they were one; False: from one of them.
    """

    strategy: Strategy = "hybrid"
    alpha: Share | Annotated[list[Share], Field(min_length=1)] | None = None
    size: Annotated[int, Field(ge=2)] = 128
    language: str | None = None
    language_temperature: Flattening = math.inf
    source_temperature: Flattening = 1.0
    source_sizes: dict[str, Positive] = Field(default_factory=dict)
    join_sources: bool = False

    def drawn_from(self, sources: Sequence[ParallelPairs]) -> list[ParallelPairs]:
        """Return what batches are drawn from: the sources, or all of them as one."""
        return [join_pairs(sources)] if self.join_sources and sources else list(sources)

    def sampler_settings(self) -> dict[str, Any]:
        """Return these settings by the names that ``Sampler`` has for them."""
        return {**self.model_dump(exclude={"size", "join_sources"}), "batch_size": self.size}

    @property
    def used_alpha(self) -> float | list[float]:
        """The alpha that is given, or the usual one of the strategy."""
        return usual_alpha(self.strategy) if self.alpha is None else self.alpha


class LossPart(Part):
    """InfoNCE, and what a teacher adds to it; see ``panglot.training.loss``.

    Attributes:
        temperature: divides the cosines.
        negatives: whether the pairs' hard negatives are candidates too.
        distillation: weight of the teacher's ranking; 0: none.
        distillation_temperature: of the two rankings that are compared.
        pull: weight of the pull to the teacher's English; 0: none.
        alignment: weight of the Jensen-Shannon divergence between how the model itself ranks the batch in
            the drawn languages and in the pivot; 0: none.
        teacher: an encoder as ``load_encoder`` names it; None: the model itself, before training.
        pivot: the language that the teacher reads, and that rankings are aligned with; "": the query's own.
        matryoshka_dims: dimensions to which embeddings are also cut (Kusupati et al. 2022, arXiv 2205.13147);
            the loss is the sum over them. Empty: the whole embeddings alone.
        matryoshka_weights: of each of these dimensions in the sum; empty: 1.
    """

    temperature: Temperature = 0.05
    negatives: bool = True
    distillation: NotNegative = 0.0
    distillation_temperature: Temperature = 0.05
    pull: NotNegative = 0.0
    alignment: NotNegative = 0.0
    teacher: str | None = None
    pivot: str = "en"
    matryoshka_dims: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    matryoshka_weights: list[NotNegative] = Field(default_factory=list)

    @field_validator("matryoshka_dims")
    @classmethod
    def _different(cls, dims: list[int]) -> list[int]:
        if len(set(dims)) < len(dims):
            raise ValueError("has a dimension twice; name each once")
        return dims

    @field_validator("matryoshka_weights")
    @classmethod
    def _one_each(cls, weights: list[float], info: ValidationInfo) -> list[float]:
        dims = info.data.get("matryoshka_dims", weights)
        if weights and len(weights) != len(dims):
            raise ValueError(f"has {len(weights)} weights for {len(dims)} matryoshka_dims; give one for each")
        return weights

    @property
    def weight_of_dimension(self) -> dict[int, float]:
        """Weights by dimension; empty without ``matryoshka_dims``."""
        weights = self.matryoshka_weights or [1.0] * len(self.matryoshka_dims)
        return dict(zip(self.matryoshka_dims, weights, strict=True))


class Lora(Part):
    """Low-rank adapters (Hu et al. 2022, arXiv 2106.09685), by PEFT.

    Attributes:
        rank: of the two matrices beside each adapted one.
        alpha: their product is scaled by alpha / rank.
        dropout: on what enters them.
        targets: names of the adapted modules; "all-linear": every linear layer of the transformer.
    """

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Share = 0.0
    targets: str | list[str] = "all-linear"


class TrainingPart(Part):
    """How the weights are changed, and when the model is measured and saved.

    Attributes:
        steps: optimizer steps.
        max_length: cut training texts at this many tokens; None: where the model cuts. Measuring and the
            saved model keep the model's own length.
        learning_rate: its peak, for everything but the token embeddings.
        embedding_learning_rate: its peak for the token embeddings; None: the same.
        embedding_update: ``sparse`` (only used rows are touched), ``dense`` or ``frozen``.
        warmup_ratio: share of the steps in which the rate rises.
        lr_scheduler_type: how it falls afterwards.
        weight_decay: of matrices.
        max_grad_norm: gradients are scaled down to it.
        seed: random seed of the draws and of dropout.
        dropout: rate of all dropout layers; None: the model's own.
        lora: train low-rank adapters instead of the weights, merged into them in the end; None: do not.
        bf16: compute in bfloat16 where that is safe; ``auto``: if this machine is faster with it.
        micro_batch_tokens: padded tokens that are encoded together; None: what suits a CPU or a GPU.
        gradient_cache: encode each micro-batch twice and keep the activations of one only, so that a batch
            of any size fits in memory.
        gradient_checkpointing: the same inside each layer of the transformer.
        compile: compile the transformer (torch.compile).
        eval_steps: measure on held-out documents every so many steps; 0: only at the end.
        metric_for_best_model: the held-out figure that says which model is best: a measure's mean over the
            settings (AP, nDCG@10), one setting's (multilingual_AP), or rank_distance or loss (less is
            better).
        patience: stop after so many measurements without a gain; 0: never. The best model is kept.
        save_steps: checkpoint every so many steps (as often as measured, where it is measured); 0: never.
        dataloader_num_workers: processes that look up and tokenise ahead; 0: the training process does.
        report_to: trackers that the Trainer knows, such as tensorboard.
    """

    steps: Annotated[int, Field(ge=1)] = 200
    max_length: Annotated[int, Field(ge=8)] | None = None
    learning_rate: Positive = 5e-5
    embedding_learning_rate: Positive | None = None
    embedding_update: EmbeddingUpdate = "sparse"
    warmup_ratio: Share = 0.1
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: NotNegative = 0.01
    max_grad_norm: Positive = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    dropout: Share | None = None
    bf16: Precision = False
    micro_batch_tokens: Annotated[int, Field(ge=1)] | None = None
    gradient_cache: bool = False
    gradient_checkpointing: bool = False
    compile: bool = False
    eval_steps: Annotated[int, Field(ge=0)] = 0
    metric_for_best_model: str = BEST
    patience: Annotated[int, Field(ge=0)] = 0
    save_steps: Annotated[int, Field(ge=0)] = 0
    dataloader_num_workers: Annotated[int, Field(ge=0)] = 0
    report_to: list[str] = Field(default_factory=list)
    lora: Lora | None = None

    @field_validator("metric_for_best_model")
    @classmethod
    def _known(cls, name: str) -> str:
        check_metric(name)
        return name


PartName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # the name of a folder, too


OF_PARTS = ("batches", "loss", "training")  # what parts of a merged model may differ in


class MergePart(Part):
    """Train several models from one start, and merge them: the result is the weighted mean of their weights.

    Attributes:
        parts: by name, settings to lay over the recipe, such as ``{"batches.strategy": "monolingual"}``.
        weights: of the parts, in their order; empty: those that are best on held-out documents, by
            ``metric_for_best_model``.
    """

    parts: Annotated[dict[PartName, dict[str, Any]], Field(min_length=2)]
    weights: list[NotNegative] = Field(default_factory=list)

    @field_validator("parts")
    @classmethod
    def _of_training(cls, parts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in (name for settings in parts.values() for name in settings):
            if name.partition(".")[0] not in OF_PARTS:
                raise ValueError(f"{name} is the same for all parts; set one of {', '.join(OF_PARTS)}")
            if "." not in name:
                raise ValueError(f'{name} is a table; write settings in quotation marks: "{name}.NAME"')
        return parts

    @field_validator("weights")
    @classmethod
    def _one_a_part(cls, weights: list[float], info: ValidationInfo) -> list[float]:
        parts = info.data.get("parts", weights)
        if weights and (len(weights) != len(parts) or not any(weights)):
            raise ValueError(f"{weights} does not fit {len(parts)} parts; give one for each, not all 0")
        return weights


class TrainingConfig(Part):
    """One training run."""

    model: ModelPart = ModelPart()
    data: DataPart = DataPart()
    batches: BatchesPart = BatchesPart()
    loss: LossPart = LossPart()
    training: TrainingPart = TrainingPart()
    merge: MergePart | None = None


PARTS: dict[str, type[Part]] = {"batches": BatchesPart, "loss": LossPart, "training": TrainingPart}
# What ``train`` calls each setting: the name of its field alone, and batch_size for batches.size.
NAMES = {field: f"{part}.{field}" for part, form in PARTS.items() for field in form.model_fields} | {
    "batch_size": "batches.size"
}
OLD_NAMES = {  # of the first version, taken for one version more
    "objective": "loss",
    "evaluate_every": "eval_steps",
    "save_every": "save_steps",
    "stop_on": "metric_for_best_model",
    "warmup": "warmup_ratio",
    "schedule": "lr_scheduler_type",
    "max_gradient_norm": "max_grad_norm",
    "table": "embedding_update",
    "table_learning_rate": "embedding_learning_rate",
    "workers": "dataloader_num_workers",
}


def config_of(model: str, config: TrainingConfig | None, settings: Mapping[str, Any]) -> TrainingConfig:
    """Return the settings of ``train``: a config, or what is tested for the model, with single ones over it.

    Args:
        config: to begin from; None: the defaults and what is tested for the model.
        settings: by the names of ``NAMES``, such as ``{"alpha": 0.3, "steps": 50}``.
    """
    for name in settings:
        if name not in NAMES:
            raise PanglotError(f"Unknown setting {name}.{meant(name, NAMES)}")
    given = {NAMES[name]: value for name, value in settings.items()}
    if config is None:
        return with_precision(_lay_over({}, known_settings(model) | given, ""))
    return with_precision(override(config, given))


def chosen_precision(bf16: Precision) -> bool:
    """Return whether to compute in bfloat16 on this machine."""
    return encoders.computes_bfloat16() if bf16 == "auto" else bf16


def with_precision(config: TrainingConfig) -> TrainingConfig:
    """Return a config that says whether to compute in bfloat16, in place of ``auto``."""
    return override(config, {"training.bf16": chosen_precision(config.training.bf16)})


def read_recipe(path: Path | None, overrides: Mapping[str, Any]) -> TrainingConfig:
    """Read a recipe and lay single settings, such as ``{"batches.alpha": 0.3}``, over it.

    Paths of pairs in a file are relative to that file. What neither says is as tested for the model (see
    ``known_settings``), else as the class has it.

    Args:
        path: of the file, or the name of a recipe of the package, such as ``paper/xlm-r``.

    Raises:
        PanglotError: the file is missing or broken, or a setting is unknown or out of bounds.
    """
    values: dict[str, Any] = {}
    if path is not None:
        path = _recipe_file(path)
        values = renamed(read_toml(path))
        data: Any = values.get("data")
        for name in ("pairs", "validation") if isinstance(data, dict) else ():
            if isinstance(data.get(name), list):
                data[name] = [_source(path.parent, str(source)) for source in data[name]]
    # what is given, alone: mistakes in it are refused before torch is loaded
    given = _lay_over(copy.deepcopy(values), overrides, str(path or ""))
    tested = {
        key: value for key, value in known_settings(given.model.name).items() if not _is_set(given, key)
    }
    return _lay_over(values, tested | dict(overrides), str(path or ""))


def _recipe_file(path: Path) -> Path:
    """Return the file itself, or the recipe of the package that has this name."""
    if path.is_file():
        return path
    bundled = {
        file.relative_to(BUNDLED).with_suffix("").as_posix(): file for file in sorted(BUNDLED.rglob("*.toml"))
    }
    if (name := path.as_posix().removesuffix(".toml")) in bundled:
        return bundled[name]
    if path.is_dir() or (path.suffix != ".toml" and path.parent not in (Path(), Path("paper"))):
        raise PanglotError(f"{path}: is not a recipe. Write a model as --model {path}.")
    raise PanglotError(f"{path}: no such recipe; check the path, or use one of {', '.join(bundled)}.")


def known_settings(model: str) -> dict[str, Any]:
    """Return the settings known to suit a model, such as ``{"batches.size": 64}``, found by its name or card.

    Nothing is known of most models.
    """
    for family, settings in TESTED.items():
        if any(re.fullmatch(family, name) for name in known_names(model)):
            return dict(settings)
    return {}


def _is_set(config: TrainingConfig, key: str) -> bool:
    """Say whether a setting such as ``batches.size`` was given, even if as its default."""
    part, name = key.split(".")
    return name in getattr(config, part).model_fields_set


def _source(folder: Path, name: str) -> str:
    """Return a source of pairs as a recipe in a folder names it."""
    path = folder / name
    known = name == SAMPLE or is_training_set(name) or is_benchmark(name)
    if is_hub_source(name) or (known and not path.exists()):
        return name
    return str(path)


def override(recipe: TrainingConfig, settings: Mapping[str, Any]) -> TrainingConfig:
    """Return a recipe with single settings, such as ``{"batches.alpha": 0.3}``, laid over it."""
    return _lay_over(recipe.model_dump(), settings, "")


def parts_of(recipe: TrainingConfig) -> dict[str, TrainingConfig]:
    """Return the config of each part of a merged model, by its name; of another model, its own."""
    if recipe.merge is None:
        return {recipe.model.name: recipe}
    alone = recipe.model_copy(update={"merge": None})
    return {name: override(alone, settings) for name, settings in recipe.merge.parts.items()}


def renamed(values: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's tables with today's names of parts and settings."""
    parts = {OLD_NAMES.get(name, name): value for name, value in values.items()}
    for name in PARTS:
        if isinstance(table := parts.get(name), dict):
            parts[name] = {OLD_NAMES.get(key, key): value for key, value in table.items()}
    return parts


def _lay_over(values: dict[str, Any], overrides: Mapping[str, Any], where: str) -> TrainingConfig:
    for key, value in overrides.items():
        *parts, name = (OLD_NAMES.get(part, part) for part in key.split("."))
        place = values
        for part in parts:
            if place.get(part) is None:  # a part that is not there yet, such as training.lora
                place[part] = {}
            place = place[part]
            if not isinstance(place, dict):
                break
        if not parts or not name or not isinstance(place, dict):
            raise PanglotError(f"'{key}' is not a setting. Write PART.NAME, such as batches.alpha.")
        place[name] = value
    return checked(TrainingConfig, values, where)


def checked(form: type[Settings], values: Mapping[str, Any], where: str = "") -> Settings:
    """Return settings in their form, or raise a ``PanglotError`` that names the wrong one."""
    try:
        return form.model_validate(values)
    except ValidationError as error:
        kind, name, wrong = what_is_wrong(error)
        if kind == "extra_forbidden":
            wrong = f"Unknown setting {name}.{meant(name, _names(form))}"
        else:
            wrong = f"The setting {wrong}." if kind == "missing" else f"{wrong}."
        raise PanglotError(f"{where}: {wrong}" if where else wrong) from error


def _names(form: Any, prefix: str = "") -> list[str]:
    """Return the names of all settings of a form, such as ``batches.alpha``."""
    found = []
    for name, field in form.model_fields.items():
        inner = field.annotation
        part = isinstance(inner, type) and issubclass(inner, BaseModel)
        found += [prefix + name, *(_names(inner, f"{prefix}{name}.") if part else [])]
    return found


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``batches.alpha=0.3`` into its name and its value, read as TOML or else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise PanglotError(f"'{text}' sets nothing; write NAME=VALUE, such as batches.alpha=0.3.")
    try:
        return name.strip(), parse_toml(f"value = {value}", name)["value"]
    except PanglotError:
        if more := re.search(r",\s*(\w[\w.]*\s*=.*)", value):
            raise PanglotError(
                f"'{text}': '{more[1]}' is not a setting of its own. Write each as PART.SETTING=VALUE (with "
                "an option for each, but in --variant), and a text with commas in quotation marks."
            ) from None
        return name.strip(), value.strip()


def check_metric(metric: str) -> str | None:
    """Return the measure in ``AP``, ``nDCG@10``, ``multilingual_R@100``...; None for others.

    Raises:
        PanglotError: it is not such a figure.
    """
    if metric in LESS_IS_BETTER:
        return None
    setting, underscore, rest = metric.partition("_")
    name = rest if underscore and setting in SETTINGS else metric
    parse_measure(name)
    return name
