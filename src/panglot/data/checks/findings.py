"""What a check finds: a sentence, how grave it is, and a few rows that show it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from panglot.data.checks.rows import CheckedRows
from panglot.data.index import IntArray

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
EXAMPLES, MANY_EXAMPLES = 3, 10  # that are shown; of rows that cannot be trained on, more
SHOWN = 100  # characters of an example


@dataclass(frozen=True)
class Example:
    """One row: its line in the file, its item and language, and the text in question, cut short."""

    line: int
    item_id: str
    language: str
    text: str


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        severity: ``error`` (training or a claim goes wrong), ``warning`` (worth mending) or ``note``.
        check: which check found it.
        sentence: what is wrong and what to do about it.
        count: how many rows, items or languages it concerns.
        examples: a few of them.
    """

    severity: Severity
    check: str
    sentence: str
    count: int
    examples: tuple[Example, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def examples_of(
    rows: CheckedRows, at: IntArray | Sequence[int], column: str, most: int = EXAMPLES
) -> tuple[Example, ...]:
    """Return the first few of some table rows, with the text of a column."""
    found = []
    for row in list(at)[:most]:
        line = rows.table.slice(int(row), 1).to_pylist()[0]
        found.append(
            Example(int(rows.lines[row]), line["item_id"], line["language"], shortened(line[column] or ""))
        )
    return tuple(found)


def shortened(text: str) -> str:
    """Return a text on one line, cut at ``SHOWN`` characters."""
    text = " ".join(text[: 4 * SHOWN].split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def gravest(findings: Iterable[Finding]) -> Severity | None:
    """Return the gravest severity among findings; None where there are none."""
    found = {finding.severity for finding in findings}
    return next((severity for severity in SEVERITIES if severity in found), None)


def by_gravity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the gravest first; within a severity they keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
