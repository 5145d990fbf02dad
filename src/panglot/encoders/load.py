"""Any encoder by name, path or hub id, as a SentenceTransformer."""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from pydantic import Field
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.util import load_file_path
from tokenizers import normalizers
from torch import nn
from transformers import PreTrainedModel
from transformers.convert_slow_tokenizer import SentencePieceExtractor
from transformers.utils import logging as transformers_logging
from typing_extensions import TypedDict

from panglot.encoders.embedded import EMBEDDED, ORIGINAL, embedded_checkpoint
from panglot.encoders.embedded import PROMPTS as E5_PROMPTS
from panglot.encoders.laser import Laser2, release_file
from panglot.encoders.names import base_models, check_name, last_part, located, set_name
from panglot.encoders.onnx import OnnxTransformer
from panglot.errors import PanglotError, first_line, hub_refusal, of_kind
from panglot.files import check_file
from panglot.parse import read_form, validated

SHORTEST = 8  # tokens: a text keeps some of its own between the special ones
RAW_PROMPTS = {"query": "Query: ", "document": "Passage: "}
# Models of the hub whose own files leave out the prompts that their cards ask for: by the end of their names.
E5_TASK = "Given a web search query, retrieve relevant passages that answer the query"
KNOWN_PROMPTS = {
    "multilingual-e5-(small|base|large)": E5_PROMPTS,
    "multilingual-e5-large-instruct": {"query": f"Instruct: {E5_TASK}\nQuery: ", "document": ""},
}
# How multilingual-e5-small is built. Others of this shape read fewer tokens or do not normalise.
E5_SMALL = {"model_type": "bert", "vocab_size": 250_037, "hidden_size": 384, "num_hidden_layers": 12}
E5_SMALL_MODULES, E5_SMALL_LENGTH = ("Transformer", "Pooling", "Normalize"), 512
DEBERTA = "DebertaV2Tokenizer"
OWN = (Laser2, OnnxTransformer)
OWN_MODULES = {f"{module.__module__}.{module.__name__}": module for module in OWN}


def load_encoder(
    name: str | Path,
    *,
    max_length: int | None = None,
    truncate_dim: int | None = None,
    device: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    dtype: torch.dtype = torch.float32,
) -> SentenceTransformer:
    """Load an encoder.

    Args:
        name: ``multilingual-e5-small`` (the embedded encoder), the folder of a checkpoint, ``laser2`` (from
            ``panglot data get laser2``; or Meta's ``laser2.pt``), or a hub id. Checkpoints of
            sentence-transformers keep their own pooling and prompts; raw ones (XLM-R, mBERT, mDeBERTa) get
            mean pooling and the prompts "Query: " and "Passage: ". Multilingual E5 gets the prompts of its
            model card, which its files leave out or leave empty; it is recognised by its name, by
            ``base_model`` in its card, or by its shape.
        max_length: cut texts at this many tokens (default: the model's own limit).
        truncate_dim: keep this many numbers of each embedding and normalise again, as models trained with
            ``matryoshka_dims`` allow (default: what the model's files say, else all).
        device: ``cpu``, ``cuda``, ...; default: the best there is.
        revision: of a hub model.
        trust_remote_code: let a model run code of its own. Never needed for panglot's own models.
        dtype: of the weights, however they were saved: training in 16 bits would lose small steps.

    Raises:
        PanglotError: there is no such model, or it cannot be loaded.
    """
    name = str(name)
    if name == EMBEDDED:
        model = _load_embedded(device, dtype)
    elif (release := release_file(Path(located(name)))) is not None:
        modules: list[nn.Module] = [Laser2.from_release(release), Normalize()]
        model = SentenceTransformer(modules=modules, device=device, prompts={"query": "", "document": ""})
        model.model_card_data.base_model = "LASER2"
    else:
        model = _load(name, device, revision, trust_remote_code, dtype)
    set_name(model, name)
    if max_length is not None:
        _check_length(model, max_length)
        model.max_seq_length = max_length
    if truncate_dim is not None:
        model.truncate_dim = None
        whole = model.get_embedding_dimension()
        if truncate_dim < 1 or (whole is not None and truncate_dim > whole):
            raise PanglotError(
                f"embeddings cannot be cut to {truncate_dim} dimensions, for the model's have {whole}; "
                f"choose a number from 1 to {whole}."
            )
        model.truncate_dim = truncate_dim
    return model.to(dtype)


