"""What cannot be trimmed, and what is left behind: nothing."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, load_encoder, sample_pairs
from panglot.encoders.trimming import model as trim_model
from panglot.encoders.trimming.choice import lines_of
from panglot.encoders.trimming.trim import trim_encoder

Choice = dict[str, Any]


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({}, "nothing says which pieces to keep; give --pairs, --languages or both."),
        ({"languages": ["en", "xx-yy-zz"]}, "'xx-yy-zz' is not a language code"),
        ({"languages": ["klingonish"]}, "'klingonish' is not a language code; use BCP-47 codes"),
        ({"languages": ["en"], "min_count": 0}, "the least count is 0; use 1"),
        ({"pairs": True, "languages": ["en", "fi"]}, "no source has a pair in 'fi'; leave it out"),
        (
            {"languages": ["en", "hy"]},
            r"no piece in the script of 'hy' \(Armn\), so it cannot read that language",
        ),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    tiny_encoder: SentenceTransformer, tmp_path: Path, choice: Choice, sentence: str
) -> None:
    pairs = [sample_pairs()] if choice.pop("pairs", False) else []
    with pytest.raises(PanglotError, match=sentence):
        trim_encoder(tiny_encoder, tmp_path / "small", pairs=pairs, **choice)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(PanglotError, match=f"{tmp_path}: is not empty"):
        trim_encoder(tiny_encoder, tmp_path, languages=["en"])
    with pytest.raises(PanglotError, match=r"mine.txt: is a file"):
        trim_encoder(tiny_encoder, tmp_path / "mine.txt", languages=["en"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    trim_encoder(tiny_encoder, tmp_path / "deep" / "small", languages=["en"])
    (tmp_path / "empty").mkdir()
    trim_encoder(tiny_encoder, tmp_path / "empty", languages=["en"])
    for place in ("deep/small", "empty"):
        assert load_encoder(str(tmp_path / place), device="cpu").tokenizer.get_vocab()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty"]


def test_a_model_without_a_transformer_is_refused(
    static_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    with pytest.raises(
        PanglotError, match=r"reads text with Tokenizer cannot be trimmed\. Use a transformer"
    ):
        trim_encoder(static_encoder, tmp_path / "small", languages=["en"])


def test_a_model_that_comes_out_wrong_is_not_written(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = trim_model._cut_table

    def cut_wrong(undo: ExitStack, module: torch.nn.Module, table: Any, order: list[int]) -> None:
        cut(undo, module, table, [*order[5:], *order[:5]])

    monkeypatch.setattr(trim_model, "_cut_table", cut_wrong)
    with pytest.raises(PanglotError, match="this model cannot be trimmed: a text read as the same pieces"):
        trim_encoder(tiny_encoder, tmp_path / "small", languages=["en"])
    assert list(tmp_path.iterdir()) == []


def test_extra_texts_are_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("one hen\n\n  \nzwei Hühner\n", encoding="utf-8")
    assert lines_of(path) == ["one hen", "zwei Hühner"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PanglotError, match="is not UTF-8"):
        lines_of(path)
    with pytest.raises(PanglotError, match="no such file"):
        lines_of(tmp_path / "none.txt")
