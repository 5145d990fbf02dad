"""A smaller model: an encoder without the vocabulary of languages that nobody will ask it about.

Abdaoui, Pradel and Sigel 2020, "Load What You Need: Smaller Versions of Multilingual BERT" (arXiv
2010.05609): most weights of a multilingual encoder are rows of its token table. Texts whose pieces are all
kept get the same embeddings as before; others are spelled with the pieces that are left.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import regex
from sentence_transformers import SentenceTransformer
from tokenizers.decoders import ByteLevel

from panglot.data import IntArray, ParallelPairs, sample_benchmark
from panglot.encoders.encoding import encode
from panglot.encoders.load import load_encoder, model_sha256, passage_prompt, query_prompt
from panglot.encoders.names import card_head
from panglot.encoders.vocabulary import (
    State,
    Vocabulary,
    basic_ids,
    config_ids,
    is_byte_level,
    number_anew,
    reads_bytes,
    save_cut,
    special_ids,
    stuck_pieces,
    vocabulary_of,
    with_parts,
)
from panglot.errors import PanglotError
from panglot.files import atomic_folder, check_new_folder, decoded, write_json
from panglot.files import lines_of as read_lines
from panglot.languages import MIXED_SCRIPTS, check_languages, script

TRIM_FILE = "trim.json"
SAME = 0.999  # cosine of two embeddings that differ by rounding, in 16 bits too
TEXTS = 200  # read and encoded twice, by the whole model and the trimmed one
SHARED = frozenset({"Latn", "Zyyy", "Zinh"})  # Latin names are in any text; digits and marks have no script
SPACE, HALF = "▁", "\ufffd"
SLICE = 1024  # rows read at a time
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


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
    bar: Bar = lambda title, total: nullcontext(lambda count: None),
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
    if not pairs and not languages:
        raise PanglotError("nothing says which tokens to keep; give --pairs, --languages or both.")
    if min_count < 1:
        raise PanglotError(
            f"the least count is {min_count}; use 1 to keep all pieces that are needed, or more."
        )
    check_new_folder(output)
    vocabulary = vocabulary_of(model)
    sources = _restricted(pairs, languages)
    codes = sorted({*(languages or ()), *(code for source in sources for code in source.languages)})
    counts = _counted(model, vocabulary, sources, bar)
    needed = _chosen(vocabulary, counts if sources else None, codes, min_count)
    order = _order(model, vocabulary, needed, extra)
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
    texts = {"given": _given_texts(model, sources, extra), "sample": _sample_texts(model, codes)}
    if not any(texts.values()):
        texts["sample"] = _sample_texts(model, ["en"])  # Latin stays in any case
    with atomic_folder(output) as part:
        save_cut(model, vocabulary.state, order, part)
        smaller = load_encoder(str(part), device=str(model.device), trust_remote_code=trust_remote_code)
        facts |= _compared(model, vocabulary, smaller, texts, bar)
        for file, value in {**(beside or {}), TRIM_FILE: facts}.items():
            write_json(part / file, value)
        (part / "README.md").write_text(_card(facts), encoding="utf-8")
    return facts


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
    with bar("reading", sum(source.index.entries for source in sources)) as advance:

        def texts() -> Iterator[list[str]]:
            for source in sources:
                rows = source.index.rows
                for start in range(0, len(rows), SLICE):
                    some = rows[start : start + SLICE]
                    yield _texts_of(model, source, some)
                    advance(len(some))

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


def _order(
    model: SentenceTransformer, vocabulary: Vocabulary, needed: set[int], extra: Sequence[str]
) -> list[int]:
    """Return the old ids in the order of the new ones: those needed, and what makes them readable.

    What the model's prompts need stays too, and what is needed to read ``extra`` texts as before.
    """
    before = sorted({query_prompt(model), passage_prompt(model)})
    prompts = {prompt for prompt in model.prompts.values() if prompt}
    texts = [*sorted(prompts), *(prompt + text for text in extra for prompt in before)]
    used = set(np.flatnonzero(count_pieces(vocabulary, [texts])).tolist())
    state = vocabulary.state
    real = {number for number, piece in enumerate(vocabulary.pieces) if piece}
    fixed = special_ids(state) | (config_ids(model) & real)
    return number_anew(state, with_parts(state, needed | used | fixed | basic_ids(state)), fixed)


# which pieces


def count_pieces(vocabulary: Vocabulary, texts: Iterable[list[str]]) -> IntArray:
    """Count how often each id is needed to read some texts: ``(pieces,)``.

    A text that occurs several times counts once. Pieces at which WordPiece gets stuck are needed too.
    """
    counts = np.zeros(len(vocabulary.pieces), np.int64)
    seen: set[int] = set()
    for some in texts:
        fresh = {hash(text): text for text in some if hash(text) not in seen}
        seen.update(fresh)
        read = vocabulary.read(list(fresh.values()))
        needed = [number for ids in read for number in ids]
        for text, ids in zip(fresh.values(), read, strict=True):
            if vocabulary.unknown in ids:
                needed += stuck_pieces(vocabulary.state, vocabulary.tokenizer, text)
        counts += np.bincount(np.array(needed, np.int64), minlength=len(counts))
    return counts


def lines_of(path: Path) -> list[str]:
    """Return the texts of a plain text file (or .gz, .zst), a text a line; blank lines are left out."""
    return [line.strip("\r\n") for _, line in decoded(read_lines(path), str(path)) if line.strip()]


def scripts_of(languages: Sequence[str]) -> frozenset[str]:
    """Return the scripts (ISO 15924) that languages are usually written in: Japanese has three."""
    usual = [script(code) for code in languages]
    return frozenset(part for name in usual for part in MIXED_SCRIPTS.get(name, (name,)))


def ids_in_scripts(vocabulary: Vocabulary, scripts: Iterable[str], *, single: bool) -> set[int]:
    """Return the ids of the pieces whose letters are all in some scripts, or in those that all texts share.

    Args:
        scripts: ISO 15924 codes.
        single: only pieces of one character, with which any word can be spelled. Where pieces are bytes, the
            parts of characters are left out then; otherwise all of them are in.
    """
    classes = "".join(rf"\p{{Script={name}}}" for name in sorted({*scripts} | SHARED))
    inside = regex.compile(f"[{classes}]*")
    surface = _surface(vocabulary.state)
    out = set()
    for number, piece in enumerate(vocabulary.pieces):
        text = surface(piece)
        fits = len(text) == 1 and text != HALF if single else piece  # no piece where numbers leave a gap
        if fits and inside.fullmatch(text):
            out.add(number)
    return out


def _surface(state: State) -> Callable[[str], str]:
    """Return a function from a piece to the text that it stands for, without marks of where words begin."""
    if is_byte_level(state):
        decoder = ByteLevel()
        return lambda piece: str(decoder.decode([piece])).strip(" ")
    prefix = state["model"].get("continuing_subword_prefix") or ""
    suffix = state["model"].get("end_of_word_suffix") or ""
    return lambda piece: piece.removeprefix(prefix).removesuffix(suffix).replace(SPACE, "")


# which texts


def _texts_of(model: SentenceTransformer, pairs: ParallelPairs, rows: IntArray) -> list[str]:
    query, passage = query_prompt(model), passage_prompt(model)
    negatives = [text for texts in pairs.negatives(rows) for text in texts] if pairs.has_negatives else []
    return [
        *(query + text for text in pairs.texts("query", rows)),
        *(passage + text for text in (*pairs.texts("passage", rows), *negatives)),
    ]


def _given_texts(
    model: SentenceTransformer, pairs: Sequence[ParallelPairs], extra: Sequence[str]
) -> list[str]:
    """Return some of the texts that the pieces were chosen by, evenly spread."""
    texts = list(extra)
    for source in pairs:
        rows = source.index.rows
        texts += _texts_of(model, source, rows[_spread(len(rows))])
    return [texts[place] for place in _spread(len(texts))]


def _sample_texts(model: SentenceTransformer, languages: Sequence[str]) -> list[str]:
    """Return held-out texts of the bundled sample in some languages, evenly spread; none if it lacks them."""
    benchmark = sample_benchmark()
    sides = ((query_prompt(model), benchmark.queries), (passage_prompt(model), benchmark.passages))
    texts = [
        prompt + text
        for prompt, side in sides
        for text, language in zip(side.texts, side.languages, strict=True)
        if benchmark.languages[language] in languages
    ]
    return [texts[place] for place in _spread(len(texts))]


def _spread(length: int) -> IntArray:
    """Return the places of at most ``TEXTS`` values, evenly spread."""
    return np.unique(np.linspace(0, length - 1, min(TEXTS, length)).astype(np.int64))


# what it saves and costs


def _compared(
    model: SentenceTransformer,
    vocabulary: Vocabulary,
    smaller: SentenceTransformer,
    texts: Mapping[str, list[str]],
    bar: Bar,
) -> dict[str, Any]:
    """Return what the trimmed model saves and costs; one that came out wrong is refused."""
    after = vocabulary_of(smaller)
    with bar("comparing", 2 * sum(map(len, texts.values()))) as advance:
        costs = {
            what: _cost((model, vocabulary), (smaller, after), some, advance) if some else None
            for what, some in texts.items()
        }
    sizes = [[(value.numel(), value.element_size()) for value in m.parameters()] for m in (model, smaller)]
    numbers = [sum(count for count, _ in of_model) for of_model in sizes]
    memory = [sum(count * size for count, size in of_model) for of_model in sizes]
    return {
        "sha256": model_sha256(smaller),
        "pieces": {"before": len(vocabulary.pieces), "after": len(after.pieces)},
        "parameters": {"before": numbers[0], "after": numbers[1]},
        "bytes": {"before": memory[0], "after": memory[1]},
        "cost": costs,
    }


def _cost(
    whole: tuple[SentenceTransformer, Vocabulary],
    trimmed: tuple[SentenceTransformer, Vocabulary],
    texts: Sequence[str],
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Compare two models on texts with prompts.

    ``tokens_changed`` is the share of the whole model's tokens that the trimmed one does not read.
    """
    (tokens, tokens_after) = (
        [[vocabulary.pieces[number] for number in ids] for ids in vocabulary.read(texts)]
        for _, vocabulary in (whole, trimmed)
    )
    (before, after) = (encode(model, texts, progress=progress) for model, _ in (whole, trimmed))
    cosines = (before * after).sum(axis=1)
    equal = np.array([a == b for a, b in zip(tokens, tokens_after, strict=True)])
    if equal.any() and (same := float(cosines[equal].min())) < SAME:
        raise PanglotError(
            "this model cannot be trimmed: a text read as the same pieces came out with a cosine of "
            f"{same:.3f} to its embedding, so ids mean more to it; nothing is written."
        )
    total = sum(map(len, tokens))
    lost = sum((Counter(a) - Counter(b)).total() for a, b in zip(tokens, tokens_after, strict=True))
    return {
        "texts": len(texts),
        "tokens": total,
        "tokens_after": sum(map(len, tokens_after)),
        "tokens_changed": lost / total,
        "unknown_before": _unknown(whole[1], tokens),
        "unknown_after": _unknown(trimmed[1], tokens_after),
        "cosine_mean": float(cosines.mean()),
        "cosine_lowest": float(cosines.min()),
    }


def _unknown(vocabulary: Vocabulary, texts: list[list[str]]) -> float:
    """Return the share of tokens that say no more than that something stood there."""
    if vocabulary.unknown is None:
        return 0.0
    unknown = vocabulary.pieces[vocabulary.unknown]
    return sum(tokens.count(unknown) for tokens in texts) / max(1, sum(map(len, texts)))


def _card(facts: Mapping[str, Any]) -> str:
    pieces, parameters = facts["pieces"], facts["parameters"]
    return f"""{card_head(facts["languages"], ["panglot", "trimmed"])}
# {facts["model"]["name"]}, trimmed to {len(facts["languages"])} language(s)

{pieces["after"]:,} of {pieces["before"]:,} pieces of the vocabulary, {parameters["after"]:,} of
{parameters["before"]:,} parameters. Texts made of these pieces have the embeddings of the whole model
(weights sha256 `{facts["model"]["sha256"][:16]}`); others are spelled with the pieces that are left. The
licence is that of the whole model. Made by panglot {facts["panglot"]}; `{TRIM_FILE}` has all figures.
"""
