"""The bytes of small files in official layouts, and types of the fixtures that write and read them."""

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from panglot.data import Benchmark

Content = str | bytes | list[dict[str, Any]]
WriteFiles = Callable[[dict[str, Content]], Path]
JudgementsOf = Callable[["Benchmark"], list[tuple[str, str, int]]]
Judged = Callable[["Benchmark"], dict[str, dict[str, int]]]
Sizes = Callable[["Benchmark"], dict[str, tuple[int, int]]]


def as_bytes(content: Content, name: str) -> bytes:
    """Return text, bytes, or objects as JSON lines; compressed if the name ends in .gz or .bz2."""
    if isinstance(content, list):
        content = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in content)
    data = content.encode() if isinstance(content, str) else content
    data = bz2.compress(data) if name.endswith(".bz2") else data
    return gzip.compress(data) if name.endswith(".gz") else data


def write_files(folder: Path, files: dict[str, Content]) -> Path:
    """Write files, by their paths in a folder, and return it; see ``as_bytes``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content, name))
    return folder