def as_encoder(
    model: SentenceTransformer | str | Path, *, trust_remote_code: bool = False
) -> SentenceTransformer:
    """Return an encoder as it is, or load the one that has this name or path."""
    load = partial(load_encoder, trust_remote_code=trust_remote_code)
    return of_kind(model, load, SentenceTransformer)


@contextmanager
def cut_at(model: SentenceTransformer, max_length: int | None) -> Iterator[None]:
    """Let a model cut texts at so many tokens for a while; None leaves it as it is."""
    own = model.max_seq_length
    if max_length in (None, own):
        yield
        return
    _check_length(model, max_length)
    model.max_seq_length = max_length
    try:
        yield
    finally:
        model.max_seq_length = own


def max_length_of(model: SentenceTransformer) -> int | None:
    """Return at how many tokens a model cuts texts; None where it reads them whole, as static models do."""
    limit = model.max_seq_length
    return None if limit == math.inf else limit


def query_prompt(model: SentenceTransformer) -> str:
    """Return the text that the model wants before a query."""
    return model.prompts.get("query") or ""


def passage_prompt(model: SentenceTransformer) -> str:
    """Return the text that the model wants before a passage."""
    return model.prompts.get("document") or model.prompts.get("passage") or ""


def prompts_of(model: SentenceTransformer) -> dict[str, str]:
    """Return the texts that a model wants before queries and before passages."""
    return {"query": query_prompt(model), "passage": passage_prompt(model)}


