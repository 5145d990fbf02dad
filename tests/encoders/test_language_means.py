"""Each language's mean taken away: by hand in two dimensions, and in a file."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, ParallelPairs, sample_pairs
from panglot.data import pairs_from_rows
from panglot.encoders import (
    LanguageMeans,
    RoleMeans,
    centre,
    centring_notes,
    check_means,
    count_texts,
    holds_language_means,
    load_encoder,
    load_language_means,
    means_of_pairs,
    means_of_texts,
    model_sha256,
    save_language_means,
)
from panglot.encoders.language_means import subtrahends

Floats = npt.NDArray[np.float32]


def vectors(*rows: tuple[float, float]) -> Floats:
    return np.array(rows, np.float32)


# ten texts in sw, half (1, 0) and half (0.6, 0.8): mean (0.8, 0.4); five in yo, all (0, 1)
SW_AND_YO = vectors(*[(1, 0)] * 5, *[(0.6, 0.8)] * 5, *[(0, 1)] * 5)
CODES = ("yo", "sw")
LANGUAGES = np.array([1] * 10 + [0] * 5)


def test_means_are_plain_and_sorted_by_language() -> None:
    means = means_of_texts(SW_AND_YO, LANGUAGES, CODES)
    assert means.languages == ("sw", "yo")
    assert means.texts.tolist() == [10, 5]
    assert means.vectors == pytest.approx(vectors((0.8, 0.4), (0, 1)))


def test_a_language_without_texts_has_no_mean() -> None:
    means = means_of_texts(SW_AND_YO, LANGUAGES, (*CODES, "am"))
    assert means.languages == ("sw", "yo")
    assert means.counts(["am", "sw"]) == {"am": 0, "sw": 10}


def test_ten_texts_lose_their_mean_and_are_unit_vectors_again() -> None:
    means = means_of_texts(SW_AND_YO, LANGUAGES, CODES)
    found = centre(SW_AND_YO, LANGUAGES, CODES, means)
    # (1, 0) - (0.8, 0.4) = (0.2, -0.4), of length sqrt(0.2); (0.6, 0.8) - (0.8, 0.4) is its opposite
    assert found[0] == pytest.approx([1 / 5**0.5, -2 / 5**0.5])
    assert found[5] == pytest.approx([-1 / 5**0.5, 2 / 5**0.5])


def test_few_texts_are_filled_up_to_ten_with_the_mean_of_all_languages() -> None:
    means = means_of_texts(SW_AND_YO, LANGUAGES, CODES)
    # all: (10 (0.8, 0.4) + 5 (0, 1)) / 15 = (8/15, 9/15); yo: half (0, 1), half that
    expected = vectors((4 / 15, 12 / 15), (0.8, 0.4), (8 / 15, 9 / 15))
    assert subtrahends(means, ["yo", "sw", "am"]) == pytest.approx(expected)


def test_a_language_counts_with_ten_texts_at_most_in_the_mean_of_all() -> None:
    means = RoleMeans(("en", "yo"), vectors((1, 0), (0, 1)), np.array([990, 10]))
    assert subtrahends(means, ["am"]) == pytest.approx(vectors((0.5, 0.5)))


def test_a_language_without_mean_loses_the_mean_of_all_languages() -> None:
    means = RoleMeans(("en", "yo"), vectors((1, 0), (0, 1)), np.array([10, 10]))
    found = centre(vectors((0.5, 1.5)), np.array([0]), ["am"], means)
    assert found == pytest.approx(vectors((0, 1)))


def test_a_single_text_keeps_its_direction() -> None:
    one = vectors((0.6, 0.8))
    means = means_of_texts(one, np.array([0]), ["en"])
    # all: a tenth of it, nine tenths zero; its own language: 0.1 + 0.9 * 0.1 of it
    assert subtrahends(means, ["en"]) == pytest.approx(vectors((0.19 * 0.6, 0.19 * 0.8)))
    assert centre(one, np.array([0]), ["en"], means) == pytest.approx(one)


def test_what_equals_its_mean_becomes_zero() -> None:
    same = np.full((12, 3), 3**-0.5, np.float32)
    found = centre(same, np.zeros(12, int), ["en"], means_of_texts(same, np.zeros(12, int), ["en"]))
    assert (found == 0).all()


def test_the_embeddings_that_are_given_stay_as_they_are() -> None:
    before = SW_AND_YO.copy()
    centre(SW_AND_YO, LANGUAGES, CODES, means_of_texts(SW_AND_YO, LANGUAGES, CODES))
    assert (before == SW_AND_YO).all()


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(10, 30), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
    offset=st.floats(0, 3),
)
def test_means_of_their_own_texts_are_taken_to_zero(counts: list[int], seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    languages = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    codes = ["ar", "bn", "cs", "da"][: len(counts)]
    drawn = rng.normal(size=(len(languages), 5)) + offset * rng.normal(size=(len(counts), 5))[languages]
    embeddings = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    means = means_of_texts(embeddings, languages, codes)
    rest = embeddings - subtrahends(means, codes)[languages]
    for language in range(len(counts)):
        assert rest[languages == language].mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)
    found = centre(embeddings, languages, codes, means)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    assert found * lengths == pytest.approx(rest, abs=1e-5)


def test_notes_name_languages_with_few_texts_and_with_none() -> None:
    means = means_of_texts(SW_AND_YO, LANGUAGES, CODES)
    assert centring_notes(means, ["sw"], "queries") == []
    few, none = centring_notes(means, ["am", "sw", "yo"], "queries")
    assert few.startswith("the means of queries rest on fewer than 10 texts in yo (5);")
    assert none.startswith("there is no mean of queries in am;")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Prompts and texts that were encoded; each text is (1, 0), or (0, 1) where it begins with "up"."""
    seen: list[tuple[str, list[str]]] = []

    def encode(
        model: object, texts: list[str], prompt: str, *, progress: Callable[[int], None] | None
    ) -> Floats:
        seen.append((prompt, texts))
        if progress is not None:
            progress(len(texts))
        return vectors(*((0.0, 1.0) if text.startswith("up") else (1.0, 0.0) for text in texts))

    monkeypatch.setattr("panglot.encoders.language_means.encode", encode)
    return seen


