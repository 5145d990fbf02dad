"""The encoders of a leaderboard: how a line of the grid names one, and whether it can be loaded here."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from pydantic import Field

from panglot.encoders import EMBEDDED
from panglot.errors import PanglotError
from panglot.training import Recipe, override
from panglot.training.settings import Part

Way = Literal["as it comes", "hybrid"]
AS_IT_COMES: Way = "as it comes"
HYBRID: Way = "hybrid"
WEIGHTS = (".safetensors", ".bin", ".pt", ".onnx")


class Encoder(Part):
    """A line of the leaderboard.

    Attributes:
        model: ``use-multilingual``, a hub id, the folder of a checkpoint, ``laser2.pt``; None: the recipe's.
        name: what answers call it; by default the last part of ``model``.
        runs: as it comes, tuned with hybrid batches, or both.
        optional: left out where it is not on this machine.
        trust_remote_code: let it run code of its own.
        batches: settings of its tuning that differ from the recipe's.
        objective: likewise.
        training: likewise.
    """

    model: str | None = None
    name: str | None = None
    runs: list[Way] = Field(default=[AS_IT_COMES, HYBRID], min_length=1)
    optional: bool = False
    trust_remote_code: bool = False
    batches: dict[str, Any] = Field(default_factory=dict)
    objective: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)

    def loaded(self, recipe: Recipe) -> str:
        """Return the name that ``load_encoder`` takes."""
        return self.model or recipe.model.name

    def title(self, recipe: Recipe) -> str:
        """Return what answers call it."""
        return self.name or Path(self.loaded(recipe)).name

    def recipe(self, shared: Recipe) -> Recipe:
        """Return how it is tuned: the shared recipe with its own settings laid over it."""
        own = {"batches": self.batches, "objective": self.objective, "training": self.training}
        return override(
            shared,
            {
                "model.name": self.loaded(shared),
                "model.trust_remote_code": self.trust_remote_code or shared.model.trust_remote_code,
                **{
                    f"{part}.{key}": value
                    for part, settings in own.items()
                    for key, value in settings.items()
                },
            },
        )


def on_this_machine(model: str) -> bool:
    """Say whether an encoder can be loaded without a network: embedded, a path, or in the hub's cache."""
    if model == EMBEDDED or Path(model).exists():
        return True
    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        return False
    settings = try_to_load_from_cache(model, "config.json")
    if not isinstance(settings, str):
        return False
    return any(path.suffix in WEIGHTS for path in Path(settings).parent.rglob("*"))


def check_loadable(model: str) -> None:
    """Raise a ``PanglotError`` where an encoder is neither on this machine nor to be had from the hub."""
    if on_this_machine(model):
        return
    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        why = "there is no such folder or file"
    else:
        why = _hub_refuses(model)
    if why:
        raise PanglotError(
            f"'{model}' cannot be loaded: it is not on this machine and {why}; name the folder of a "
            "checkpoint, or write optional = true beside it to leave it out."
        )


@cache
def _hub_refuses(model: str) -> str:
    """Say why the hub does not give a model; nothing where it does."""
    try:
        HfApi().model_info(model, timeout=10)
    except HfHubHTTPError:
        return "the hub has none of that name that is open to you"
    except Exception:  # each HTTP library has its own errors for a network that is down
        return "the hub cannot be reached"
    return ""
