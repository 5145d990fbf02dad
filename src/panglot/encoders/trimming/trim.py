"""A smaller model: an encoder without the vocabulary of languages that nobody will ask it about.

Abdaoui, Pradel and Sigel 2020, "Load What You Need: Smaller Versions of Multilingual BERT" (arXiv
2010.05609): most weights of a multilingual encoder are rows of its token table. Texts whose pieces are all
kept get the same embeddings as before; others are spelled with the pieces that are left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import IntArray, ParallelPairs
from panglot.encoders.load import load_encoder, model_sha256, passage_prompt, query_prompt
from panglot.encoders.names import card_head
from panglot.encoders.trimming.choice import (
    SHARED,
    Vocabulary,
    count_pieces,
    ids_in_scripts,
    scripts_of,
    slices,
    texts_of,
    vocabulary_of,
)
from panglot.encoders.trimming.cost import cost, given_texts, sample_texts
from panglot.encoders.trimming.model import config_ids, save_cut
from panglot.encoders.trimming.tokenizer import basic_ids, number_anew, reads_bytes, special_ids, with_parts
from panglot.errors import PanglotError
from panglot.files import check_new_folder, folder_written_whole, write_json
from panglot.languages import check_languages

TRIM_FILE = "trim.json"
SAME = 0.999  # cosine of two embeddings that differ by rounding, in 16 bits too
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def _silent(title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda count: None)


def trim_encoder(
    model: SentenceTransformer,
    output: str | Path,
    *,
    pairs: Sequence[ParallelPairs] = (),
    languages: Sequence[str] | None = None,
    extra: Sequence[str] = (),
    min_count: int = 1,
    name: str = "",
    beside: Mapping[str, Any] | None = None,
    trust_remote_code: bool = False,
    bar: Bar = _silent,
) -> dict[str, Any]:
    """Write an encoder with only the pieces that some texts or languages need; the one in memory stays whole.

    With pairs, their texts (each behind its prompt) are read and counted. The pieces that they need stay, and
    all of one character in the scripts of their languages, so that any word can be spelled. Without pairs,
    all pieces in the scripts of the languages stay, and those in Latin, digits and marks.

    Args:
        model: a transformer with a fast tokenizer.
        output: folder for the smaller model; must be empty or not exist.
        pairs: whose texts are counted.
        languages: of the pairs to count; without pairs, whose scripts to keep.
        extra: more texts, whose pieces stay however rare.
        min_count: pieces that the pairs need less often go. A text that occurs several times counts once.
        beside: more JSON files for the folder, by name.

    Returns:
        what ``trim.json`` holds: what was kept, what that saves and what it costs.

    Raises:
        PanglotError: nothing says what to keep, a language is unknown or has no text or no pieces, the output
            folder is not empty, or the model is of a kind that cannot be trimmed.
    """
    output = Path(output)
    languages = None if languages is None else check_languages(languages)
    _check(output, pairs, languages, min_count)
    vocabulary = vocabulary_of(model)
    sources = _restricted(pairs, languages)
    codes = sorted({*(languages or ()), *(code for source in sources for code in source.languages)})
    counts = _counted(model, vocabulary, sources, bar)
    needed = _chosen(vocabulary, counts if sources else None, codes, min_count)
    order = _order(model, vocabulary, needed | _in_use(model, vocabulary, extra))
    facts: dict[str, Any] = {
        "schema": 1,
        "panglot": version("panglot"),
        "model": {"name": name, "sha256": model_sha256(model)},
        "languages": codes,
        "scripts": sorted(scripts_of(codes) | SHARED),
        "pairs": [{"name": source.name, "sha256": source.sha256} for source in sources],
        "min_count": min_count if sources else None,
    }
    if sources:
        dropped = np.delete(counts, order).sum() / counts.sum()
        facts["counted"] = {"tokens": int(counts.sum()), "dropped": float(dropped)}
    texts = {"given": given_texts(model, sources, extra), "sample": sample_texts(model, codes)}
    if not any(texts.values()):
        texts["sample"] = sample_texts(model, ["en"])  # Latin stays in any case
    with folder_written_whole(output) as part:
        save_cut(model, vocabulary.state, order, part)
        smaller = load_encoder(str(part), device=str(model.device), trust_remote_code=trust_remote_code)
        facts |= _compared(model, vocabulary, smaller, texts, bar)
        for file, value in {**(beside or {}), TRIM_FILE: facts}.items():
            write_json(part / file, value)
        (part / "README.md").write_text(_card(facts), encoding="utf-8")
    return facts


def _check(
    output: Path, pairs: Sequence[ParallelPairs], languages: Sequence[str] | None, min_count: int
) -> None:
    if not pairs and not languages:
        raise PanglotError("nothing says which pieces to keep; give --pairs, --languages or both.")
    if min_count < 1:
        raise PanglotError(
            f"the least count is {min_count}; use 1 to keep all pieces that are needed, or more."
        )
    check_new_folder(output)


def _restricted(pairs: Sequence[ParallelPairs], languages: Sequence[str] | None) -> list[ParallelPairs]:
    """Return the pairs in some languages, without the sources that have none of them."""
    if languages is None or not pairs:
        return list(pairs)
    for code in languages:
        if not any(code in source.languages for source in pairs):
            raise PanglotError(f"no source has a pair in '{code}'; leave it out of the languages.")
    some = (source.select(languages=languages) for source in pairs if set(languages) & set(source.languages))
    return list(some)


def _counted(
    model: SentenceTransformer, vocabulary: Vocabulary, sources: Sequence[ParallelPairs], bar: Bar
) -> IntArray:
    """Count the pieces that the sources need."""
    with bar("reading", sum(source.index.entries for source in sources)) as advance:

        def texts() -> Iterator[list[str]]:
            for source in sources:
                for rows in slices(source):
                    yield texts_of(model, source, rows)
                    advance(len(rows))

        return count_pieces(vocabulary, texts())


def _chosen(
    vocabulary: Vocabulary, counts: IntArray | None, languages: Sequence[str], min_count: int
) -> set[int]:
    """Return the ids that some languages need, as their texts or else their scripts say."""
    if counts is not None:
        spelling = ids_in_scripts(vocabulary, scripts_of(languages), single=True)
        return spelling | set(np.flatnonzero(counts >= min_count).tolist())
    shared = ids_in_scripts(vocabulary, (), single=False)
    for own, code in {scripts_of([code]): code for code in languages}.items():
        lacking = not own <= SHARED and ids_in_scripts(vocabulary, own, single=False) == shared
        if lacking and not reads_bytes(vocabulary.state):
            raise PanglotError(
                f"the model has no piece in the script of '{code}' ({', '.join(sorted(own))}), "
                "so it cannot read that language; leave it out of the languages."
            )
    return ids_in_scripts(vocabulary, scripts_of(languages), single=False)


def _in_use(model: SentenceTransformer, vocabulary: Vocabulary, extra: Sequence[str]) -> set[int]:
    """Return the ids that the model's prompts need, and texts that must be read as before."""
    prompts = sorted({prompt for prompt in model.prompts.values() if prompt})
    before = {query_prompt(model), passage_prompt(model)}
    texts = [*prompts, *(prompt + text for text in extra for prompt in sorted(before))]
    return set(np.flatnonzero(count_pieces(vocabulary, [texts])).tolist())


