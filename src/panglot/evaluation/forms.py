"""The form of a results file, for pydantic: see ``docs/reference/results-file.md``."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from panglot.parse import Count, Number


class Source(TypedDict):
    """A set that a model was trained on."""

    name: str
    languages: list[str]


class Training(TypedDict):
    """What is read of a ``run.json``."""

    data: NotRequired[list[Source]]


class _Model(TypedDict):
    name: str
    sha256: str | None
    prompts: NotRequired[dict[str, str] | None]
    max_length: NotRequired[Count | None]
    truncate_dim: NotRequired[Count | None]
    training: NotRequired[Training | None]
    precision: NotRequired[str]
    centring: NotRequired[dict[str, Any] | None]
    reranker: NotRequired[dict[str, Any]]


class _Benchmark(TypedDict):
    name: str
    sha256: str
    languages: list[str]
    queries: Count
    passages: Count
    candidate_text: str
    loaded: NotRequired["_Loaded"]


class _Loaded(TypedDict, total=False):
    data: str
    split: str
    columns: dict[str, str]
    every_item: bool


Measured = dict[str, Number]
Figures = dict[str, Number | None]
Bound = Annotated[list[Number], Field(min_length=2, max_length=2)] | None
Bounds = dict[str, Bound]


class _OfLanguage(TypedDict):
    monolingual: NotRequired[Measured | None]
    crosslingual: NotRequired[Measured | None]
    multilingual: NotRequired[Measured | None]
    rank_distance: NotRequired[Number | None]


class _Grids(TypedDict):
    share: dict[str, Figures]
    fair: dict[str, Figures]


class Shares(_Grids):
    """How the best ranks are shared out among languages."""

    exposure: NotRequired[_Grids]


class _LanguageBounds(TypedDict):
    monolingual: NotRequired[Bounds | None]
    crosslingual: NotRequired[Bounds | None]
    multilingual: NotRequired[Bounds | None]
    rank_distance: NotRequired[Bound]


class _Intervals(TypedDict):
    settings: NotRequired[dict[str, Bounds | None]]
    bias: NotRequired[Bounds]
    by_language: NotRequired[dict[str, _LanguageBounds]]
    matrix: NotRequired[dict[str, dict[str, Bounds]]]


class _Figure(TypedDict):
    value: Number | None
    low: NotRequired[Number | None]
    high: NotRequired[Number | None]


class _Group(TypedDict):
    languages: list[str]
    settings: dict[str, dict[str, _Figure | None] | None]
    rank_distance: _Figure | None


class _Pairs(TypedDict):
    pairs: Count
    crosslingual: dict[str, _Figure | None] | None


class _Groups(TypedDict):
    languages: dict[str, dict[str, _Group]]
    pairs: dict[str, dict[str, _Pairs]]


class ResultsFile(TypedDict):
    """The form of a results file; see ``docs/reference/results-file.md``."""

    schema: int
    seed: NotRequired[Count]
    model: _Model
    benchmark: _Benchmark
    settings: dict[str, Measured | None]
    bias: dict[str, Number | dict[str, Any] | None]
    by_language: dict[str, _OfLanguage]
    matrix: dict[str, dict[str, Figures]]
    intervals: NotRequired[_Intervals | None]
    groups: NotRequired[_Groups | None]
    created: NotRequired[str]
    per_query: NotRequired[str]
    versions: NotRequired[dict[str, str] | None]
