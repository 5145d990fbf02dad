"""One run of one training tool in a process of its own; ``peers.py`` starts it, and tells what it is for.

python benchmarks/peer_run.py SETTINGS.json RESULT.json

Only torch and transformers are imported here, so that another environment's python can run it: panglot,
sentence-transformers and FlagEmbedding are each imported by the function that times them.
"""

import json
import re
import resource
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import DefaultFlowCallback

LEARNING_RATE = 2e-5
WEIGHT_DECAY = 0.01
TEMPERATURE = 0.05
NO_MEMORY = re.compile(
    r"alloc|out of memory|MemoryError|could not create a (primitive|memory)", re.IGNORECASE
)


@dataclass
class Watch:
    """What is seen of a run: when each step ended, the highest memory until then, the losses."""

    stamps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    loaded_mb: float = 0.0
    peak_mb: float = 0.0

    def step(self, number: int) -> None:
        """Note that a step, counted from 1, has ended; what is told again of it says nothing new."""
        if number > len(self.stamps):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.stamps.append(time.perf_counter())
            self.peak_mb = peak_mb()  # not later: saving a model, which not all tools do, is not measured

    def logged(self, figures: dict[str, float]) -> None:
        """Note a loss, if it is one."""
        if "loss" in figures:
            self.losses.append(float(figures["loss"]))


