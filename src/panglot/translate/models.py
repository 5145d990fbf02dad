"""Any translation model that transformers loads: its family, its languages, and one batch translated."""

import difflib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import langcodes
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from panglot.encoders.load import loading, model_sha256
from panglot.errors import PanglotError
from panglot.languages import STANDARD, is_language, language_name, no_language

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
# Members of a macrolanguage that its own code means when nothing else is said. Other members (arz, prs) are
# languages of their own: a text in standard Arabic is not taken for one in Egyptian Arabic.
USUAL_MEMBER = {
    **STANDARD,
    **{"pbt": "ps", "quy": "qu", "kmr": "ku", "fuv": "ff", "dik": "din", "knc": "kr"},
    **{"nb": "no", "fil": "tl"},
}
OWN_CODES = {"ns": "nso"}  # M2M-100's code for Northern Sotho is not a language code
SAME_SCRIPT = {"Hang": "Kore", "Hani": "Hans"}
NO_REGION = "XX"  # mBART-50: en_XX


@dataclass(frozen=True)
class Direction:
    """How a model is told to translate from one language into another."""

    source: str | None  # code that the tokenizer puts into the input; None where the model needs none
    prefix: str  # text before each input
    first: int | None  # number of the token that a translation must begin with; None where there is none


@dataclass(frozen=True)
class Translator:
    """A translation model."""

    name: str  # folder or hub id
    family: Family  # how it is told the languages
    model: Any  # of transformers, ready for generation
    tokenizer: Any  # its own
    # by language code, the vocabulary's token for it; empty for a model of one pair of languages
    tokens: dict[str, str]
    revision: str | None = None  # of the hub; None for a folder

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
            _check_side(self, "from", self.tokenizer.source_lang, source)
            _check_side(self, "into", self.tokenizer.target_lang, target)
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
    with (
        loading(name, revision, trust_remote_code, "a translation model") as local,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        options: dict[str, Any] = {
            "revision": revision,
            "trust_remote_code": trust_remote_code,
            "local_files_only": local,
        }
        tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
        dtype = torch.bfloat16 if bf16 else torch.float32
        model: Any = AutoModelForSeq2SeqLM.from_pretrained(name, dtype=dtype, **options)
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


@dataclass(frozen=True)
class Reading:
    """What a language code says: language, script, whether the code names the script, and the region."""

    language: str
    script: str
    explicit: bool
    region: str | None


def read_code(code: str) -> Reading | None:
    """Read a model's code or a BCP-47 code; None where it names no language."""
    tag = code.replace("_", "-").removesuffix(f"-{NO_REGION}")
    tag = OWN_CODES.get(tag, tag)
    if not langcodes.tag_is_valid(tag):
        return None
    given = langcodes.Language.get(tag, normalize=False)
    usual = langcodes.Language.get(langcodes.standardize_tag(tag))
    language = str(usual.language)
    if (language, usual.territory) == ("fa", "AF"):  # so CLDR writes Dari
        language = "prs"
    language = USUAL_MEMBER.get(language, language)
    full = langcodes.Language.make(language=language, script=usual.script, territory=given.territory)
    script = full.maximize().script or "Zyyy"
    told = given.script is not None or given.territory is not None
    return Reading(language, SAME_SCRIPT.get(script, script), told, given.territory)


def find_code(language: str, codes: Iterable[str], model: str) -> str:
    """Return the one of a model's codes that means a language.

    ``sw`` is ``swh_Latn``, ``zh`` is ``zho_Hans`` and ``zh-Hant`` is ``zho_Hant``. The script must be the
    same; only a plain code (``crh``) may be a model's one code of that language, whatever its script. Of
    several (``pt`` and ``pt_BR``), the one of the same region comes first, then one of no region.

    Raises:
        PanglotError: ``language`` is not a language, or the model does not know it.
    """
    if not is_language(language):
        raise PanglotError(no_language(language))
    wanted = read_code(language)
    readings = {code: reading for code in codes if (reading := read_code(code)) is not None}
    same = [code for code, reading in readings.items() if wanted and reading.language == wanted.language]
    found = [code for code in same if wanted and readings[code].script == wanted.script]
    if not found and wanted and not wanted.explicit and len({readings[code].script for code in same}) == 1:
        found = same
    if not found or wanted is None:
        raise PanglotError(_unknown(language, same, readings, model))

    def preference(code: str) -> tuple[bool, bool, int, str]:
        region = readings[code].region
        return (region != wanted.region, region is not None, len(code), code)

    return min(found, key=preference)


def _unknown(language: str, same: list[str], readings: dict[str, Reading], model: str) -> str:
    names = {
        code: f"{language_name(reading.language)} {reading.language}" for code, reading in readings.items()
    }
    key = f"{language_name(language)} {language}"
    near = difflib.get_close_matches(key, sorted(set(names.values())), n=5, cutoff=0.5)
    close = same + [
        code for name in near for code, known in names.items() if known == name and code not in same
    ]
    what = f"near it are {', '.join(close[:6])}"
    if not close:
        what = f"it knows {', '.join(sorted(readings)[:12])}, ..."
    return f"{model} does not translate '{language}' ({language_name(language)}); {what}."
