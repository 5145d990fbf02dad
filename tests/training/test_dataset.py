"""What a step is made of, against the lines of the pairs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch import Tensor

from panglot import ParallelPairs, load_pairs, make_sampler, sample_pairs
from panglot.batches import Batch, Sampler
from panglot.data import NOBODY, join_pairs, negative_items, pairs_from_rows
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.training.dataset import Steps
from panglot.training.micro_batches import Features

Line = dict[str, Any]


class Reader:
    """Stands for a model: its one token of a text is the number of the prompted text."""

    max_seq_length = None

    def __init__(self, query: str = "Q ", passage: str = "P ") -> None:
        self.texts: list[str] = []
        self.prompts = {"query": query, "document": passage}

    def __iter__(self) -> Iterator[None]:
        return iter(())

    def __getitem__(self, number: int) -> None:
        """It has no modules, and so no tokenizer that could count."""

    def preprocess(self, texts: list[str], prompt: str | None) -> dict[str, Tensor]:
        prompted = [(prompt or "") + text for text in texts]
        assert len(set(prompted)) == len(prompted), "equal texts are tokenised twice"
        self.texts += prompted
        first = len(self.texts) - len(texts)
        return {"input_ids": torch.arange(first, len(self.texts))[:, None]}

    def read(self, features: Features, name: str, batches: str = "micro_batches") -> list[str]:
        """Return the texts of a column of the features, row by row."""
        ids = torch.cat([batch["input_ids"] for batch in features[batches]])[features[f"{name}_rows"]]
        return [self.texts[k] for k in ids[:, 0].tolist()]


def make_steps(
    pairs: ParallelPairs,
    ranks: int = 1,
    teacher: Reader | None = None,
    pivot: str | None = "en",
    **settings: object,
) -> tuple[Steps, Reader]:
    reader = Reader()
    model, guide = cast(SentenceTransformer, reader), cast(SentenceTransformer, teacher)
    sampler = make_sampler([pairs], **settings)
    return Steps(sampler, [pairs], model, 6, ranks, token_budget=60, teacher=guide, pivot=pivot), reader


def write_lines(path: Path, lines: Sequence[Line]) -> ParallelPairs:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return load_pairs(path)


def small_pairs(tmp_path: Path, **extra: dict[int, object]) -> ParallelPairs:
    """Four items in English and German; ``extra`` gives fields to some."""
    lines = [
        {
            "item_id": f"i{k}",
            "language": code,
            "query": f"{code} question {k}",
            "passage": f"{code} answer {k}",
            **{field: values[k] for field, values in extra.items() if k in values},
        }
        for k in range(4)
        for code in ("en", "de")
    ]
    return write_lines(tmp_path / "small.jsonl", lines)


def test_the_texts_of_a_step_are_those_of_its_drawn_pairs() -> None:
    pairs = sample_pairs()
    steps, reader = make_steps(pairs, strategy="crosslingual", batch_size=16)
    lines = (SAMPLE_FOLDER / "train.jsonl").read_text(encoding="utf-8").splitlines()
    by_key = {(line["item_id"], line["language"]): line for line in map(json.loads, lines)}
    names = sorted({item for item, _ in by_key})  # the sample is sorted by item
    for step in range(6):
        batch, features = steps.sampler.draw(step), steps[step]
        drawn = [names[k] for k in batch.items]
        queries = [(i, pairs.languages[k]) for i, k in zip(drawn, batch.query_languages, strict=True)]
        passages = [(i, pairs.languages[k]) for i, k in zip(drawn, batch.passage_languages, strict=True)]
        assert reader.read(features, "query") == ["Q " + by_key[key]["query"] for key in queries]
        assert reader.read(features, "passage") == ["P " + by_key[key]["passage"] for key in passages]
        assert not any(name.startswith("negative") for name in features)


@pytest.mark.parametrize("strategy", ["hybrid", "mixed"])
def test_the_slices_of_two_processes_put_together_are_the_whole_step(strategy: str) -> None:
    whole, one = make_steps(sample_pairs(), strategy=strategy, batch_size=16)
    sliced, two = make_steps(sample_pairs(), ranks=2, strategy=strategy, batch_size=16)
    assert (len(whole), len(sliced)) == (6, 12)
    for step in range(6):
        features, parts = whole[step], [sliced[2 * step], sliced[2 * step + 1]]
        for name in ("query", "passage"):
            assert one.read(features, name) == two.read(parts[0], name) + two.read(parts[1], name)
        assert torch.equal(features["keys"], torch.cat([part["keys"] for part in parts]))
        assert [part["pairs"] for part in parts] == [8, 8]


def test_an_entry_does_not_depend_on_those_read_before() -> None:
    ahead, one = make_steps(sample_pairs(), batch_size=8)
    again, two = make_steps(sample_pairs(), batch_size=8)
    for step in range(4):
        ahead[step]
    assert one.read(ahead[4], "query") == two.read(again[4], "query")


LANGUAGES = ["ar", "en", "ti-ER"]
ITEM = st.fixed_dictionaries(
    {
        "languages": st.sets(st.sampled_from(LANGUAGES), min_size=1),
        "group": st.integers(0, 9),
        "passage": st.integers(0, 30),  # texts that sources share
        "negatives": st.lists(st.integers(0, 30), max_size=2),
    }
)
WHOLE = {"languages": {"ar", "en"}, "group": 0, "passage": 0, "negatives": []}
SOURCE = st.tuples(st.booleans(), st.lists(ITEM, max_size=9)).map(
    lambda found: (found[0], [WHOLE, {**WHOLE, "group": 10}, *found[1]])
)


def rows_of(grouped: bool, items: list[dict[str, Any]], mark: str = "") -> list[dict[str, object]]:
    """Return a source's rows, with ids that begin with a mark; not grouped: without passage ids."""
    return [
        {
            "item_id": f"{mark}{k}",
            "passage_id": f"{mark}{item['group']}" if grouped else None,
            "language": language,
            "query": f"{language} query {k}",
            "passage": f"{language} {item['passage']}",
            "negatives": [f"{language} {n}" for n in item["negatives"]] or None,
        }
        for k, item in enumerate(items)
        for language in sorted(item["languages"])
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(SOURCE, min_size=1, max_size=3),
    st.sampled_from([LANGUAGES, ["ar", "en"], ["en"]]),
    st.sampled_from(["hybrid", "mixed", "monolingual"]),
    st.data(),
)
def test_joined_sources_are_drawn_and_masked_as_one_file_of_their_lines(
    found: list[tuple[bool, list[dict[str, Any]]]], chosen: list[str], strategy: str, data: st.DataObject
) -> None:
    own = [pairs_from_rows(rows_of(*source), f"s{k}").select(chosen) for k, source in enumerate(found)]
    lines = [line for k, source in enumerate(found) for line in rows_of(*source, f"{k}:")]
    whole, joined = pairs_from_rows(lines, "one").select(chosen), join_pairs(own)
    assert joined.languages == whole.languages
    strategy = "mixed" if chosen == ["en"] and strategy == "hybrid" else strategy
    size = data.draw(st.integers(2, 2 * len(found)))  # more than the smallest source may have
    expected, _ = make_steps(whole, strategy=strategy, batch_size=size)
    steps, reader = make_steps(joined, strategy=strategy, batch_size=size)
    one, other = (pairs.index.documents_of(np.arange(len(pairs))) for pairs in (whole, joined))
    assert np.array_equal(np.equal.outer(one, one), np.equal.outer(other, other))
    for step in range(3):
        batch, drawn = steps.sampler.draw(step), expected.sampler.draw(step)
        for name in ("items", "query_languages", "passage_languages"):
            assert np.array_equal(getattr(batch, name), getattr(drawn, name))
        assert len(set(joined.index.groups_of(batch.items).tolist())) == size  # no passage twice
        features, others = steps[step], expected[step]
        assert shared_keys(features) == shared_keys(others)
        assert ("negative_keys" in features) == ("negative_keys" in others)
        if "negative_keys" in features:
            assert shared_keys(features, "negative_keys") == shared_keys(others, "negative_keys")
        rows = whole.rows(drawn.items, drawn.passage_languages)
        assert reader.read(features, "passage") == ["P " + text for text in whole.texts("passage", rows)]


