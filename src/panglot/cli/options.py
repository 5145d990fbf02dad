"""Options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from panglot import encoders, training

PAIRS = (
    "Parallel pairs: .jsonl, .csv, .tsv (also .gz, .zst), .parquet, hf:owner/name#split, sample, "
    "a training set of 'panglot data list', or a folder of LAReQA or SQuAD files."
)
Data = Annotated[
    Path | None,
    Option(help="Folder or file of the benchmark. (default: the folders of PANGLOT_DATA, then the cache)"),
]
CandidateText = Annotated[
    str | None, Option(help="Passages of LAReQA: sentence (the default) or sentence+context.")
]
Baseline = Annotated[int, Option(help="Number of the baseline file, counted from 1.")]
Alpha = Annotated[float, Option(help="Significance level of the corrected p.")]
Resamples = Annotated[int, Option(help="Number of bootstrap resamples for the intervals.")]
Flips = Annotated[int, Option(help="Number of random sign flips in the test.")]
Seed = Annotated[int, Option(help="Random seed.")]
Encoder = Annotated[str, Argument(help="multilingual-e5-small, a model folder, or a hub id.")]
Model = Annotated[str, Option(help="multilingual-e5-small, a model folder, or a hub id.")]
TrainedOn = Annotated[str | None, Option(help="Train only on these languages, e.g. en,de,sw. (default: all)")]
ModelOfIndex = Annotated[
    str | None, Option(help="Model of the index, if it has moved. (default: the model that the index names)")
]
Balance = Annotated[
    str | None,
    Option(help="Balance languages: scores (calibrate scores by language) or turns (languages take turns)."),
]
Bf16 = Annotated[bool, Option("--bf16", help="Encode in bfloat16: faster.")]
Json = Annotated[bool, Option("--json", help="Print only JSON.")]
TrustRemoteCode = Annotated[
    bool, Option("--trust-remote-code", help="Allow a hub model to run its own code.")
]
MaxLength = Annotated[
    int | None, Option(help="Cut texts after this many tokens. (default: the model's limit)")
]
Column = Annotated[
    list[str] | None,
    Option(help="Column of a field of --benchmark pairs or squad, as FIELD=COLUMN; repeatable."),
]
EveryItem = Annotated[
    bool, Option("--every-item", help="Keep items of --benchmark pairs that share a passage id.")
]
TruncateDim = Annotated[
    int | None,
    Option(
        help="Cut embeddings to this many dimensions, for models trained with loss.matryoshka_dims. "
        "(default: all)"
    ),
]
Rerank = Annotated[
    str | None,
    Option(
        help="Rerank the first passages of each list with this cross-encoder, e.g. BAAI/bge-reranker-v2-m3."
    ),
]
RerankDepth = Annotated[int, Option(min=1, help="Number of passages that --rerank reads.")]


def reranker_of(name: str | None, trust_remote_code: bool, bf16: bool = False) -> "encoders.Reranker | None":
    """Load the reranker that ``--rerank`` names; None: none."""
    if name is None:
        return None
    return encoders.load_reranker(name, trust_remote_code=trust_remote_code, bf16=bf16)


def overrides(settings: Sequence[str] | None) -> dict[str, Any]:
    """Return what ``--set`` gives, by name."""
    return dict(map(training.parse_override, settings or ()))


def of_pairs(column: Sequence[str] | None, every_item: bool) -> dict[str, Any]:
    """Return the options of ``--benchmark pairs`` that are given, as its reader names them."""
    from panglot.data.pairs_files.columns import parse_columns

    found: dict[str, Any] = {"columns": parse_columns(column)} if column else {}
    return found | ({"every_item": True} if every_item else {})
