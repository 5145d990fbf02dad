from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from panglot import PanglotError
from panglot.search.documents import Document, detect_languages, passages_of
from panglot.search.documents.document import Section
from panglot.search.documents.split import length_limit, passage_id, split_text, token_counter


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def test_whole_sentences_as_many_as_fit() -> None:
    text = "One two three. Four five. Six seven eight nine. Ten."
    assert split_text(text, words, 5) == ["One two three. Four five.", "Six seven eight nine. Ten."]
    assert split_text(text, words, 10) == [text]
    assert split_text("第一句。第二句。第三句。", characters, 8) == ["第一句。第二句。", "第三句。"]


def test_a_sentence_that_does_not_fit_is_cut_at_a_space() -> None:
    pieces = split_text("a b c d e f g h", words, 3)
    assert " ".join(pieces) == "a b c d e f g h"
    assert max(words(pieces)) <= 3


@given(st.text(max_size=300), st.integers(2, 40))
def test_nothing_but_white_space_is_lost_and_every_piece_fits(text: str, length: int) -> None:
    if not text.strip():
        return
    pieces = split_text(text, characters, length)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= length for piece in pieces)


@pytest.mark.parametrize("sign", [" ", ")", ".", "\t", "。」", '."', ","])
def test_a_long_run_of_signs_is_cut_like_any_text(sign: str) -> None:
    """Time that grew with the square of the length would end the test by its time limit."""
    text = f"a{sign * 100_000}b"
    pieces = split_text(text, lambda texts: [len(part) // 8 + 1 for part in texts], 64)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_passages_have_ids_titles_and_the_documents_language() -> None:
    sections = (Section("", "One two."), Section("Springs", "Three four. Five six."), Section("End", "  "))
    document = Document("d", sections, "Rivers", "en", "f.md", {"path": "f.md"})
    found = passages_of(document, words, 6)
    assert [(p.id, p.title, p.text) for p in found] == [
        ("d", "Rivers", "One two."),
        ("d#2", "Rivers › Springs", "Three four."),
        ("d#3", "Rivers › Springs", "Five six."),
    ]
    assert {(p.document, p.language, p.source) for p in found} == {("d", "en", "f.md")}
    assert found[0].encoded == "Rivers One two."


def test_a_long_title_leaves_half_of_a_passage_to_the_text() -> None:
    title, text = " ".join(f"t{k}" for k in range(30)), " ".join(f"w{k}" for k in range(30))
    found = passages_of(Document("d", (Section("Head", text),), title, "en"), words, 20)
    (kept,) = {p.title for p in found}
    assert title.startswith(kept) and 8 <= words([kept])[0] <= 10
    assert all(words([p.encoded])[0] <= 20 for p in found)
    assert " ".join(p.text for p in found) == text


def cut(*sections: tuple[str, str], length: int = 40) -> list[tuple[str, str]]:
    document = Document("d", tuple(Section(*section) for section in sections), "T", "en")
    return [(passage.title, passage.text) for passage in passages_of(document, words, length)]


def test_a_section_of_a_few_words_goes_to_its_neighbour() -> None:
    long = " ".join(f"w{k}" for k in range(20))
    assert cut(("", long), ("See also", "Soil")) == [("T", f"{long}\n\nSee also\nSoil")]
    assert cut(("Lead", "Few words"), ("Body", long)) == [("T › Body", f"Lead\nFew words\n\n{long}")]
    assert cut(("A", "one"), ("B", "two"), ("C", "three")) == [("T › B", "A\none\n\ntwo\n\nC\nthree")]
    assert cut(("", long), ("End", long)) == [("T", long), ("T › End", long)]


def test_a_section_of_a_few_words_stays_where_it_does_not_fit() -> None:
    long = " ".join(f"w{k}" for k in range(39))
    assert cut(("", long), ("Also", "Soil")) == [("T", long), ("T › Also", "Soil")]
    assert cut(("Also", "Soil")) == [("T › Also", "Soil")]


@given(st.lists(st.sampled_from(["rules", "rules#1", "rules#2", "rules#2#1", "#2", "a#0", "a"]), unique=True))
def test_passages_of_different_documents_never_have_one_id(names: list[str]) -> None:
    ids = [passage_id(name, number) for name in names for number in range(1, 5)]
    assert len(set(ids)) == len(ids)


@given(st.text("a#012", min_size=1), st.text("a#012", min_size=1), st.integers(1, 30), st.integers(1, 30))
def test_a_passages_id_says_its_document_and_number(a: str, b: str, n: int, m: int) -> None:
    assert (passage_id(a, n) == passage_id(b, m)) == ((a, n) == (b, m))


def test_the_language_is_told_where_it_is_not_given() -> None:
    pytest.importorskip("py3langid")
    swahili = "Mto huu unaanzia milimani na kumwaga maji yake katika bahari kubwa."
    (found,) = passages_of(Document("d", (Section("", swahili),)), words, 50)
    assert found.language == "sw"
    (found,) = passages_of(Document("d", (Section("", "1234 !!"),)), words, 50)
    assert found.language == "und"
    (found,) = passages_of(Document("d", (Section("", "x"),)), words, 50, among=["pt-BR"])
    assert found.language == "pt-BR"


def test_tokens_are_counted_uncut(encoder: SentenceTransformer, tiny_encoder: SentenceTransformer) -> None:
    assert token_counter(tiny_encoder)(["a" * 100]) == [100]  # a token a character
    long = "The river is long. " * 200
    (counted,) = token_counter(encoder)([long])
    assert counted > 900  # the model itself reads 256


def test_a_document_without_text_has_no_passages(
    encoder: SentenceTransformer, tiny_encoder: SentenceTransformer
) -> None:
    for model in (encoder, tiny_encoder):
        for sections in ((), (Section("Heading", " "),)):
            assert passages_of(Document("d", sections, "T"), token_counter(model), 16) == []


def test_the_length_is_at_most_what_the_model_reads(tiny_encoder: SentenceTransformer) -> None:
    tiny_encoder.max_seq_length = 64
    room = 64 - len("Passage: ") - 2
    assert length_limit(tiny_encoder, None) == room
    assert length_limit(tiny_encoder, 20) == 20
    for length in (15, room + 1):
        with pytest.raises(PanglotError, match=f"use 16 to {room}"):
            length_limit(tiny_encoder, length)


def test_languages_are_detected_under_the_names_that_were_given() -> None:
    norwegian = "Biblioteket åpner klokken ni om morgenen, og på søndager åpner det klokken tolv."
    filipino = "Magbubukas ang aklatan ng alas nuwebe ng umaga sa lahat ng araw ng linggo."
    english = "The library opens at nine in the morning, and at noon on Sundays."
    assert detect_languages([norwegian, english], ["en", "nb"]) == ["nb", "en"]
    assert detect_languages([filipino, english], ["en", "fil"]) == ["fil", "en"]


@pytest.mark.parametrize(
    ("among", "why"),
    [
        (["en", "ti"], "does not know ti"),
        (["ckb", "en", "dv"], "does not know ckb, dv"),
        (["en", "zh-Hans", "zh-Hant"], "cannot distinguish zh-Hans from zh-Hant"),
    ],
)
def test_languages_that_the_detector_cannot_find_are_refused(among: list[str], why: str) -> None:
    with pytest.raises(PanglotError, match=why):
        detect_languages([], among)


def test_the_language_of_a_document_is_that_of_most_of_its_long_pieces(encoder: SentenceTransformer) -> None:
    english = (
        "The library opens at nine in the morning, and at noon on Sundays.",
        "Every book may be kept for a month, and then you have to bring it back.",
        "Those who lose a book pay what a new one costs at the front desk.",
    )
    german = (
        "Die Bibliothek öffnet jeden Morgen um neun Uhr, und sonntags öffnet sie erst mittags um zwölf Uhr."
    )
    numbers = Section(
        "prices", "10.20 30.40 50.60 70.80 90.10 20.30 40.50 60.70 80.90 11.21 31.41 51.61 71.81"
    )
    texts = (*(Section(str(k), text) for k, text in enumerate((*english, german))), numbers)
    for sections, language in ((texts, "en"), ((numbers,), "und")):
        passages = passages_of(Document("d", sections), token_counter(encoder), 64)
        assert {passage.language for passage in passages} == {language}
