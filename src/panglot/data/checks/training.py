"""Checks of what will go wrong in training: batches that cannot be filled, splits, texts that are cut."""

import numpy as np

from panglot.data.checks.findings import Finding, Severity
from panglot.data.index import IntArray, PairIndex

FEW_BATCHES = 10  # in one pass over a source; fewer, and a model soon knows each by heart


def check_batches(index: PairIndex, batch_size: int) -> list[Finding]:
    """Find languages and strategies that cannot fill a batch: it holds each passage group once."""
    return [
        *_monolingual(index, batch_size),
        *_crosslingual(index, batch_size),
        *_small(index, batch_size),
        *_groups(index),
    ]


def _monolingual(index: PairIndex, size: int) -> list[Finding]:
    able = {code: _distinct(index, index.items_in(k)) for k, code in enumerate(index.languages)}
    small = {code: count for code, count in able.items() if count < size}
    if not small:
        return []
    if len(small) == len(able):
        most = max(able.values())
        sentence = (
            f"no language has {size} items with different passages, so no monolingual batch of {size} can "
            f"be drawn; the most is {most}: use --batch-size {most} or less, or train beside others."
        )
        return [Finding("warning", "batches", sentence, len(small))]
    named = ", ".join(f"{code} ({count})" for code, count in sorted(small.items(), key=lambda pair: pair[1]))
    sentence = (
        f"these languages cannot fill a monolingual batch of {size}, and none is drawn in them: {named}."
    )
    return [Finding("warning", "batches", sentence, len(small))]


def _crosslingual(index: PairIndex, size: int) -> list[Finding]:
    several = np.diff(index.item_offsets) >= 2
    if not several.any():
        sentence = "no item exists in two languages, so no cross-lingual batch can be drawn from this file."
        return [Finding("warning", "parallel", sentence, index.items)]
    findings = []
    able = _distinct(index, np.flatnonzero(several))
    if able < size:
        sentence = (
            f"{able:,} items with different passages exist in two languages or more: too few for a "
            f"cross-lingual batch of {size}; use --batch-size {able} or less, or train beside others."
        )
        findings.append(Finding("warning", "batches", sentence, able))
    if lonely := int((~several).sum()):
        sentence = f"{lonely:,} items exist in one language only; no cross-lingual batch draws them."
        severity: Severity = "warning" if 2 * lonely > index.items else "note"
        findings.append(Finding(severity, "parallel", sentence, lonely))
    return findings


def _small(index: PairIndex, size: int) -> list[Finding]:
    if index.items >= FEW_BATCHES * size:
        return []
    sentence = (
        f"{index.items:,} items are {index.items / size:.1f} batches of {size}; after a few passes over them "
        "a model knows them by heart: take few steps, or train beside other files."
    )
    return [Finding("note", "small", sentence, index.items)]


def _groups(index: PairIndex) -> list[Finding]:
    findings = []
    if index.item_group is not None:
        _, sizes = np.unique(index.item_group, return_counts=True)
        shared = int(sizes[sizes > 1].sum())
        if shared:
            sentence = (
                f"{shared:,} items share a passage_id with others ({int((sizes > 1).sum()):,} groups, the "
                f"largest of {int(sizes.max()):,}); a batch holds one of each group."
            )
            findings.append(Finding("note", "groups", sentence, shared))
    documents = np.unique(index.documents_of(np.arange(index.items)))
    if len(documents) == 1 and index.items > 1:
        sentence = "all items are in one document, so none can be held out; give 'document_id'."
        findings.append(Finding("warning", "held-out", sentence, index.items))
    return findings


def _distinct(index: PairIndex, items: IntArray) -> int:
    return len(np.unique(index.groups_of(items)))


def check_lengths(
    lengths: dict[str, dict[str, dict[str, int]]], limit: int | None, model: str
) -> list[Finding]:
    """Find languages in which the 95th percentile of the passages is cut at the model's limit of tokens."""
    if limit is None:
        return []
    cut = [code for code, kinds in lengths.items() if kinds["passage_tokens"]["p95"] >= limit]
    if not cut:
        return []
    sentence = (
        f"more than 5% of the passages are as long as the {limit} tokens that {model} reads, or longer, in "
        f"{', '.join(cut)}; what is beyond is not seen: cut them into shorter passages."
    )
    return [Finding("warning", "too-long", sentence, len(cut))]
