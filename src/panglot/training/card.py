"""The model card: strategy, data, settings and results, in the hub's form."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from panglot import encoders
from panglot.batches import MEANINGS
from panglot.encoders.names import card_head

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LOAD_TRUST = ", trust_remote_code=True"
PLACE = "this folder or hub id"  # what loads the model; pushing it puts its hub id there
CITATION = """@article{elmahdy2024synergistic,
  title = {Synergistic Approach for Simultaneous Optimization of Monolingual, Cross-lingual, and Multilingual
           Information Retrieval},
  author = {Elmahdy, Adel and Lin, Sheng-Chieh and Ahmad, Amin},
  journal = {arXiv preprint arXiv:2408.10536},
  year = {2024},
}"""


TAGS = ["feature-extraction", "dense", "retrieval", "multilingual", "panglot"]


def model_card(
    run: dict[str, Any], figures: dict[str, float], steps: int, model: "SentenceTransformer"
) -> str:
    """Return the text of a README.md.

    Args:
        run: the description of the run; see ``panglot.training.run``.
        figures: measured on held-out documents; empty where none were held out.
        steps: how many were made; 0 for a merged model.
        model: that the card is about; its modules and prompts say how it is used.
    """
    batches, data = run["batches"], run["data"]
    languages = sorted({code for source in data for code in source["languages"]})
    strategy = batches["strategy"]
    merged = run.get("merge", {})
    if merged:
        strategy = " and ".join(dict.fromkeys(p["run"]["batches"]["strategy"] for p in merged.values()))
    sources = "\n".join(
        f"| {s['name']} | {s['items']:,} | {s['rows']:,} | {len(s['languages'])} | `{s['sha256'][:16]}` |"
        for s in data
    )
    settings = "\n".join(
        f"| {part}.{name} | {value} |"
        for part in ("batches", "loss", "training")
        for name, value in run[part].items()
        if value not in (None, [], "")
    )
    measured = "No documents were held out."
    if figures:
        rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(figures.items()))
        measured = f"On held-out training documents:\n\n| measure | value |\n|---|---|\n{rows}"
    # sentence-transformers has to be told to trust the code of panglot's own modules
    trust = any(type(module).__module__.startswith("panglot.") for module in model)
    made = f"{steps} steps were made. " if steps else ""
    return f"""{card_head(languages, TAGS, model.model_card_data.base_model)}
# {run["model"]["name"]}, trained with {strategy} batches

One encoder for monolingual, cross-lingual and multilingual retrieval, fine-tuned on parallel pairs with
panglot {run["panglot"]} (kinds of batches after Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536).
{_merged(merged) or MEANINGS[batches["strategy"]].format(alpha=batches["alpha"]).capitalize()}

## Use

```python
import panglot

model = panglot.load_encoder("{PLACE}")
```

or with sentence-transformers (`pip install panglot` first where the model has panglot's own module):

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{PLACE}"{LOAD_TRUST if trust else ""})
queries = model.encode_query(["..."])
passages = model.encode_document(["..."])
scores = model.similarity(queries, passages)
```

{_prompts(encoders.prompts_of(model))}{_dimensions(run["loss"])}## Training data

| source | items | texts | languages | sha256 |
|---|---|---|---|---|
{sources}

## Results

{measured}

## Settings

{made}Begun from `{run["model"]["name"]}`, weights sha256 `{run["model"]["sha256"][:16]}`.

<details>
<summary>All settings</summary>

| setting | value |
|---|---|
{settings}

</details>

## Citation

```bibtex
{CITATION}
```
"""


def _prompts(prompts: Mapping[str, str]) -> str:
    """Say what is put before texts, by the methods above."""
    named = [f"`{text}` before each {role}" for role, text in prompts.items() if text]
    if not named:
        return "The model takes texts without prompts.\n\n"
    return f"Prompts: {', '.join(named)}. `encode_query` and `encode_document` put them there.\n\n"


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


def _merged(parts: Mapping[str, Any]) -> str:
    """Say which models a merged one is the mean of; nothing for others."""
    if not parts:
        return ""
    named = ", ".join(f"{name} ({part['weight']:g})" for name, part in parts.items())
    return f"Its weights are the weighted mean of {len(parts)} models that were trained apart: {named}."
