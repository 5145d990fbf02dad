"""Any encoder by name, path or hub id, as a SentenceTransformer."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.util import load_file_path
from torch import nn
from transformers import PreTrainedModel

from panglot.encoders.deberta import restore_character_map
from panglot.encoders.laser import Laser2, release_file
from panglot.encoders.onnx import OnnxTransformer
from panglot.encoders.use_multilingual import UseMultilingual
from panglot.errors import PanglotError

EMBEDDED = "use-multilingual"
SHORTEST = 8  # tokens: a text keeps some of its own between the special ones
RAW_PROMPTS = {"query": "Query: ", "document": "Passage: "}
# Models of the hub whose own files leave out the prompts that their cards ask for.
E5_TASK = "Given a web search query, retrieve relevant passages that answer the query"
KNOWN_PROMPTS = {
    "multilingual-e5-(small|base|large)": {"query": "query: ", "document": "passage: "},
    "multilingual-e5-large-instruct": {"query": f"Instruct: {E5_TASK}\nQuery: ", "document": ""},
}
OWN = (UseMultilingual, Laser2, OnnxTransformer)
OWN_MODULES = {f"{module.__module__}.{module.__name__}": module for module in OWN}


def load_encoder(
    name: str,
    *,
    max_length: int | None = None,
    device: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    dtype: torch.dtype = torch.float32,
) -> SentenceTransformer:
    """Load an encoder.

    Args:
        name: ``use-multilingual`` (embedded), the folder of a checkpoint, Meta's ``laser2.pt`` (or the
            folder it lies in), or a hub id. Checkpoints of sentence-transformers keep their own pooling
            and prompts; raw ones (XLM-R, mBERT, mDeBERTa) get mean pooling and the prompts "Query: " and
            "Passage: ". Multilingual E5 gets the prompts of its model card, which its files leave out.
        max_length: cut texts at this many tokens (default: the model's own limit; 256 for use-multilingual).
        device: ``cpu``, ``cuda``, ...; default: the best there is.
        revision: of a hub model.
        trust_remote_code: let a model run code of its own. Never needed for panglot's own models.
        dtype: of the weights, however they were saved: training in 16 bits would lose small steps.

    Raises:
        PanglotError: there is no such model, or it cannot be loaded.
    """
    if name == EMBEDDED:
        model = _of_own_module(UseMultilingual.pretrained(), EMBEDDED, device)
    elif (release := release_file(Path(name))) is not None:
        model = _of_own_module(Laser2.from_release(release), "LASER2", device)
    else:
        model = _load(name, device, revision, trust_remote_code, dtype)
    if max_length is not None:
        _check_length(model, max_length)
        model.max_seq_length = max_length
    return model.to(dtype)


@contextmanager
def cut_at(model: SentenceTransformer, max_length: int | None) -> Iterator[None]:
    """Let a model cut texts at so many tokens for a while; None leaves it as it is."""
    own = model.max_seq_length
    if max_length not in (None, own):
        _check_length(model, max_length)
        model.max_seq_length = max_length
    try:
        yield
    finally:
        model.max_seq_length = own


def query_prompt(model: SentenceTransformer) -> str:
    """Return the text that the model wants before a query."""
    return model.prompts.get("query") or ""


def passage_prompt(model: SentenceTransformer) -> str:
    """Return the text that the model wants before a passage."""
    return model.prompts.get("document") or model.prompts.get("passage") or ""


def model_sha256(model: SentenceTransformer) -> str:
    """Return the SHA-256 of a model's weights: names, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _of_own_module(module: nn.Module, base: str, device: str | None) -> SentenceTransformer:
    """Make an encoder without prompts of one of panglot's own modules."""
    prompts = {"query": "", "document": ""}
    model = SentenceTransformer(modules=[module, Normalize()], device=device, prompts=prompts)
    model.model_card_data.base_model = base
    return model


def _load(
    name: str, device: str | None, revision: str | None, trust: bool, dtype: torch.dtype
) -> SentenceTransformer:
    path = Path(name)
    if not path.exists() and (name.count("/") != 1 or name.startswith((".", "/", "~"))):
        raise PanglotError(
            f"'{name}' is no model: there is no such folder; "
            f"name a checkpoint's folder, a hub id (organisation/model) or {EMBEDDED}."
        )
    try:
        local = path.exists() or not _hub_answers(name, revision)
        find = partial(load_file_path, name, revision=revision, local_files_only=local)
        modules, prompts = find("modules.json"), find("config_sentence_transformers.json")
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
        _check_weights(model, name)
    except PanglotError:
        raise
    except Exception as error:  # the hub, the tokenizer and the weights each raise their own
        raise PanglotError(_explain(name, error, trust)) from error
    if modules is None:
        model.prompts = dict(RAW_PROMPTS)
        limit = _length_limit(model)  # RoBERTa's tokenizers may allow two tokens more than it has positions
        if limit is not None and (model.max_seq_length or limit + 1) > limit:
            model.max_seq_length = limit
    elif prompts is None or "prompts" not in json.loads(Path(prompts).read_text(encoding="utf-8")):
        model.prompts |= _known_prompts(name)
    return model


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


def _check_weights(model: SentenceTransformer, name: str) -> None:
    """Raise a ``PanglotError`` where a checkpoint lacks weights, which transformers would draw at random."""
    inner = getattr(model[0], "model", None)
    if not isinstance(inner, PreTrainedModel) or getattr(inner, "_hf_peft_config_loaded", False):
        return
    # transformers marks what it read; were it to stop marking, nothing would be read and nothing be lacking
    weights = dict(inner.named_parameters())
    lacking = [key for key, weight in weights.items() if not getattr(weight, "_is_hf_initialized", False)]
    if lacking and len(lacking) < len(weights):
        raise PanglotError(
            f"'{name}' lacks {len(lacking)} of the model's {len(weights)} weights "
            f"(the first is {lacking[0]}), which would be drawn at random; "
            "fetch or save the checkpoint again, whole."
        )


def _explain(name: str, error: Exception, trust: bool) -> str:
    """Say in one sentence why a model cannot be loaded, and what helps."""
    if "trust_remote_code" in str(error) and not trust:
        return (
            f"'{name}' cannot be loaded as an encoder without running code that comes with it; read that "
            "code, then allow it with --trust-remote-code (in a recipe: model.trust_remote_code = true)."
        )
    reason = str(error).strip().split("\n")[0]
    return (
        f"'{name}' cannot be loaded as an encoder ({type(error).__name__}: {reason}); "
        "check the path or hub id, and the network for a hub model."
    )


def _known_prompts(name: str) -> dict[str, str]:
    """Return the prompts of a model that is known to want some and not to say so; else none."""
    last = name.rstrip("/").rsplit("/", 1)[-1].lower()
    return next((prompts for known, prompts in KNOWN_PROMPTS.items() if re.fullmatch(known, last)), {})


def _hub_answers(name: str, revision: str | None) -> bool:
    """Say in one try whether the hub can be reached; without it, downloads would retry for minutes."""
    try:
        HfApi().model_info(name, revision=revision, timeout=10)
    except HfHubHTTPError:
        return True  # it says no: loading tells why
    except Exception:  # each HTTP library has its own errors for a network that is down
        return False
    return True


def _check_length(model: SentenceTransformer, max_length: int) -> None:
    """Raise a ``PanglotError`` where a model cannot cut texts at so many tokens."""
    if max_length < SHORTEST:
        raise PanglotError(f"the maximum length is {max_length} tokens; use {SHORTEST} or more.")
    limit = _length_limit(model)
    if limit is not None and max_length > limit:
        raise PanglotError(f"the model takes at most {limit} tokens; choose a maximum length up to that.")


def _length_limit(model: SentenceTransformer) -> int | None:
    """Return how many tokens the model can take at most; None where nothing says so."""
    config = getattr(getattr(model[0], "model", None), "config", None)
    limit = getattr(config, "max_position_embeddings", None)
    if limit is None:
        return None
    # RoBERTa counts positions from the padding id on
    offset = getattr(config, "pad_token_id", 0) + 1 if "roberta" in getattr(config, "model_type", "") else 0
    return int(limit) - offset
