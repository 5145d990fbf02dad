"""The model card: strategy, data, settings and results, in the hub's form."""

from typing import Any

LOAD_TRUST = ", trust_remote_code=True"


def model_card(
    run: dict[str, Any],
    figures: dict[str, float],
    steps: int,
    own_module: bool,
    base_model: str | None = None,
) -> str:
    """Return the text of a README.md.

    Args:
        run: the description of the run; see ``panglot.training.run``.
        figures: measured on held-out documents; empty where none were held out.
        steps: how many were made.
        own_module: whether sentence-transformers needs to be told to trust panglot's encoder module.
        base_model: hub id of the model that training began with.
    """
    batches, data = run["batches"], run["data"]
    languages = sorted({code for source in data for code in source["languages"]})
    strategy = batches["strategy"]
    if strategy == "hybrid":
        strategy = f"hybrid, alpha {batches['alpha']}"
    sources = "\n".join(
        f"| {s['name']} | {s['items']:,} | {s['rows']:,} | {len(s['languages'])} | `{s['sha256'][:16]}` |"
        for s in data
    )
    settings = "\n".join(
        f"| {part}.{name} | {value} |"
        for part in ("batches", "loss", "training")
        for name, value in run[part].items()
    )
    measured = "No documents were held out."
    if figures:
        rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(figures.items()))
        measured = f"On held-out training documents:\n\n| measure | value |\n|---|---|\n{rows}"
    codes = "\n".join(f"- {code}" for code in languages)
    return f"""---
language:
{codes}
{f"base_model: {base_model}" + chr(10) if base_model else ""}library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- retrieval
- multilingual
- panglot
---

# {run["model"]["name"]}, trained with {strategy} batches

One encoder for monolingual, cross-lingual and multilingual retrieval, fine-tuned on parallel pairs with
panglot {run["panglot"]} (batch strategies of Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536).
{_explain(batches).capitalize()}

## Use

```python
import panglot

model = panglot.load_encoder("this folder or hub id")
```

or with sentence-transformers (`pip install panglot` first where the model has panglot's own module):

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("this folder or hub id"{LOAD_TRUST if own_module else ""})
queries = model.encode_query(["..."])
passages = model.encode_document(["..."])
scores = model.similarity(queries, passages)
```

{_dimensions(run["loss"])}## Training data

| source | items | texts | languages | sha256 |
|---|---|---|---|---|
{sources}

## Results

{measured}

## Settings

{steps} steps were made. Begun from `{run["model"]["name"]}`, weights sha256 `{run["model"]["sha256"][:16]}`.

| setting | value |
|---|---|
{settings}
"""


def _dimensions(loss: dict[str, Any]) -> str:
    """Say to which dimensions embeddings can be cut; nothing where they were not trained for it."""
    dims = sorted(loss.get("matryoshka_dims") or [], reverse=True)
    if not dims:
        return ""
    listed = ", ".join(str(dim) for dim in dims)
    return (
        f"Embeddings were trained to be cut to {listed} dimensions (Matryoshka): "
        f"`SentenceTransformer(..., truncate_dim={dims[-1]})`, then normalise them again.\n\n"
    )


def _explain(batches: dict[str, Any]) -> str:
    return {
        "hybrid": f"each batch is monolingual with probability {batches['alpha']}, else cross-lingual.",
        "monolingual": "every batch is in one language.",
        "crosslingual": "each pair of a batch has its query in one language and its passage in another.",
        "mixed": "each pair of a batch has its own language.",
        "english": "every batch is in one language.",
        "specific": "every batch is in one language, the model's own.",
    }[str(batches["strategy"])]