def _order(model: SentenceTransformer, vocabulary: Vocabulary, needed: set[int]) -> list[int]:
    """Return the old ids in the order of the new ones: those needed, and what makes them readable."""
    state = vocabulary.state
    real = {number for number, piece in enumerate(vocabulary.pieces) if piece}
    fixed = special_ids(state) | (config_ids(model) & real)
    return number_anew(state, with_parts(state, needed | fixed | basic_ids(state)), fixed)


def _compared(
    model: SentenceTransformer,
    vocabulary: Vocabulary,
    smaller: SentenceTransformer,
    texts: Mapping[str, list[str]],
    bar: Bar,
) -> dict[str, Any]:
    """Return what the trimmed model saves and costs; one that came out wrong is refused."""
    after = vocabulary_of(smaller)
    costs = {}
    with bar("comparing", 2 * sum(map(len, texts.values()))) as advance:
        for what, some in texts.items():
            costs[what] = found = cost((model, vocabulary), (smaller, after), some, advance)
            if found is not None and found.same is not None and found.same < SAME:
                raise PanglotError(
                    "this model cannot be trimmed: a text read as the same pieces came out with a cosine of "
                    f"{found.same:.3f} to its embedding, so ids mean more to it; nothing is written."
                )
    return {
        "sha256": model_sha256(smaller),
        "pieces": {"before": len(vocabulary.pieces), "after": len(after.pieces)},
        "parameters": {"before": _parameters(model), "after": _parameters(smaller)},
        "bytes": {"before": _bytes(model), "after": _bytes(smaller)},
        "cost": {what: found and found.figures for what, found in costs.items()},
    }


def _parameters(model: SentenceTransformer) -> int:
    return sum(value.numel() for value in model.parameters())


def _bytes(model: SentenceTransformer) -> int:
    return sum(value.numel() * value.element_size() for value in model.parameters())


def _card(facts: Mapping[str, Any]) -> str:
    """Return the text of a README.md."""
    pieces, parameters = facts["pieces"], facts["parameters"]
    return f"""{card_head(facts["languages"], ["panglot", "trimmed"])}
# {facts["model"]["name"]}, trimmed to {len(facts["languages"])} language(s)

{pieces["after"]:,} of {pieces["before"]:,} pieces of the vocabulary, {parameters["after"]:,} of
{parameters["before"]:,} parameters. Texts made of these pieces have the embeddings of the whole model
(weights sha256 `{facts["model"]["sha256"][:16]}`); others are spelled with the pieces that are left. The
licence is that of the whole model. Made by panglot {facts["panglot"]}; `{TRIM_FILE}` has all figures.
"""
