"""What is done to a model while it is trained: it does its work, and the model is a plain one again."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from panglot import PanglotError, encode, load_encoder, sample_pairs, train
from panglot.encoders import model_sha256
from panglot.training import Lora, StepReport, Training
from panglot.training.adapters import adapted, compiled, dropout_of

Runner = Callable[..., tuple[Training, SentenceTransformer]]
HOW: dict[str, Any] = {"steps": 3, "learning_rate": 1e-2}
TEXTS = ["a barn", "two old barns by the road", "x"]


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def train_adapters(model: SentenceTransformer, steps: int = 3) -> None:
    """Make some steps of AdamW on a loss of no meaning, over what is trained of a model."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        model(model.preprocess(TEXTS))["sentence_embedding"].square().sum().backward()
        optimizer.step()


def peft_modules(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if type(module).__module__.startswith("peft")]


def test_only_adapters_are_trained_and_merging_keeps_the_embeddings(
    tiny_encoder: SentenceTransformer,
) -> None:
    pytest.importorskip("peft")
    before = weights(tiny_encoder)
    with adapted(tiny_encoder, Lora(rank=4, alpha=8)):
        assert peft_modules(tiny_encoder)
        trained = [name for name, p in tiny_encoder.named_parameters() if p.requires_grad]
        assert trained
        assert all("lora_" in name for name in trained)
        train_adapters(tiny_encoder)
        base = {name.replace(".base_layer", ""): value for name, value in weights(tiny_encoder).items()}
        assert all(torch.equal(base[name], value) for name, value in before.items())
        vectors = encode(tiny_encoder, TEXTS)
    assert np.abs(encode(tiny_encoder, TEXTS) - vectors).max() < 1e-5
    after = weights(tiny_encoder)
    assert after.keys() == before.keys()
    changed = {name for name, value in before.items() if not torch.equal(after[name], value)}
    layers = {name for name in before if name.endswith("weight") and before[name].ndim == 2}
    assert changed
    assert changed <= {name for name in layers if "embeddings" not in name}
    assert not peft_modules(tiny_encoder)
    assert all(p.requires_grad for p in tiny_encoder.parameters())


def test_what_was_frozen_before_stays_frozen(tiny_encoder: SentenceTransformer) -> None:
    pytest.importorskip("peft")
    frozen = [p for name, p in tiny_encoder.named_parameters() if "layer.0" in name]
    for parameter in frozen:
        parameter.requires_grad_(False)
    with pytest.raises(KeyError, match="a bug"), adapted(tiny_encoder, Lora(rank=2)):
        raise KeyError("a bug")
    assert not peft_modules(tiny_encoder)
    assert not any(p.requires_grad for p in frozen)
    assert sum(not p.requires_grad for p in tiny_encoder.parameters()) == len(frozen) > 0


def test_adapters_stand_beside_the_modules_that_are_named(tiny_encoder: SentenceTransformer) -> None:
    pytest.importorskip("peft")
    with adapted(tiny_encoder, Lora(rank=2, targets=["query", "value"])):
        adapters = [name for name, p in tiny_encoder.named_parameters() if "lora_" in name]
        assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in adapters} == {"query", "value"}
        assert len(adapters) == 2 * 2 * 2  # two matrices beside two modules in two layers


def test_without_lora_nothing_is_done(tiny_encoder: SentenceTransformer) -> None:
    before = model_sha256(tiny_encoder)
    with adapted(tiny_encoder, None):
        assert not peft_modules(tiny_encoder)
        assert all(p.requires_grad for p in tiny_encoder.parameters())
    assert model_sha256(tiny_encoder) == before


