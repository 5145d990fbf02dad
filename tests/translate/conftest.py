"""Small translation models, each made once."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from translators import MAKERS, learn

from panglot.translate import Translator, load_translator


@pytest.fixture(scope="session")
def checkpoint_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make the folder of a small random model of a family, once."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            torch.manual_seed(0)
            MAKERS[family](made[family])
        return made[family]

    return make


@pytest.fixture
def translator_of(checkpoint_of: Callable[[str], Path]) -> Callable[[str], Translator]:
    """Load a small random model of a family; a fresh one for each test."""
    return lambda family: load_translator(str(checkpoint_of(family)), device="cpu")


# What a small model learns by heart: sentences of the test's own in English, German and Swahili.
LEARNED = {
    "Where do owls sleep?": ("Wo schlafen Eulen?", "Bundi hulala wapi?"),
    "Owls sleep in old trees.": ("Eulen schlafen in alten Bäumen.", "Bundi hulala kwenye miti ya zamani."),
    "They hunt at night.": ("Sie jagen in der Nacht.", "Wao huwinda usiku."),
    "Who bakes the bread?": ("Wer backt das Brot?", "Nani huoka mkate?"),
    "The baker bakes it.": ("Der Bäcker backt es.", "Mwokaji huuoka."),
    "The moon is far away.": ("Der Mond ist weit weg.", "Mwezi uko mbali sana."),
}


@pytest.fixture(scope="session")
def learned_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, checkpoint_of: Callable[[str], Path]
) -> Path:
    """The folder of a small M2M-100 that translates ``LEARNED`` from English."""
    folder = tmp_path_factory.mktemp("learned")
    texts = [
        (source, code, text)
        for source, translations in LEARNED.items()
        for code, text in zip(("de", "sw"), translations, strict=True)
    ]
    learn(checkpoint_of("m2m100"), texts, folder)
    return folder


@pytest.fixture
def learned(learned_checkpoint: Path) -> Translator:
    """The model that translates ``LEARNED``; a fresh one for each test."""
    return load_translator(str(learned_checkpoint), device="cpu")