def shared_keys(features: Features, candidates: str = "keys") -> list[list[bool]]:
    """Say which pairs (rows) share a key with which candidates (columns)."""
    a, b = features["keys"], features[candidates]
    found: list[list[bool]] = (a[:, None] == b[None]).any(-1).tolist()
    return found


def test_pairs_share_a_key_if_their_passages_read_the_same(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, passage={0: "the same answer", 2: "the same answer"})
    steps, _ = make_steps(pairs, strategy="monolingual", batch_size=4)
    items = steps.sampler.draw(0).items.tolist()
    expected = [[a == b or {a, b} == {0, 2} for b in items] for a in items]
    features = steps[0]
    assert shared_keys(features) == expected
    assert len(set(features["passage_rows"].tolist())) == 3  # the shared text is tokenised once


def test_items_of_one_passage_group_share_a_key(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, passage_id={1: "window", 3: "window"})
    steps, _ = make_steps(pairs, strategy="monolingual", batch_size=2)
    english = np.zeros(4, np.int64)
    both = Batch(0, "monolingual", np.arange(4), english, english)
    expected = [[a == b or {a, b} == {1, 3} for b in range(4)] for a in range(4)]
    assert shared_keys(steps.features(both)) == expected


def test_negatives_come_from_the_passages_language_masked_for_their_own_items(
    tmp_path: Path,
) -> None:
    lines = [
        {"item_id": item, "language": code, "query": f"{code} {item}?", "passage": f"{code} {item}."}
        for item in ("a", "b")
        for code in ("en", "de")
    ]
    lines[0]["negatives"] = ["en b.", "en x."]  # type: ignore[assignment]
    lines[1]["negatives"] = ["de x."]  # type: ignore[assignment]
    steps, reader = make_steps(
        write_lines(tmp_path / "n.jsonl", lines), strategy="crosslingual", batch_size=2
    )
    seen = set()
    for step in range(6):
        features, passages = steps[step], reader.read(steps[step], "passage")
        if "P en a." in passages:
            assert reader.read(features, "negative") == ["P en b.", "P en x."]
            masked = [[passage in ("P en b.", "P de b."), False] for passage in passages]
        else:
            assert reader.read(features, "negative") == ["P de x."]
            masked = [[False], [False]]
        assert shared_keys(features, "negative_keys") == masked
        seen.add(tuple(passages))
    assert len(seen) > 1


