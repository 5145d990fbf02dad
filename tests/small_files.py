"""The bytes of small files in official layouts."""

import gzip
import json
from typing import Any

Content = str | bytes | list[dict[str, Any]]


def as_bytes(content: Content, name: str) -> bytes:
    """Return text, bytes, or objects as JSON lines; compressed if the name ends in .gz."""
    if isinstance(content, list):
        content = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in content)
    data = content.encode() if isinstance(content, str) else content
    return gzip.compress(data) if name.endswith(".gz") else data