def test_a_run_with_adapters_leaves_a_plain_model_that_loads_without_peft(
    run: Runner, tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("peft")
    how: dict[str, Any] = {**HOW, "lora": Lora(rank=4, dropout=0.1), "eval_steps": 2}
    outcome, model = run(tmp_path, how, held_out=[sample_pairs().select(languages=["en", "de"])])
    assert outcome.figures["AP"] > 0
    assert not peft_modules(model)
    assert all(p.requires_grad for p in model.parameters())
    assert not [name for name in vars(model[0].model) if "peft" in name]
    assert not list(tmp_path.glob("adapter*"))
    before, after = weights(tiny_encoder), weights(model)
    assert before.keys() == after.keys()
    table = next(name for name in before if name.endswith("word_embeddings.weight"))
    assert torch.equal(before[table], after[table])
    assert model_sha256(model) != model_sha256(tiny_encoder)
    for name in [name for name in sys.modules if name.split(".")[0] == "peft"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "peft", None)
    assert model_sha256(load_encoder(str(tmp_path), device="cpu")) == model_sha256(model)
    assert json.loads((tmp_path / "run.json").read_text())["training"]["lora"]["rank"] == 4


def test_the_same_seed_gives_the_same_adapters(run: Runner, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    hashes = []
    for number, seed in enumerate((3, 3, 4)):
        torch.manual_seed(number)  # what was drawn before does not matter
        how: dict[str, Any] = {**HOW, "steps": 2, "lora": Lora(rank=2), "seed": seed}
        hashes.append(model_sha256(run(tmp_path / str(number), how)[1]))
    assert hashes[0] == hashes[1] != hashes[2]


def test_an_encoder_without_a_transformer_cannot_be_adapted(
    static_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    before = model_sha256(static_encoder)
    how: dict[str, Any] = {**HOW, "lora": Lora()}
    with pytest.raises(PanglotError, match="adapters need a transformers model"):
        train(static_encoder, [sample_pairs()], tmp_path, batch_size=8, **how)
    assert model_sha256(static_encoder) == before


def test_modules_that_a_model_lacks_cannot_be_adapted(tiny_encoder: SentenceTransformer) -> None:
    pytest.importorskip("peft")
    unknown = Lora(targets=["wqkv"])
    with pytest.raises(PanglotError, match=r"cannot be put in: .*wqkv"), adapted(tiny_encoder, unknown):
        pass
    assert all(p.requires_grad for p in tiny_encoder.parameters())


def test_adapters_need_peft(tiny_encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(PanglotError, match=r"panglot\[lora\]"), adapted(tiny_encoder, Lora()):
        pass


def rates(model: nn.Module) -> list[float]:
    return [module.p for module in model.modules() if isinstance(module, nn.Dropout)]


def test_dropout_is_changed_for_a_while(tiny_encoder: SentenceTransformer) -> None:
    transformer: Any = tiny_encoder[0].model
    transformer.encoder.layer[0].output.dropout.p = 0.3
    before = rates(tiny_encoder)
    assert set(before) == {0.1, 0.3}
    with pytest.raises(KeyError, match="a bug"), dropout_of(tiny_encoder, 0.25):
        assert set(rates(tiny_encoder)) == {0.25}
        raise KeyError("a bug")
    assert rates(tiny_encoder) == before
    with dropout_of(tiny_encoder, None):
        assert rates(tiny_encoder) == before


def test_training_without_dropout_gives_the_weights_of_a_model_without(
    run: Runner, still_checkpoint: Path, tmp_path: Path
) -> None:
    _, model = run(tmp_path / "set", {**HOW, "dropout": 0.0})
    assert set(rates(model)) == {0.1}
    still = run(tmp_path / "still", HOW, checkpoint=still_checkpoint)[1]
    assert model_sha256(still) == model_sha256(model)
    assert model_sha256(run(tmp_path / "drops", HOW)[1]) != model_sha256(model)


def plain(model: SentenceTransformer) -> bool:
    """Say whether nothing of training is left in a model."""
    left = {"forward", "_original_forward", "_compiled_call_impl"}
    return (
        not any(left & set(vars(module)) for module in model.modules())
        and not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        and not any(module.sparse for module in model.modules() if isinstance(module, nn.Embedding))
        and all(parameter.requires_grad for parameter in model.parameters())
        and set(rates(model)) == {0.1}
    )


EVERYTHING: dict[str, Any] = {
    **HOW,
    "steps": 2,
    "bf16": True,
    "dropout": 0.2,
    "gradient_cache": True,
    "gradient_checkpointing": True,
    "embedding_update": "frozen",
}


def test_a_model_is_a_plain_one_after_training_and_after_an_error(
    run: Runner, tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    assert plain(tiny_encoder)
    for name, how in {"sparse": {**HOW, "steps": 1}, "everything": EVERYTHING}.items():
        outcome, model = run(tmp_path / name, how)
        assert outcome.finished
        assert plain(model), name

    def fail(_: StepReport) -> None:
        assert not plain(tiny_encoder)
        raise RuntimeError("the screen fell off")

    with pytest.raises(RuntimeError, match="fell off"):
        train(
            tiny_encoder,
            [sample_pairs()],
            tmp_path / "failed",
            batch_size=8,
            **EVERYTHING,
            progress=fail,
        )
    assert plain(tiny_encoder)
    assert (
        np.abs(encode(tiny_encoder, TEXTS) - tiny_encoder.encode(TEXTS, normalize_embeddings=True)).max()
        < 1e-5
    )


def far(a: SentenceTransformer, b: SentenceTransformer) -> float:
    """Return the largest difference between two models' weights."""
    others = b.state_dict()
    return max(float((value - others[name]).abs().max()) for name, value in a.state_dict().items())


@pytest.mark.parametrize("change", [{"gradient_checkpointing": True}, {"gradient_cache": True}])
def test_saving_memory_changes_no_weight_even_with_dropout(
    run: Runner, tiny_encoder: SentenceTransformer, tmp_path: Path, change: dict[str, Any]
) -> None:
    how: dict[str, Any] = {"steps": 3, "learning_rate": 1e-3, "micro_batch_tokens": 60}
    usual, frugal = run(tmp_path / "usual", how)[1], run(tmp_path / "frugal", {**how, **change})[1]
    assert far(usual, frugal) < 1e-5
    assert far(usual, tiny_encoder) > 1e-3


def test_the_budget_of_a_micro_batch_changes_no_weight(
    run: Runner, still_checkpoint: Path, still_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 3, "learning_rate": 1e-3}
    models = [
        run(tmp_path / f"{tokens}", {**how, "micro_batch_tokens": tokens}, checkpoint=still_checkpoint)[1]
        for tokens in (1, 10_000)
    ]
    assert far(*models) < 1e-5
    assert far(models[0], still_encoder) > 1e-3


def test_a_bfloat16_run_comes_near_to_a_float32_one(
    run: Runner, still_checkpoint: Path, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 4, "learning_rate": 1e-3}
    found = [
        run(tmp_path / f"{bf16}", {**how, "bf16": bf16}, checkpoint=still_checkpoint)
        for bf16 in (False, True)
    ]
    losses = [next(entry["loss"] for entry in outcome.log if "loss" in entry) for outcome, _ in found]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    vectors = [encode(model, TEXTS) for _, model in found]
    assert (vectors[0] * vectors[1]).sum(1).min() > 0.99
    assert model_sha256(found[0][1]) != model_sha256(found[1][1])
    assert {value.dtype for value in found[1][1].state_dict().values()} == {torch.float32}


def compiler() -> str | None:
    return shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")


@pytest.mark.slow
@pytest.mark.skipif(
    compiler() is None, reason="torch.compile needs a C++ compiler on a CPU, and there is none"
)
def test_a_compiled_model_gives_the_losses_of_a_plain_one(
    run: Runner, still_checkpoint: Path, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 3, "learning_rate": 1e-3, "micro_batch_tokens": 200}
    found = {}
    for wanted in (False, True):
        outcome, model = run(tmp_path / f"{wanted}", {**how, "compile": wanted}, checkpoint=still_checkpoint)
        found[wanted] = next(entry["loss"] for entry in outcome.log if "loss" in entry), model
    assert found[True][0] == pytest.approx(found[False][0], abs=1e-4)
    assert far(found[True][1], found[False][1]) < 1e-4
    assert not any("_compiled_call_impl" in vars(module) for module in found[True][1].modules())


def test_a_model_is_compiled_for_a_while(
    tiny_encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def compile_(function: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
        asked.append(settings)
        return function

    monkeypatch.setattr(torch, "compile", compile_)
    with pytest.raises(KeyError, match="a bug"), compiled(tiny_encoder, True):
        encode(tiny_encoder, TEXTS)
        assert asked == [{"dynamic": True}]
        raise KeyError("a bug")
    assert plain(tiny_encoder)
    with compiled(tiny_encoder, False):
        assert plain(tiny_encoder)