def test_a_negative_is_masked_for_the_translations_and_the_group_of_its_item(tmp_path: Path) -> None:
    pairs = small_pairs(
        tmp_path,
        passage_id={1: "window", 3: "window"},
        negatives={0: ["en answer 1", "nobody's", "de answer 2"]},
    )
    steps, _ = make_steps(pairs, strategy="monolingual", batch_size=2)
    german = np.zeros(4, np.int64)  # languages are sorted: de, en
    features = steps.features(Batch(0, "monolingual", np.arange(4), german, german))
    # item 0, then 1 (whose passage is the first negative), 2 (the third) and 3 (of item 1's window)
    assert shared_keys(features, "negative_keys") == [
        [False, False, False],
        [True, False, False],
        [False, False, True],
        [True, False, False],
    ]


def test_the_negatives_of_selected_items_know_their_new_numbers(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, negatives={3: ["en answer 2", "en answer 0", "en answer 3"]})
    found = negative_items(pairs.select(items=[2, 3], languages=["en"]))
    english = 6  # the table's row of item 3 in English; German follows
    assert found.of_rows(np.array([english])).tolist() == [0, NOBODY, 1]


def test_a_batch_without_negatives_has_none(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, negatives={0: ["only here"]})
    steps, _ = make_steps(pairs, strategy="english", batch_size=2)
    found = {
        (0 in steps.sampler.draw(step).items): any(name.startswith("negative") for name in steps[step])
        for step in range(6)
    }
    assert found == {True: True, False: False}


