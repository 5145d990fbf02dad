"""The page on training names every setting of a recipe with its default."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from panglot.training.config import Lora, MergePart, TrainingConfig

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
PARTS: dict[str, type[BaseModel]] = {
    **{name: type(part) for name, part in TrainingConfig() if part is not None},
    "training.lora": Lora,
    "merge": MergePart,
}


def written(value: object) -> str:
    """Return a default as the page writes it: as in TOML, which has no word for nothing."""
    if value is None:
        return "none"
    return f"`{json.dumps(value) if isinstance(value, (str, bool, list)) else value}`"


@pytest.mark.parametrize("part", PARTS)
def test_the_table_of_a_part_is_that_of_the_settings(part: str) -> None:
    (table,) = re.findall(rf"\| `\[{re.escape(part)}\]` \|.*\n\|---\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    rows = re.findall(r"\| `(\w+)` \| (.*?) \| (.*) \|", table)
    fields = PARTS[part].model_fields
    defaults = {
        name: "required" if field.is_required() else written(field.get_default(call_default_factory=True))
        for name, field in fields.items()
    }
    assert {name: default for name, default, _ in rows} == defaults
    assert all(meaning for _, _, meaning in rows)
