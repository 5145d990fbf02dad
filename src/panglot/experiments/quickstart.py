"""The quickstart: one encoder on the bundled sample, before training, after mixed and hybrid batches."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from panglot.data import Benchmark, FloatArray, sample_benchmark, sample_pairs
from panglot.encoders.embedded import EMBEDDED

if TYPE_CHECKING:
    from panglot.evaluation import Evaluation
    from panglot.training.callbacks import OnStep

QUESTIONS = (("es", "geography"), ("ar", "plants"), ("zh", "money"))  # a language and a topic each
STRATEGIES = ("mixed", "hybrid")
STEPS, BATCH, LEARNING_RATE = 12, 32, 4e-5  # one budget for both: 20 seconds each on two cores
HITS = 5


@dataclass(frozen=True)
class Hit:
    """A passage found: its language, its text, and whether it answers the question."""

    language: str
    text: str
    right: bool


@dataclass(frozen=True)
class Answer:
    """A question, the code of its language, and the first passages of all languages for it, best first."""

    question: str
    language: str
    hits: list[Hit]


@dataclass(frozen=True)
class Stage:
    """The encoder at one stage of the quickstart.

    Attributes:
        name: ``zero-shot``, or the strategy that it was trained with.
        evaluation: on the held-out part of the sample.
        other_rank: median rank of the right passages in other languages, in the pool of all languages.
        answers: to each of ``QUESTIONS``.
    """

    name: str
    evaluation: "Evaluation"
    other_rank: float
    answers: list[Answer]

    @property
    def own_wins(self) -> float:
        """How often, of two right passages, that in the question's language ranks higher: from 0 to 1."""
        return float(self.evaluation.results["bias"]["own_language_wins"])


def quickstart(
    output: str | Path,
    *,
    model: str = EMBEDDED,
    say: Callable[[str], None] = print,
    progress: "OnStep | Literal[False] | None" = None,
) -> list[Stage]:
    """Train an encoder on the sample with mixed and with hybrid batches; measure it before and after.

    Writes each model to ``output/STRATEGY`` and the results to ``output/NAME.json``.
    """
    # these load torch, which a mistake in the command does not need
    from panglot.encoders import computes_bfloat16, encode, load_encoder, passage_prompt, query_prompt
    from panglot.evaluation import evaluate
    from panglot.evaluation.ranks import exact_ranks
    from panglot.training import train, training_of

    folder = Path(output)
    benchmark, pairs = sample_benchmark(), sample_pairs()
    stages = []
    for name in ("zero-shot", *STRATEGIES):
        say(f"loading {model}")
        encoder = load_encoder(model)
        if name in STRATEGIES:
            say(f"{name}: training {STEPS} steps of {BATCH} pairs in {len(pairs.languages)} languages")
            outcome = train(
                encoder,
                pairs,
                folder / name,
                strategy=name,
                batch_size=BATCH,
                steps=STEPS,
                learning_rate=LEARNING_RATE,
                model_name=model,
                progress=progress,
            )
            if not outcome.finished:  # by Ctrl-C
                raise KeyboardInterrupt
        say(f"{name}: measuring on {len(benchmark.queries)} held-out questions")
        fast = computes_bfloat16()
        vectors = (
            encode(encoder, benchmark.queries.texts, query_prompt(encoder), bf16=fast),
            encode(encoder, benchmark.passages.texts, passage_prompt(encoder), bf16=fast),
        )
        trained = training_of(folder / name) if name in STRATEGIES else None
        evaluation = evaluate(
            encoder, benchmark, name=name, training=trained, bf16=fast, embeddings=vectors, progress=False
        )
        evaluation.save(folder / f"{name}.json")
        ranks = exact_ranks(benchmark, *vectors)
        asked = benchmark.queries.languages[ranks.query]
        others = asked != benchmark.passages.languages[ranks.passage]
        answers = [_answer(benchmark, language, topic, *vectors) for language, topic in QUESTIONS]
        stages.append(Stage(name, evaluation, float(np.median(ranks.in_all[others])), answers))
    return stages


def _answer(
    benchmark: Benchmark, language: str, topic: str, queries: FloatArray, passages: FloatArray
) -> Answer:
    """Search for the first question of a topic in a language."""
    ids = benchmark.queries.ids
    row = next(k for k, name in enumerate(ids) if name.startswith(topic) and name.endswith(f":{language}"))
    right = set(benchmark.judged_passage[benchmark.judged_query == row].tolist())
    texts, best = benchmark.passages, np.argsort(-(passages @ queries[row]), kind="stable")[:HITS]
    hits = [Hit(benchmark.languages[texts.languages[k]], texts.texts[k], int(k) in right) for k in best]
    return Answer(benchmark.queries.texts[row], language, hits)
