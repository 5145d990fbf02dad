"""Tokenizers and SentencePiece models cut to some pieces: vocabularies small enough to work by hand."""

import json
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.pre_tokenizers import ByteLevel, Whitespace
from tokenizers.processors import BertProcessing, Sequence, TemplateProcessing

from panglot.encoders.vocabulary import (
    basic_ids,
    cut_tokenizer,
    number_anew,
    pieces_of,
    special_ids,
    stuck_pieces,
    unknown_id,
    with_parts,
)

State = dict[str, Any]


def state_of(tokenizer: Tokenizer) -> State:
    return dict(json.loads(tokenizer.to_str()))


def cut(state: State, keep: set[int]) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(cut_tokenizer(state, number_anew(state, keep, ()))))


def test_unigram_keeps_the_score_of_unknown_characters() -> None:
    pieces = [("<unk>", 0.0), ("ab", -9.0), ("cd", -9.0), ("e", -9.0), ("bcde", -1.0), ("zz", -30.0)]
    whole = Tokenizer(Unigram(pieces, unk_id=0))
    state = state_of(whole)
    # an unknown 'a' costs 10 more than the lowest score: -40 with bcde's -1, so ab cd e (-27) wins
    assert whole.encode("abcde").tokens == ["ab", "cd", "e"]
    keep = {0, 1, 2, 3, 4}
    assert basic_ids(state) == {5}
    assert cut(state, keep | basic_ids(state)).encode("abcde").tokens == ["ab", "cd", "e"]
    # without zz it would cost -19, and -20 with bcde
    assert cut(state, keep).encode("abcde").tokens != ["ab", "cd", "e"]


def test_wordpiece_keeps_the_pieces_at_which_a_word_gets_stuck() -> None:
    pieces = {"[UNK]": 0, "ab": 1, "a": 2, "##bc": 3, "##x": 4}
    whole = Tokenizer(WordPiece(pieces, unk_token="[UNK]"))
    whole.pre_tokenizer = Whitespace()
    state = state_of(whole)
    assert whole.encode("abc abx").tokens == ["[UNK]", "ab", "##x"]  # ab, and then no ##c
    assert stuck_pieces(state, whole, "abc abx") == [1]
    assert stuck_pieces(state, whole, "a" * 101) == []  # unknown for its length alone
    assert cut(state, {0, 1, 2, 3}).encode("abc").tokens == ["[UNK]"]
    assert cut(state, {0, 2, 3}).encode("abc").tokens == ["a", "##bc"]


def test_bpe_keeps_what_it_merges_on_the_way() -> None:
    letters = ["a", "b", "c", "d", "ab", "cd", "abcd", "bc", "abc"]
    merges = [("a", "b"), ("c", "d"), ("b", "c"), ("ab", "cd"), ("ab", "c")]
    whole = Tokenizer(BPE({piece: k for k, piece in enumerate(letters)}, merges))
    state = state_of(whole)
    kept = with_parts(state, {6})
    assert kept == {0, 1, 2, 3, 4, 5, 6}  # neither bc nor abc
    smaller = cut(state, kept)
    assert state_of(smaller)["model"]["merges"] == [["a", "b"], ["c", "d"], ["ab", "cd"]]
    assert whole.encode("abcd").tokens == smaller.encode("abcd").tokens == ["abcd"]
    assert whole.encode("abc").tokens == ["abc"]
    assert smaller.encode("abc").tokens == ["ab", "c"]


def test_bpe_with_marks_inside_and_at_the_end_of_words() -> None:
    pieces = ["a", "##b", "##b</w>", "a</w>", "ab", "abb</w>", "##bb</w>"]
    merges = [("a", "##b"), ("##b", "##b</w>"), ("ab", "##b</w>")]
    marks = {"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"}
    whole = Tokenizer(BPE({piece: k for k, piece in enumerate(pieces)}, merges, **marks))
    state = state_of(whole)
    assert whole.encode("abb").tokens == ["abb</w>"]
    assert with_parts(state, {5}) == {0, 1, 2, 4, 5}
    assert cut(state, with_parts(state, {5})).encode("abb").tokens == ["abb</w>"]
    assert with_parts(state, {6}) == {1, 2, 6}


def test_other_tokenizers_need_no_parts() -> None:
    state = state_of(Tokenizer(WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "ab": 3}, unk_token="[UNK]")))
    assert with_parts(state, {3}) == {3}


def test_bytes_stay() -> None:
    levels = sorted(ByteLevel.alphabet())
    level = Tokenizer(BPE({**{letter: k for k, letter in enumerate(levels)}, "ab": 256}, [("a", "b")]))
    level.pre_tokenizer = ByteLevel()
    assert basic_ids(state_of(level)) == set(range(256))
    fallen = ["a", "b", *(f"<0x{byte:02X}>" for byte in range(256)), "ab"]
    number = {piece: k for k, piece in enumerate(fallen)}
    fallback = Tokenizer(BPE(number, [("a", "b")], byte_fallback=True, unk_token="a"))
    assert basic_ids(state_of(fallback)) == set(range(2, 258))


@pytest.mark.parametrize(
    ("keep", "fixed", "order"),
    [
        ({0, 1, 5, 9}, {1, 9}, [0, 1, 5, 9]),  # 9 cannot stay: there are only 4
        ({2, 5, 1, 7}, {1}, [2, 1, 5, 7]),  # without it, 1 would be 0
        ({0, 3, 4, 6, 8}, {3, 4}, [0, 6, 8, 3, 4]),
        ({0, 2, 10, 11}, {11}, [0, 2, 10, 11]),  # 10 and 11 are added behind the model's ten pieces
    ],
)
def test_special_ids_stay_where_that_leaves_no_gap(keep: set[int], fixed: set[int], order: list[int]) -> None:
    tokenizer = Tokenizer(BPE({letter: k for k, letter in enumerate("abcdefghij")}, []))
    tokenizer.add_tokens(["<x>", "<y>"])
    assert number_anew(state_of(tokenizer), keep, fixed) == order


def test_special_tokens_are_numbered_anew_wherever_they_stand() -> None:
    pieces = {"x": 0, "[UNK]": 1, "y": 2, "[PAD]": 3, "[CLS]": 4, "[SEP]": 5}
    tokenizer = Tokenizer(WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = Sequence(
        [
            BertProcessing(("[SEP]", 5), ("[CLS]", 4)),
            TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 4)]),
        ]
    )
    tokenizer.enable_padding(pad_id=3, pad_token="[PAD]", length=7)
    tokenizer.add_tokens(["<new>"])
    state = state_of(tokenizer)
    assert unknown_id(state) == 1
    assert special_ids(state) == {1, 3, 4, 5, 6}
    smaller = cut(state, {1, 2, 3, 4, 5, 6})
    assert smaller.get_vocab() == {"[UNK]": 0, "y": 1, "[PAD]": 2, "[CLS]": 3, "[SEP]": 4, "<new>": 5}
    before, after = tokenizer.encode("y <new> z"), smaller.encode("y <new> z")
    assert after.tokens == before.tokens == ["[CLS]", "[CLS]", "y", "<new>", "[UNK]", "[SEP]", "[PAD]"]
    assert after.ids == [3, 3, 1, 5, 0, 4, 2]


def test_a_vocabulary_is_the_model_s_and_what_was_added() -> None:
    tokenizer = Tokenizer(Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0))
    tokenizer.add_tokens(["<new>", "a"])
    assert pieces_of(state_of(tokenizer)) == {"<unk>": 0, "a": 1, "<new>": 2}