def model_sha256(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights: names, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def describe_prompts(model: SentenceTransformer) -> str:
    """Say in one line which prompts a model puts before texts."""
    query, passage = query_prompt(model), passage_prompt(model)
    return (
        f"prompts: {query!r} before queries, {passage!r} before passages"
        if query or passage
        else "no prompts"
    )


def _load_embedded(device: str | None, dtype: torch.dtype) -> SentenceTransformer:
    """Load the embedded encoder; without its package, the original from the hub."""
    folder = embedded_checkpoint()
    try:
        model = _load(str(folder or ORIGINAL), device, None, False, dtype)
    except PanglotError as error:
        if folder is not None:
            raise
        raise PanglotError(
            f"'{EMBEDDED}' is not installed, and {ORIGINAL} cannot be fetched from the hub. "
            "Run pip install 'panglot[embedded]', or connect to the network."
        ) from error
    model.model_card_data.base_model = ORIGINAL
    return model


def _load(
    name: str, device: str | None, revision: str | None, trust: bool, dtype: torch.dtype
) -> SentenceTransformer:
    with loading(name, revision, trust) as local:
        find = partial(load_file_path, name, revision=revision, local_files_only=local)
        modules = find("modules.json")
        # code of panglot's own modules is installed here and needs no trust; all other code does
        model = SentenceTransformer._load_with_module_classes(
            name,
            OWN_MODULES,
            device=device,
            revision=revision,
            trust_remote_code=trust,
            local_files_only=local,
            model_kwargs={"dtype": dtype},
        )
        restore_character_map(getattr(model, "tokenizer", None), find)
        _drop_unused_pooler(model)
        check_weights(model, name)
        _try(model, name)
    if modules is None:
        model.prompts = dict(RAW_PROMPTS)
        limit = _length_limit(model)  # RoBERTa's tokenizers may allow two tokens more than it has positions
        if limit is not None and (model.max_seq_length or limit + 1) > limit:
            model.max_seq_length = limit
    bases = base_models(find("README.md"))
    if modules is not None and not any(
        model.prompts.values()
    ):  # sentence-transformers saves missing ones as empty
        model.prompts |= _known_prompts(model, [last_part(name), *map(last_part, bases)])
    if Path(name).exists():  # of a model of the hub, sentence-transformers knows the name
        last = last_part(name)
        known = [f"intfloat/{last}"] if any(re.fullmatch(e5, last) for e5 in KNOWN_PROMPTS) else []
        model.model_card_data.base_model = next(iter([*bases, *known]), None)
    return model


@contextmanager
def loading(name: str, revision: str | None, trust: bool, kind: str = "an encoder") -> Iterator[bool]:
    """Check a name and the files; give whether the hub is left out; say why loading fails."""
    check_name(name)
    folder = Path(name)
    for file in (*folder.glob("*"), *folder.glob("*/*")) if folder.is_dir() else ():
        if file.exists() and not file.is_dir():
            check_file(file)  # the libraries would read a pipe or a device for ever
    try:
        with quiet_transformers():
            yield folder.exists() or not _hub_answers(name, revision)
    except PanglotError:
        raise
    except Exception as error:  # the hub, the tokenizer and the weights each raise their own
        raise PanglotError(_why_not(name, error, trust, kind)) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Leave out transformers' bars and warnings, such as that of a missing pooler: here they mislead."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def save_encoder(model: SentenceTransformer, folder: Path) -> None:
    """Write a model into a folder, without a card and without the bars of transformers."""
    with quiet_transformers():
        model.save_pretrained(str(folder), create_model_card=False)


def restore_character_map(tokenizer: Any, find: Callable[[str], str | None]) -> None:
    """Put the character map before the other steps of a DeBERTa tokenizer; leave all others alone.

    By the map of its SentencePiece model a full-width comma becomes a plain one before pieces are looked for.
    The tokenizer class of transformers 5 leaves DeBERTa's map out (version 4 had it): a Chinese comma is then
    an unknown token. ``find`` returns the path of a file of the model, or None where it has none.
    """
    if type(tokenizer).__name__ != DEBERTA or "Precompiled(" in repr(tokenizer.backend_tokenizer.normalizer):
        return
    character_map, saved, sentencepiece = None, find("tokenizer.json"), find("spm.model")
    if saved is not None:
        normalizer = read_form(Path(saved), dict[str, Any]).get("normalizer") or {}
        steps = normalizer.get("normalizers", [normalizer])
        maps = [step["precompiled_charsmap"] for step in steps if step.get("type") == "Precompiled"]
        character_map = base64.b64decode(maps[0]) if maps else None
    elif sentencepiece is not None:
        character_map = SentencePieceExtractor(sentencepiece).proto.normalizer_spec.precompiled_charsmap
    if character_map:
        steps = [normalizers.Precompiled(bytes(character_map)), tokenizer.backend_tokenizer.normalizer]
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(steps)


def _drop_unused_pooler(model: SentenceTransformer) -> None:
    """Take BERT's pooler away where nothing reads it.

    Many checkpoints come without its weights; it would then be drawn anew at each loading, and the same
    checkpoint have another checksum each time.
    """
    inner = getattr(model[0], "model", None)
    configured = getattr(model[0], "modality_config", None) or {}
    read = {part.get("method_output_name") for part in configured.values()}
    if read == {"last_hidden_state"} and getattr(inner, "pooler", None) is not None:
        inner.pooler = None  # type: ignore[union-attr]


def all_finite(model: nn.Module) -> bool:
    """Say whether all weights of a model are numbers, and finite ones."""
    # a finite sum has finite parts, and is found much faster; a sum may also overflow
    return all(
        bool(weight.sum(dtype=torch.float32).isfinite()) or bool(torch.isfinite(weight).all())
        for weight in (parameter.detach() for parameter in model.parameters())
    )


def check_weights(
    model: nn.Sequential, name: str, fix: str = "Fetch or save the whole checkpoint again."
) -> None:
    """Raise a ``PanglotError`` where a checkpoint lacks weights, or has some that are not finite.

    Weights that a checkpoint lacks would be drawn at random by transformers.
    """
    if not all_finite(model):
        raise PanglotError(
            f"'{name}' has weights that are infinite or not a number. Fetch or save the checkpoint again."
        )
    inner = getattr(model[0], "model", None)
    if not isinstance(inner, PreTrainedModel) or getattr(inner, "_hf_peft_config_loaded", False):
        return
    # transformers marks what it read; were it to stop marking, nothing would be read and nothing be lacking
    weights = dict(inner.named_parameters())
    lacking = [key for key, weight in weights.items() if not getattr(weight, "_is_hf_initialized", False)]
    if lacking and len(lacking) < len(weights):
        raise PanglotError(
            f"'{name}' lacks {len(lacking)} of the model's {len(weights)} weights "
            f"(the first is {lacking[0]}). {fix}"
        )


class _Config(TypedDict):
    prompts: dict[str, str | None]
    max_seq_length: Annotated[int, Field(ge=1)] | None
    dimension: Annotated[int, Field(ge=1)] | None


def _try(model: SentenceTransformer, name: str) -> None:
    """Encode a word: whether the configs of a model fit its weights shows only then."""
    said = {"prompts": model.prompts, "max_seq_length": max_length_of(model)}
    validated(_Config, {**said, "dimension": model.get_embedding_dimension()}, f"'{name}'")
    rows = getattr(getattr(getattr(model[0], "model", None), "config", None), "vocab_size", None)
    if rows is not None:
        names = [f"{mark}_token_id" for mark in ("unk", "pad", "cls", "sep", "bos", "eos")]
        marks = [getattr(getattr(model, "tokenizer", None), name, None) for name in names]
        if wrong := [number for number in marks if isinstance(number, int) and not 0 <= number < rows]:
            raise ValueError(f"its tokenizer has a token {wrong[0]}, and the model {rows} tokens")
    features = {
        key: value.to(model.device) if isinstance(value, torch.Tensor) else value
        for key, value in model.preprocess(["a"], prompt=query_prompt(model) or None).items()
    }
    with torch.no_grad():
        vectors = model(features)["sentence_embedding"][..., : model.truncate_dim]
    size = model.get_embedding_dimension()
    if size not in (None, vectors.shape[-1]) or not bool(torch.isfinite(vectors).all()):
        raise ValueError("its modules do not fit together, or its vectors are not finite")


def _why_not(name: str, error: Exception, trust: bool, kind: str) -> str:
    """Say in one sentence why a model cannot be loaded, and what helps."""
    if "trust_remote_code" in str(error) and not trust:
        return (
            f"'{name}' cannot be loaded as {kind} without running code that comes with it; read that "
            "code, then allow it with --trust-remote-code (in a recipe: model.trust_remote_code = true)."
        )
    if not Path(name).exists() and (refusal := hub_refusal(error, "model")) is not None:
        return f"'{name}' cannot be loaded as {kind}: there is no such folder, and {refusal}."
    return (
        f"'{name}' cannot be loaded as {kind} ({type(error).__name__}: {first_line(error)}). Check the path "
        "or hub id, and the network for a hub model."
    )


def _known_prompts(model: SentenceTransformer, names: Sequence[str]) -> dict[str, str]:
    """Return the prompts of a model that needs some which its files leave out; else none."""
    for name in names:
        for known, prompts in KNOWN_PROMPTS.items():
            if re.fullmatch(known, name):
                return prompts
    config = getattr(getattr(model[0], "model", None), "config", None)
    shape = {name: getattr(config, name, None) for name in E5_SMALL}
    modules = tuple(type(module).__name__ for module in model)
    small = shape == E5_SMALL and modules == E5_SMALL_MODULES and model.max_seq_length == E5_SMALL_LENGTH
    return E5_PROMPTS if small else {}


def _hub_answers(name: str, revision: str | None) -> bool:
    """Say in one try whether the hub can be reached; without it, downloads would retry for minutes."""
    try:
        HfApi().model_info(name, revision=revision, timeout=10)
    except HfHubHTTPError:
        return True  # it says no: loading says why
    except Exception:  # each HTTP library has its own errors for a network that is down
        return False
    return True


def _check_length(model: SentenceTransformer, max_length: int) -> None:
    if model.max_seq_length == math.inf:
        raise PanglotError("the model reads texts whole, however long; leave the maximum length out.")
    if max_length < SHORTEST:
        raise PanglotError(f"the maximum length is {max_length} tokens; use {SHORTEST} or more.")
    limit = _length_limit(model)
    if limit is not None and max_length > limit:
        raise PanglotError(f"the model takes at most {limit} tokens; choose a maximum length up to that.")


def _length_limit(model: SentenceTransformer) -> int | None:
    """Return how many tokens the model can take at most; None where nothing says so."""
    network = getattr(model[0], "model", None)
    limit = getattr(getattr(network, "config", None), "max_position_embeddings", None)
    if limit is None:
        return None
    table = getattr(getattr(network, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)  # RoBERTa and MPNet count positions from the one after it
    return int(limit) - (0 if padding is None else padding + 1)
