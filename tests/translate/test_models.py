"""Loading translation models of each family, and what they are given, against plain greedy decoding."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from panglot.errors import PanglotError
from panglot.translate import Translator, load_translator, translate_texts

FAMILIES = ("nllb", "m2m100", "mbart50", "madlad", "marian", "opus-en-de")
TranslatorOf = Callable[[str], Translator]
# what the documentation of each family shows the model: its input, and the first token of the output
SHOWN = {
    "nllb": (["eng_Latn", "▁", "o", "w", "l", "</s>"], "deu_Latn"),
    "m2m100": (["__en__", "▁", "o", "w", "l", "</s>"], "__de__"),
    "mbart50": (["en_XX", "▁", "o", "w", "l", "</s>"], "de_DE"),
    "madlad": (["▁", "<2de>", "▁", "o", "w", "l", "</s>"], None),
    "marian": ([">>deu<<", "▁", "o", "w", "l", "</s>"], None),
    "opus-en-de": (["▁", "o", "w", "l", "</s>"], None),
}


def greedy(translator: Translator, ids: list[int], first: int | None, steps: int) -> list[int]:
    """Decode one text step by step: no cache, no batch, always the likeliest token."""
    model = translator.model
    out = [model.generation_config.decoder_start_token_id]
    out += [] if first is None else [first]
    banned = [bad[0] for bad in model.generation_config.bad_words_ids or []]
    with torch.inference_mode():
        while len(out) == 1 or (len(out) <= steps and out[-1] != translator.tokenizer.eos_token_id):
            scores = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([out])).logits[0, -1]
            scores[banned] = -torch.inf
            out.append(int(scores.argmax()))
    return out[1:]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_gets_what_its_family_wants(translator_of: TranslatorOf, family: str) -> None:
    translator = translator_of(family)
    direction = translator.direction("en", "de")
    ids = translator._encode(["owl"], direction)["input_ids"][0]
    pieces, first = SHOWN[family]
    assert translator.tokenizer.convert_ids_to_tokens(ids) == pieces
    wanted = None if first is None else translator.tokenizer.convert_tokens_to_ids(first)
    assert direction.first == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_decoded_as_each_text_by_itself(translator_of: TranslatorOf, family: str) -> None:
    translator = translator_of(family)
    texts = ["Owls sleep.", "The baker bakes bread at night."]
    direction = translator.direction("en", "de")
    found = translator.translate(texts, direction)
    encoded = [translator._encode([text], direction)["input_ids"][0] for text in texts]
    steps = min(2 * max(map(len, encoded)) + 20, translator.limit or 1000)
    for ids, (text, finished) in zip(encoded, found, strict=True):
        expected = greedy(translator, ids, direction.first, steps)[: steps - 1]
        end = translator.tokenizer.eos_token_id
        assert finished == (end in expected)
        expected = expected[: expected.index(end)] if finished else expected
        expected = expected[1:] if direction.first is not None else expected
        assert text == translator.tokenizer.decode(expected, skip_special_tokens=True).strip()
    assert found[0] != found[1]


def test_the_languages_are_those_of_the_vocabulary(translator_of: TranslatorOf) -> None:
    assert len(translator_of("nllb").tokens) == 202
    assert len(translator_of("m2m100").tokens) == 100
    assert len(translator_of("mbart50").tokens) == 52
    madlad = translator_of("madlad").tokens  # <2translate> is not a language
    assert sorted(madlad) == ["de", "en", "fil", "iw", "sr_Latn", "sw", "zh"]
    assert translator_of("marian").tokens == {c: f">>{c}<<" for c in ("cmn_Hans", "deu", "swh")}
    assert translator_of("opus-en-de").tokens == {}


def test_a_model_of_one_pair_has_no_other(translator_of: TranslatorOf) -> None:
    opus = translator_of("opus-en-de")
    with pytest.raises(PanglotError, match="translates into 'de' only, not into 'fr'"):
        opus.direction("en", "fr")
    with pytest.raises(PanglotError, match="translates from 'en' only, not from 'fr'"):
        opus.direction("fr", "de")
    with pytest.raises(PanglotError, match="translates from 'en' only, not from 'fr'"):
        translator_of("marian").direction("fr", "de")
    with pytest.raises(PanglotError, match=r"does not translate 'tlh' \(Klingon\)"):
        translator_of("m2m100").direction("tlh", "de")


def test_beams_find_what_is_at_least_as_likely(learned: Translator) -> None:
    direction = learned.direction("en", "de")
    text = "The baker bakes it."
    assert learned.translate([text], direction, beams=3) == [("Der Bäcker backt es.", True)]


def test_bfloat16_halves_the_weights_and_translates_the_same(learned_checkpoint: Path) -> None:
    small = load_translator(str(learned_checkpoint), device="cpu", bf16=True)
    assert small.model.dtype == torch.bfloat16
    assert translate_texts(small, ["They hunt at night."], "en", "de")[0].text == "Sie jagen in der Nacht."


def test_texts_are_translated_sentence_by_sentence(learned: Translator) -> None:
    text = "Owls sleep in old trees. They hunt at night.\n\n12 %\nThe baker bakes it."
    german = "Eulen schlafen in alten Bäumen. Sie jagen in der Nacht.\n\n12 %\nDer Bäcker backt es."
    swahili = "Bundi hulala kwenye miti ya zamani. Wao huwinda usiku.\n\n12 %\nMwokaji huuoka."
    assert translate_texts(learned, [text, "", text], "en", "de") == [
        (german, True),
        ("", True),
        (german, True),
    ]
    assert translate_texts(learned, [text], "en", "sw", token_budget=1) == [(swahili, True)]


def test_no_segment_is_longer_than_the_limit(
    translator_of: TranslatorOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = translator_of("m2m100")
    seen: list[int] = []

    def count(self: Translator, texts: list[str], direction: object, beams: int) -> list[tuple[str, bool]]:
        seen.extend(self.lengths(texts, direction))  # type: ignore[arg-type]
        return [("x", True) for _ in texts]

    monkeypatch.setattr(Translator, "translate", count)
    long = " ".join(f"the owl of tree {k} hunts and sleeps," for k in range(60)) + " x" * 40
    done = translate_texts(translator, [long], "en", "de", max_tokens=20)
    assert len(seen) > 60
    assert max(seen) <= 20
    assert done[0].text == " ".join(["x"] * done[0].text.count("x"))
    translate_texts(translator, [long], "en", "de", max_tokens=10_000)  # the model has 128 positions
    assert max(seen) <= 124


def test_what_is_no_translation_model_is_one_sentence(tmp_path: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(PanglotError, match="'nowhere' is not a model: there is no such folder"):
        load_translator("nowhere")
    with pytest.raises(PanglotError, match="cannot be loaded as a translation model"):
        load_translator(str(tiny_checkpoint))
    with pytest.raises(PanglotError, match="cannot be loaded as a translation model"):
        load_translator(str(tmp_path))


def test_a_t5_without_languages_is_no_translation_model(
    tmp_path: Path, checkpoint_of: Callable[[str], Path]
) -> None:
    from transformers import T5Tokenizer

    shutil.copytree(checkpoint_of("madlad"), tmp_path / "t5")
    (tmp_path / "t5" / "tokenizer.json").unlink()
    T5Tokenizer(extra_ids=0).save_pretrained(tmp_path / "t5")
    with pytest.raises(PanglotError, match="is not a translation model that panglot knows"):
        load_translator(str(tmp_path / "t5"))
