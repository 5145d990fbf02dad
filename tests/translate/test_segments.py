"""Cutting texts into segments and joining them again."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.translate.segments import Segment, cut, has_words, join

SENTENCES = {
    "Owls fly. They hunt!  Where? Here.": ["Owls fly.", "They hunt!", "Where?", "Here."],
    "Dr. Ito met J. Smith. He left.": ["Dr. Ito met J. Smith.", "He left."],
    "It weighs 3.5 kg, i.e. little.": ["It weighs 3.5 kg, i.e. little."],
    "He said “No.” She left.": ["He said “No.”", "She left."],
    "One\ntwo\n\nThree.": ["One", "two", "Three."],
    "猫头鹰会飞。它在夜里捕猎！在哪里？": ["猫头鹰会飞。", "它在夜里捕猎！", "在哪里？"],
    "「夜だ。」と言った。": ["「夜だ。」", "と言った。"],
    "उल्लू उड़ते हैं। वे रात में शिकार करते हैं।": ["उल्लू उड़ते हैं।", "वे रात में शिकार करते हैं।"],
    "أين البومة؟ هي هنا.": ["أين البومة؟", "هي هنا."],
    "  spaces around  ": ["spaces around"],
    "": [],
}


def anything(texts: Sequence[str]) -> list[bool]:
    return [True for _ in texts]


@pytest.mark.parametrize("text", SENTENCES)
def test_a_text_is_cut_into_sentences(text: str) -> None:
    assert [segment.text for segment in cut(text, anything)] == SENTENCES[text]


def test_a_long_sentence_is_cut_at_a_mark_then_at_a_space_then_anywhere() -> None:
    def to(limit: int, text: str) -> list[str]:
        return [s.text for s in cut(text, lambda texts: [len(text) <= limit for text in texts])]

    assert to(20, "when it is dark, they hunt mice") == ["when it is dark,", "they hunt mice"]
    assert to(12, "they hunt mice at night") == ["they hunt", "mice", "at night"]
    assert to(4, "abcdefgh") == ["abcd", "efgh"]
    assert to(2, "नमस्ते") == ["नम", "स्", "ते"]  # a mark stays with its letter


def test_translations_are_joined_as_the_script_does() -> None:
    segments = [Segment("A.", " "), Segment("B.", "\n\n"), Segment("C.", "")]
    assert join(segments, ["Eins.", " Zwei. ", "Drei."], "Latn") == "Eins. Zwei.\n\nDrei."
    assert join(segments, ["一。", "二。", "三。"], "Hans") == "一。二。\n\n三。"
    chinese = cut("一。二。", anything)
    assert join(chinese, ["One.", "Two."], "Latn") == "One. Two."
    assert join([], [], "Latn") == ""


def test_numbers_and_marks_are_no_words() -> None:
    assert [has_words(text) for text in ("12 %", "—", "٣", "x", "猫", "")] == [False] * 3 + [
        True,
        True,
        False,
    ]


@given(st.text(alphabet='aB .!?。！，,\n"”(1नम्', max_size=80), st.integers(1, 30))
def test_nothing_is_lost_and_everything_fits(text: str, limit: int) -> None:
    segments = cut(text, lambda texts: [len(text) <= limit for text in texts])
    assert "".join(s.text + s.gap for s in segments).split() == text.split()
    assert "".join(s.text + s.gap for s in segments) == text.strip()
    assert all(segment.text and segment.text == segment.text.strip() for segment in segments)