def test_equal_texts_of_queries_passages_and_negatives_are_read_once(tmp_path: Path) -> None:
    pairs = small_pairs(
        tmp_path, query={0: "x", 1: "y"}, passage={1: "x", 2: "z", 3: "z"}, negatives={0: ["y", "z", "x"]}
    )
    steps, _ = make_steps(pairs, strategy="english", batch_size=4)
    reader = Reader("", "")
    steps = replace(steps, model=cast(SentenceTransformer, reader))
    features = steps[0]
    assert sorted(reader.texts) == ["en answer 0", "en question 2", "en question 3", "x", "y", "z"]
    order = steps.sampler.draw(0).items.tolist()
    queries, passages = ["x", "y", "en question 2", "en question 3"], ["en answer 0", "x", "z", "z"]
    assert reader.read(features, "query") == [queries[k] for k in order]
    assert reader.read(features, "passage") == [passages[k] for k in order]
    assert reader.read(features, "negative") == ["y", "z", "x"]


@pytest.mark.parametrize(("strategy", "monolingual"), [("english", 1), ("mixed", 0), ("crosslingual", 0)])
def test_a_step_counts_its_pairs_its_tokens_and_its_kind(
    tmp_path: Path, strategy: str, monolingual: int
) -> None:
    short = {
        "query": dict.fromkeys(range(4), "12345"),
        "passage": {0: "1", 1: "123", 2: "123", 3: "12345678"},
    }
    steps, _ = make_steps(small_pairs(tmp_path, **short), strategy=strategy, batch_size=4)  # type: ignore[arg-type]
    counted = {name: steps[0][name] for name in ("pairs", "tokens", "monolingual")}
    # the model has no tokens, so characters: "Q 12345", "P 1", "P 123", "P 12345678"
    assert counted == {"pairs": 4, "tokens": 7 + 3 + 5 + 10, "monolingual": monolingual}


def gappy(tmp_path: Path) -> ParallelPairs:
    """Items a, b and c in German and Turkish; a also in English."""
    lines = [
        {"item_id": item, "language": code, "query": f"{code} {item}?", "passage": f"{code} {item}."}
        for item, languages in (("a", "de en tr"), ("b", "de tr"), ("c", "de tr"))
        for code in languages.split()
    ]
    return write_lines(tmp_path / "gappy.jsonl", lines)


def taught(tmp_path: Path, pivot: str | None) -> list[tuple[str, str, str, str]]:
    """Return for each pair what the model reads and what the teacher reads."""
    teacher = Reader("ask ", "say ")
    steps, reader = make_steps(
        gappy(tmp_path), teacher=teacher, pivot=pivot, strategy="crosslingual", batch_size=3
    )
    found = []
    for step in range(6):
        features = steps[step]
        columns = [reader.read(features, name) for name in ("query", "passage")]
        columns += [
            teacher.read(features, f"teacher_{name}", "teacher_micro_batches")
            for name in ("query", "passage")
        ]
        found += list(zip(*columns, strict=True))
    return found


@pytest.mark.parametrize("pivot", ["en", "tr", None, "sw"])
def test_a_teacher_reads_the_pivot_language_and_where_there_is_none_the_querys(
    tmp_path: Path, pivot: str | None
) -> None:
    found = taught(tmp_path, pivot)
    assert len({query for query, *_ in found}) == 7  # every query of the source
    for query, passage, asked, said in found:
        _, language, item = query.rstrip("?").split()
        assert passage.split()[1] != language
        has = "de en tr" if item == "a" else "de tr"
        read = pivot if pivot is not None and pivot in has else language
        assert (asked, said) == (f"ask {read} {item}?", f"say {read} {item}.")