def pairs(name: str, items: dict[str, int], up: int = 0) -> ParallelPairs:
    """So many items a language, items 0, 1, ...; the first ``up`` queries begin with "up"."""
    return pairs_from_rows(
        [
            {
                "item_id": f"{name}{k:03}",
                "language": language,
                "query": f"{'up' if k < up else 'q'} {name}{k:03}",
                "passage": f"p {name}{k:03}",
            }
            for language, count in items.items()
            for k in range(count)
        ],
        name,
    )


def test_pairs_give_means_of_queries_and_of_passages(
    encoded: list[tuple[str, list[str]]], tiny_encoder: SentenceTransformer
) -> None:
    finished: list[int] = []
    sources = [pairs("a", {"en": 3, "sw": 4}, up=1), pairs("b", {"en": 1}, up=1)]
    means = means_of_pairs(tiny_encoder, sources, progress=finished.append)
    assert [prompt for prompt, _ in encoded] == ["Query: ", "Passage: "]
    assert means.query.languages == means.passage.languages == ("en", "sw")
    assert means.query.texts.tolist() == means.passage.texts.tolist() == [4, 4]
    assert means.query.vectors == pytest.approx(vectors((0.5, 0.5), (0.75, 0.25)))
    assert means.passage.vectors == pytest.approx(vectors((1, 0), (1, 0)))
    assert means.model_sha256 == model_sha256(tiny_encoder)
    assert [source["name"] for source in means.sources] == ["a", "b"]
    assert sum(finished) == count_texts(sources) == 16