class Watcher(TrainerCallback):
    """Tells a ``Watch`` what transformers' Trainer does."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Note the memory with which training begins."""
        self.watch.loaded_mb = peak_mb()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Note the step."""
        self.watch.step(state.global_step)

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """Note the loss."""
        self.watch.logged(logs or {})


def main() -> None:
    """Run what the settings name, and write what was seen."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(settings["threads"])
    if not torch.cuda.is_available():  # CUDA maps more than it uses
        limit = int(settings["memory_gb"] * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    tools = {"stock": run_stock, "panglot": run_panglot, "flagembedding": run_flagembedding}
    watch = Watch()
    result: dict[str, Any] = {}
    try:
        result["version"] = tools[settings["tool"].removesuffix("-cached")](settings, watch)
        result |= {
            "seconds": [b - a for a, b in zip(watch.stamps, watch.stamps[1:], strict=False)],
            "losses": watch.losses,
            "loaded_mb": round(watch.loaded_mb),
            "peak_mb": round(watch.peak_mb),
        }
    except (RuntimeError, MemoryError) as error:
        if not NO_MEMORY.search(f"{type(error).__name__}: {error}"):
            raise
        result = {"error": "does not fit"}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


def peak_mb() -> float:
    """Return the most memory this process has held so far: of the GPU, or else resident."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def common_arguments(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what both other tools hand to transformers' Trainer; the optimizer is its default, AdamW."""
    return {
        "output_dir": settings["folder"],
        "max_steps": settings["steps"],
        "per_device_train_batch_size": settings["batch_size"],
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "constant",
        "weight_decay": WEIGHT_DECAY,
        "max_grad_norm": 1.0,
        "bf16": settings["precision"] == "bfloat16",
        "save_strategy": "no",
        "logging_steps": 1 if settings["compare_losses"] else settings["steps"],
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
    }


def run_stock(settings: dict[str, Any], watch: Watch) -> str:
    """Time SentenceTransformerTrainer with (Cached)MultipleNegativesRankingLoss, the batches in order."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )
    from torch.utils.data import SequentialSampler

    model = SentenceTransformer(settings["model"])
    model.max_seq_length = settings["max_length"]
    if settings["compare_losses"]:
        switch_off_dropout(model)
    loss: torch.nn.Module = MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
    if settings["tool"] == "stock-cached":
        loss = CachedMultipleNegativesRankingLoss(
            model, scale=1 / TEMPERATURE, mini_batch_size=settings["mini_batch"]
        )
    rows = [json.loads(line) for line in Path(settings["texts"]).read_text(encoding="utf-8").splitlines()]
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            **common_arguments(settings),
            prompts=dict(zip(("anchor", "positive"), settings["prompts"], strict=True)),
            batch_sampler=lambda data, **given: DefaultBatchSampler(SequentialSampler(data), **given),
        ),
        train_dataset=Dataset.from_dict(
            {"anchor": [row["query"] for row in rows], "positive": [row["pos"][0] for row in rows]}
        ),
        loss=loss,
        callbacks=[Watcher(watch)],
    )
    trainer.train()
    return f"sentence-transformers {version('sentence-transformers')}"


def run_panglot(settings: dict[str, Any], watch: Watch) -> str:
    """Time ``panglot.train`` on the sources themselves, from which it draws the same batches."""
    import panglot
    from panglot.data.catalogue.training import load_source
    from panglot.encoders import passage_prompt, query_prompt

    model = panglot.load_encoder(settings["model"], max_length=settings["max_length"])
    if settings["compare_losses"]:
        switch_off_dropout(model)
        log_every_step()
    assert [query_prompt(model), passage_prompt(model)] == settings["prompts"]
    sources = [load_source(Path(path)) for path in settings["sources"]]
    watch.loaded_mb = peak_mb()
    how: dict[str, Any] = {
        "steps": settings["steps"],
        "learning_rate": LEARNING_RATE,
        "schedule": "constant",
        "warmup": 0.0,
        "weight_decay": WEIGHT_DECAY,
        "bf16": settings["precision"] == "bfloat16",
        "gradient_cache": settings["tool"] == "panglot-cached",
        "micro_batch_tokens": settings["micro_batch_tokens"],
        "table": settings["table"],
    }

    def tell(report: Any) -> None:
        watch.step(report.step)
        watch.logged(report.figures)

    panglot.train(
        model,
        sources,
        settings["folder"],
        strategy="hybrid",
        batch_size=settings["batch_size"],
        temperature=TEMPERATURE,
        **{**how},
        progress=tell,
    )
    return f"panglot {version('panglot')}"


def run_flagembedding(settings: dict[str, Any], watch: Watch) -> str:
    """Time FlagEmbedding's encoder-only trainer without hard negatives, the batches in order."""
    from FlagEmbedding.finetune.embedder.encoder_only.base import (  # type: ignore[import-not-found]
        EncoderOnlyEmbedderDataArguments,
        EncoderOnlyEmbedderModelArguments,
        EncoderOnlyEmbedderRunner,
        EncoderOnlyEmbedderTrainingArguments,
    )

    runner = EncoderOnlyEmbedderRunner(
        model_args=EncoderOnlyEmbedderModelArguments(model_name_or_path=settings["model"]),
        data_args=EncoderOnlyEmbedderDataArguments(
            train_data=[settings["texts"]],
            cache_path=f"{settings['folder']}-cache",
            train_group_size=1,
            query_max_len=settings["max_length"],
            passage_max_len=settings["max_length"],
            query_instruction_for_retrieval=settings["prompts"][0],
            passage_instruction_for_retrieval=settings["prompts"][1],
        ),
        training_args=EncoderOnlyEmbedderTrainingArguments(
            **common_arguments(settings),
            temperature=TEMPERATURE,
            sentence_pooling_method=settings["pooling"],
            normalize_embeddings=True,
            train_sampling_strategy="sequential",
        ),
    )
    if settings["compare_losses"]:
        switch_off_dropout(runner.model)
    runner.trainer.add_callback(Watcher(watch))
    runner.trainer.train()
    return f"FlagEmbedding {version('FlagEmbedding')}"


def switch_off_dropout(model: torch.nn.Module) -> None:
    """Make training without dropout, so that two tools can compute the same loss."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def log_every_step() -> None:
    """Let transformers' Trainer log each step; ``panglot.train`` logs the mean of ten."""
    usual = DefaultFlowCallback.on_step_end

    def on_step_end(
        self: DefaultFlowCallback,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> TrainerControl:
        control = usual(self, args, state, control, **given)
        control.should_log = True
        return control

    DefaultFlowCallback.on_step_end = on_step_end  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
