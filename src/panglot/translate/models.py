"""Any translation model that transformers loads: its family, its languages, and one batch translated."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from panglot.encoders.load import explain_loading, hub_answers, model_sha256
from panglot.errors import PanglotError
from panglot.translate.codes import find_code, read_code

Family = Literal["nllb", "m2m100", "mbart50", "madlad", "marian"]
# How each family writes a language in its vocabulary.
TOKENS: dict[Family, str] = {
    "nllb": r"([a-z]{3}_[A-Z][a-z]{3})",
    "m2m100": r"__([a-z]{2,3})__",
    "mbart50": r"([a-z]{2}_[A-Z]{2})",
    "madlad": r"<2([A-Za-z_]+)>",
    "marian": r">>([A-Za-z_]+)<<",
}
FAMILIES: dict[str, tuple[Family, ...]] = {
    "m2m_100": ("nllb", "m2m100"),
    "nllb-moe": ("nllb",),
    "mbart": ("mbart50",),
    "t5": ("madlad",),
    "marian": ("marian",),
}
SPARE = 4  # positions left for special tokens
GROWTH, LEAST = 2, 20  # new tokens at most: twice the source's, and these


@dataclass(frozen=True)
class Direction:
    """How a model is told to translate from one language into another.

    Attributes:
        source: code that the tokenizer puts into the input; None where the model needs none.
        prefix: text before each input.
        first: number of the token that a translation must begin with; None where there is none.
    """

    source: str | None
    prefix: str
    first: int | None


@dataclass(frozen=True)
class Translator:
    """A translation model.

    Attributes:
        name: folder or hub id.
        family: how it is told the languages.
        model: of transformers, ready for generation.
        tokenizer: its own.
        tokens: by language code, the vocabulary's token for it; empty for a model of one pair of languages.
        revision: of the hub; None for a folder.
    """

    name: str
    family: Family
    model: Any
    tokenizer: Any
    tokens: dict[str, str]
    revision: str | None = None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the weights as they were loaded."""
        return model_sha256(self.model)

    @property
    def limit(self) -> int | None:
        """Tokens that the model takes at most; None where nothing says so (T5)."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        return None if positions is None else int(positions) - SPARE

    def direction(self, source: str, target: str) -> Direction:
        """Return how to translate between two BCP-47 codes, or say that the model cannot."""
        if not self.tokens:
            _check_pair(self, source, target)
            return Direction(None, "", None)
        code = find_code(target, self.tokens, self.name)
        if self.family in ("marian", "madlad"):
            if self.family == "marian":
                _check_side(self, "from", self.tokenizer.source_lang, source)
            return Direction(None, f"{self.tokens[code]} ", None)
        number = self.tokenizer.convert_tokens_to_ids(self.tokens[code])
        return Direction(find_code(source, self.tokens, self.name), "", int(number))

    def lengths(self, texts: Sequence[str], direction: Direction) -> list[int]:
        """Return the number of input tokens of each text, special ones among them."""
        return [len(ids) for ids in self._encode(texts, direction)["input_ids"]] if texts else []

    def translate(self, texts: Sequence[str], direction: Direction, beams: int = 1) -> list[tuple[str, bool]]:
        """Translate one batch: greedily, or with a beam search.

        Returns:
            for each text its translation, and whether the model came to an end by itself.
        """
        inputs = self._encode(texts, direction, padding=True, return_tensors="pt").to(self.model.device)
        longest = GROWTH * inputs["input_ids"].shape[1] + LEAST
        room = longest if self.limit is None else min(longest, self.limit)
        forced = {} if direction.first is None else {"forced_bos_token_id": direction.first}
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=room,
                num_beams=beams,
                do_sample=False,
                **forced,
            )
        return [self._read(row, direction, room) for row in out.tolist()]

    def _encode(self, texts: Sequence[str], direction: Direction, **settings: Any) -> Any:
        if direction.source is not None:
            self.tokenizer.src_lang = direction.source
        return self.tokenizer([direction.prefix + text for text in texts], **settings)

    def _read(self, row: list[int], direction: Direction, room: int) -> tuple[str, bool]:
        """Decode what was generated: after the start token, up to the end token."""
        # a model that ran out of room may have been made to end there (mBART-50, Opus-MT)
        ids, end = row[1:room], self.tokenizer.eos_token_id
        finished = end in ids
        ids = ids[: ids.index(end)] if finished else ids
        if ids and ids[0] == direction.first:
            ids = ids[1:]
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip(), finished


def load_translator(
    name: str,
    *,
    device: str | None = None,
    revision: str | None = None,
    bf16: bool = False,
    trust_remote_code: bool = False,
) -> Translator:
    """Load a translation model: NLLB-200, M2M-100, MADLAD-400, Opus-MT (Marian) or mBART-50.

    Args:
        name: the folder of a checkpoint, or a hub id.
        device: ``cpu``, ``cuda``, ...; default: the best there is.
        revision: of a hub model.
        bf16: keep the weights and compute in bfloat16: half the memory, and a little less exact.
        trust_remote_code: let a model run code of its own.

    Raises:
        PanglotError: there is no such model, it cannot be loaded, or it is not a translation model.
    """
    path = Path(name)
    if not path.exists() and (name.count("/") != 1 or name.startswith((".", "/", "~"))):
        raise PanglotError(
            f"'{name}' is not a model: there is no such folder; name a checkpoint's folder or a hub id "
            "(organisation/model)."
        )
    try:
        options: dict[str, Any] = {
            "revision": revision,
            "trust_remote_code": trust_remote_code,
            "local_files_only": path.exists() or not hub_answers(name, revision),
        }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
        dtype = torch.bfloat16 if bf16 else torch.float32
        model: Any = AutoModelForSeq2SeqLM.from_pretrained(name, dtype=dtype, **options)
    except Exception as error:  # the hub, the tokenizer and the weights each raise their own
        raise PanglotError(explain_loading(name, error, trust_remote_code, "a translation model")) from error
    family, tokens = _family(name, model, tokenizer)
    best = "cuda" if torch.cuda.is_available() else "cpu"
    commit = cast(str | None, getattr(model.config, "_commit_hash", None))
    return Translator(name, family, model.eval().to(device or best), tokenizer, tokens, commit)


def _family(name: str, model: Any, tokenizer: Any) -> tuple[Family, dict[str, str]]:
    """Say how a model is told the languages, and which tokens it has for them."""
    kind = str(model.config.model_type)
    rows = model.get_input_embeddings().num_embeddings
    vocabulary: dict[str, int] = {**tokenizer.get_vocab(), **getattr(tokenizer, "lang_token_to_id", {})}
    for family in FAMILIES.get(kind, ()):
        matches = [(re.fullmatch(TOKENS[family], token), number) for token, number in vocabulary.items()]
        tokens = {match[1]: match[0] for match, number in matches if match and number < rows}
        tokens = {code: token for code, token in sorted(tokens.items()) if read_code(code) is not None}
        if tokens or family == "marian":
            return family, tokens
    raise PanglotError(
        f"'{name}' is not a translation model that panglot knows (its kind is '{kind}', and its vocabulary "
        "names no languages); use NLLB-200, M2M-100, MADLAD-400, Opus-MT or mBART-50."
    )


def _check_pair(translator: Translator, source: str, target: str) -> None:
    """Raise a ``PanglotError`` unless a model of one pair of languages has this one."""
    _check_side(translator, "from", translator.tokenizer.source_lang, source)
    _check_side(translator, "into", translator.tokenizer.target_lang, target)


def _check_side(translator: Translator, side: str, own: str | None, wanted: str) -> None:
    """Compare a language with the one that a model says it has; groups (gmw, mul) cannot be checked."""
    reading = read_code(own) if own else None
    if own is not None and reading is not None and len(reading.language) == 2:
        try:
            find_code(wanted, [own], translator.name)
        except PanglotError as error:
            raise PanglotError(
                f"{translator.name} translates {side} '{own}' only, not {side} '{wanted}'; "
                "choose another model."
            ) from error