def test_texts_are_spread_evenly_over_all_items_of_all_sources(
    encoded: list[tuple[str, list[str]]], tiny_encoder: SentenceTransformer
) -> None:
    sources = [pairs("a", {"en": 100, "sw": 99}), pairs("b", {"en": 100})]
    means = means_of_pairs(tiny_encoder, sources, 20)
    assert means.query.texts.tolist() == [20, 20]
    assert count_texts(sources, 20) == 80
    for _, texts in encoded:
        english, swahili = texts[:20], texts[20:]
        assert len(set(english)) == len(set(swahili)) == 20
        # of 200 in a row, every stretch of 50 has about a quarter of the 20
        numbers = [int(text[-3:]) + 100 * (text[-4] == "b") for text in english]
        assert all(4 <= count <= 6 for count in np.bincount(np.array(numbers) // 50, minlength=4))
        of_swahili = [int(text[-3:]) for text in swahili]
        assert all(8 <= count <= 12 for count in np.bincount(np.array(of_swahili) // 50, minlength=2))


def test_languages_that_share_nearly_all_items_share_nearly_all_texts(
    encoded: list[tuple[str, list[str]]], tiny_encoder: SentenceTransformer
) -> None:
    means_of_pairs(tiny_encoder, [pairs("a", {"en": 400, "sw": 399})], 50)
    (_, texts), _ = encoded
    assert len(set(texts[:50]) & set(texts[50:])) >= 49


def test_the_same_texts_are_chosen_again(
    encoded: list[tuple[str, list[str]]], tiny_encoder: SentenceTransformer
) -> None:
    for _ in range(2):
        means_of_pairs(tiny_encoder, [pairs("a", {"en": 90, "sw": 30})], 7)
    assert encoded[:2] == encoded[2:]


@pytest.fixture
def means(tiny_encoder: SentenceTransformer) -> LanguageMeans:
    return means_of_pairs(tiny_encoder, [sample_pairs().select(languages=["en", "sw"])], 12)


def test_real_means_are_those_of_the_encodings(
    tiny_encoder: SentenceTransformer, means: LanguageMeans
) -> None:
    english = sample_pairs().select(languages=["en"])
    every = means_of_pairs(tiny_encoder, [english])
    texts = english.texts("query", english.rows(np.arange(48), np.zeros(48, int)))
    rows = tiny_encoder.encode(texts, prompt="Query: ", normalize_embeddings=True)
    assert every.query.vectors[0] == pytest.approx(rows.mean(axis=0), abs=1e-5)
    assert means.query.texts.tolist() == [12, 12]


def same(a: RoleMeans, b: RoleMeans) -> bool:
    return (
        a.languages == b.languages
        and a.texts.tolist() == b.texts.tolist()
        and a.vectors.dtype == b.vectors.dtype == np.float32
        and bool((a.vectors == b.vectors).all())
    )


@pytest.mark.parametrize("place", ["model", "elsewhere/kept.safetensors"])
def test_means_come_back_as_they_were_saved(means: LanguageMeans, tmp_path: Path, place: str) -> None:
    path = save_language_means(tmp_path / place, means)
    assert path.name == ("language_means.safetensors" if place == "model" else "kept.safetensors")
    assert holds_language_means(tmp_path / place)
    found = load_language_means(tmp_path / place)
    assert same(found.query, means.query)
    assert same(found.passage, means.passage)
    assert (found.model_sha256, found.prompts) == (means.model_sha256, means.prompts)
    assert found.sources == means.sources
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_means_stay_valid_for_the_saved_model(
    tiny_encoder: SentenceTransformer, means: LanguageMeans, tmp_path: Path
) -> None:
    tiny_encoder.save_pretrained(str(tmp_path))
    save_language_means(tmp_path, means)
    check_means(load_language_means(tmp_path), load_encoder(str(tmp_path)))


def test_means_of_another_model_or_way_of_encoding_are_refused(
    tiny_encoder: SentenceTransformer, means: LanguageMeans
) -> None:
    check_means(means, tiny_encoder)
    with pytest.raises(PanglotError, match=r"other weights \(sha256 0{16}"):
        check_means(replace(means, model_sha256="0" * 64), tiny_encoder)
    tiny_encoder.truncate_dim = 8
    with pytest.raises(PanglotError, match=r"32 dimensions, .* cut to 8"):
        check_means(means, tiny_encoder)
    tiny_encoder.prompts = {"query": "", "document": "Passage: "}
    with pytest.raises(PanglotError, match="prompts"):
        check_means(means, tiny_encoder)
    next(tiny_encoder.parameters()).data += 1
    with pytest.raises(PanglotError, match="other weights"):
        check_means(means, tiny_encoder)


def test_a_folder_without_means_is_told(tmp_path: Path) -> None:
    assert not holds_language_means(tmp_path)
    with pytest.raises(PanglotError, match=r"language_means\.safetensors: there are no language means"):
        load_language_means(tmp_path)


def about(**changes: object) -> dict[str, str]:
    role = {"languages": ["en", "sw"], "texts": [3, 4]}
    good = {"format": 1, "model_sha256": "0", "prompts": {}, "sources": [], "query": role, "passage": role}
    return {"panglot": json.dumps({**good, **changes})}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        *({"panglot": content} for content in ("{", "[]")),
        *(about(format=2), about(query=3), about(query={"languages": ["en"], "texts": [3]})),
        about(query={"languages": ["en", "sw"], "texts": [3, 0]}),
    ],
)
def test_another_kind_of_file_is_told(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({role: np.eye(2, dtype=np.float32) for role in ("query", "passage")}, path, metadata=metadata)
    with pytest.raises(PanglotError, match=r"odd\.safetensors"):
        load_language_means(path)


def test_a_well_made_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.safetensors"
    save_file({role: np.eye(2, dtype=np.float32) for role in ("query", "passage")}, path, metadata=about())
    assert load_language_means(path).query.counts(["sw"]) == {"sw": 4}


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "language_means.safetensors"
    path.write_bytes(b"half a file")
    with pytest.raises(PanglotError, match="is not a file of language means that can be read"):
        load_language_means(tmp_path)
    nans = {"query": np.full((2, 2), np.nan, np.float32), "passage": np.eye(2, dtype=np.float32)}
    save_file(nans, path, metadata=about())
    with pytest.raises(PanglotError, match="not finite"):
        load_language_means(tmp_path)