def test_without_a_teacher_nothing_is_read_for_one(tmp_path: Path) -> None:
    steps, _ = make_steps(small_pairs(tmp_path), batch_size=4)
    assert not any("teacher" in name for name in steps[0])


def pair(item: str, language: str, query: str, passage: str, *negatives: str) -> dict[str, Any]:
    row = {"item_id": item, "language": language, "query": query, "passage": passage}
    return {**row, "negatives": list(negatives) or None}


BAKERY = "When is the bakery open?"
LINKED = {
    "an equal query": [
        *(pair("a", "en", BAKERY, "From seven."), pair("a", "de", "Wann ist offen?", "Ab sieben.")),
        *(pair("b", "en", BAKERY, "Not on Mondays."), pair("b", "de", "Wann hat er auf?", "Montags nicht.")),
    ],
    "an equal passage in another form": [
        *(pair("a", "en", "Where?", "Caf\u00e9"), pair("a", "de", "Wo?", "Im Caf\u00e9.")),
        *(pair("b", "en", "And where?", "Cafe\u0301 "), pair("b", "de", "Und wo?", "In einem Caf\u00e9.")),
    ],
    "an equal query with a soft hyphen": [
        *(pair("a", "de", "Wo ist die Bä\u00adckerei?", "Links."), pair("a", "en", "Where?", "Left.")),
        *(pair("b", "de", "Wo ist die Bäckerei?", "Rechts."), pair("b", "en", "Where to?", "Right.")),
    ],
}


@pytest.mark.parametrize("rows", LINKED.values(), ids=LINKED)
def test_items_that_share_a_text_are_not_each_others_negatives(
    tiny_encoder: SentenceTransformer, rows: list[dict[str, Any]]
) -> None:
    apart = [pair("c", "en", "Who?", "Two sisters."), pair("c", "de", "Wer?", "Zwei.")]
    pairs = pairs_from_rows([*rows, *apart], "mine")
    german, english = (np.full(3, k) for k in (0, 1))
    for query, passage in ((german, english), (english, german), (german, german)):
        drawn = Batch(0, "crosslingual", np.arange(3), query, passage)
        steps = Steps(cast(Sampler, None), [pairs], tiny_encoder, steps=1)
        first, second, third = steps.features(drawn)["keys"].flatten().tolist()
        assert first == second != third


def test_a_translation_of_a_passage_is_linked_with_it_as_a_hard_negative(
    tiny_encoder: SentenceTransformer,
) -> None:
    # x and y have one English passage without a passage_id; it is a hard negative of z
    rows = [
        *(pair("x", "en", "Why?", "It rains."), pair("x", "de", "Warum?", "Es regnet.")),
        *(pair("y", "en", "What now?", "It rains."), pair("y", "de", "Was nun?", "Regen.")),
        *(pair("z", "en", "Who?", "A cat.", "It rains."), pair("z", "de", "Wer?", "Eine Katze.")),
    ]
    pairs = pairs_from_rows(rows, "mine")
    item = {name: k for k, name in enumerate("xyz")}
    for other in "xy":
        chosen = np.array([item[other], item["z"]])
        drawn = Batch(0, "crosslingual", chosen, np.array([0, 0]), np.array([0, 1]))  # the other in German
        features = Steps(cast(Sampler, None), [pairs], tiny_encoder, steps=1).features(drawn)
        (negative,) = features["negative_keys"].flatten().tolist()
        assert features["keys"].flatten().tolist()[0] == negative != features["keys"].flatten().tolist()[1]


@pytest.mark.parametrize("ranks", [2, 4])
def test_processes_agree_on_what_is_linked(tiny_encoder: SentenceTransformer, ranks: int) -> None:
    pairs = sample_pairs()
    sampler = make_sampler([pairs], strategy="hybrid", batch_size=8)
    whole = Steps(sampler, [pairs], tiny_encoder, steps=1)[0]["keys"]
    parts = [Steps(sampler, [pairs], tiny_encoder, steps=1, ranks=ranks)[k]["keys"] for k in range(ranks)]
    assert torch.equal(torch.cat(parts), whole)
