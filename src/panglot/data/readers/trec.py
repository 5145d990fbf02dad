"""Topics and judgements as TREC and its heirs write them: ``id TAB query`` and ``query 0 document gain``."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from panglot.data.readers.lines import numbered_lines
from panglot.errors import PanglotError

BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Qrels:
    """Judgements of one file, a list a column; ``line`` says where each one stands.

    ``gain`` is above 0 for relevant and 0 for judged not relevant. ``iteration`` is TREC's second column,
    which NeuCLIR uses for the language.
    """

    path: Path
    query: list[str] = field(default_factory=list)
    passage: list[str] = field(default_factory=list)
    gain: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    iteration: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of judgements."""
        return len(self.query)


def read_topics(path: Path) -> dict[str, str]:
    """Read a file of ``id TAB query`` lines: the query of each id, in the file's order."""
    topics: dict[str, str] = {}
    for number, line in numbered_lines(path):
        name, tab, text = line.partition("\t")
        name, text = name.strip(), text.strip()
        if not tab:
            raise PanglotError(
                f"{path}, line {number}: has no tab; a line is a query's id, a tab, the query."
            )
        if not name or not text:
            raise PanglotError(f"{path}, line {number}: has an empty {'id' if not name else 'query'}.")
        if name in topics:
            raise PanglotError(f"{path}, line {number}: query '{name}' occurs twice; ids must be unique.")
        topics[name] = text
    return topics


def read_qrels(path: Path) -> Qrels:
    """Read judgements of four columns: query, iteration, document, gain, split by tabs or spaces.

    Gains below 0 (TREC's mark for junk) count as 0, as trec_eval counts them. A judgement that stands
    twice counts once.
    """

    def rows() -> Iterator[Judgement]:
        for number, line in numbered_lines(path):
            columns = BLANKS.split(line.strip(" \t"))
            if len(columns) != 4:
                raise PanglotError(
                    f"{path}, line {number}: has {len(columns)} columns; "
                    "a judgement has four: query, 0, document, gain."
                )
            query, iteration, passage, gain = columns
            yield number, query, passage, as_gain(path, number, gain), iteration

    return collect(path, rows())


Judgement = tuple[int, str, str, int, str]  # line, query, passage, gain, iteration


def collect(path: Path, rows: Iterable[Judgement]) -> Qrels:
    """Gather judgements, each once; one that occurs twice with two gains is refused."""
    qrels = Qrels(path)
    seen: dict[tuple[str, str], int] = {}
    for number, query, passage, gain, iteration in rows:
        if not query or not passage:
            raise PanglotError(f"{path}, line {number}: has an empty id.")
        at = seen.setdefault((query, passage), len(qrels))
        if at == len(qrels):
            qrels.line.append(number)
            qrels.query.append(query)
            qrels.passage.append(passage)
            qrels.gain.append(max(gain, 0))
            qrels.iteration.append(iteration)
        elif qrels.gain[at] != max(gain, 0):
            raise PanglotError(
                f"{path}, line {number}: judges '{passage}' for query '{query}' "
                f"unlike line {qrels.line[at]}; keep one of the two."
            )
    return qrels


def as_gain(path: Path, number: int, text: object) -> int:
    """Return a gain as a whole number; ``1.0`` is one."""
    try:
        value = float(text)  # type: ignore[arg-type]
        if value != int(value):
            raise ValueError(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise PanglotError(f"{path}, line {number}: the gain '{text}' is not a whole number.") from error
    return int(value)
