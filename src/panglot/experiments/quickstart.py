"""The quickstart: hybrid batch training on the bundled sample, before and after, in under three minutes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panglot.data import Benchmark, sample_benchmark, sample_pairs
from panglot.encoders import EMBEDDED, encode, load_encoder, passage_prompt
from panglot.evaluation import Evaluation, evaluate
from panglot.search import Hit, search
from panglot.training import Optimisation, StepReport, train, training_of

SEARCHED = (("es", "geography"), ("ar", "plants"), ("zh", "money"))  # a language and a topic each
# the rates and the temperature of recipes/use-multilingual.toml
OPTIMISATION = Optimisation(steps=60, learning_rate=1e-4, table_learning_rate=1e-3)
TEMPERATURE = 0.1
BATCH = 48


@dataclass(frozen=True)
class Quickstart:
    """What the quickstart found.

    Attributes:
        benchmark: the held-out part of the sample.
        before: the encoder as it comes.
        after: the encoder after training.
        searches: query row, and the best passages of all languages for it, after training.
    """

    benchmark: Benchmark
    before: Evaluation
    after: Evaluation
    searches: list[tuple[int, list[Hit]]]


def quickstart(
    output: str | Path,
    *,
    say: Callable[[str], None] = print,
    tell: Callable[[StepReport], None] | None = None,
) -> Quickstart:
    """Train ``use-multilingual`` on the sample with hybrid batches, evaluate before and after, search.

    Writes the model to ``output/model`` and the results to ``before.json`` and ``after.json``.
    """
    folder = Path(output)
    benchmark, pairs = sample_benchmark(), sample_pairs()
    say(f"loading the embedded encoder {EMBEDDED}")
    model = load_encoder(EMBEDDED)
    say(f"evaluating it as it comes on {len(benchmark.queries)} held-out questions")
    before = evaluate(model, benchmark, name=EMBEDDED)
    before.save(folder / "before.json")
    say(f"training {OPTIMISATION.steps} steps on {len(pairs)} items in {len(pairs.languages)} languages")
    train(
        model,
        [pairs],
        folder / "model",
        strategy="hybrid",
        alpha=0.5,
        batch_size=BATCH,
        temperature=TEMPERATURE,
        optimisation=OPTIMISATION,
        model_name=EMBEDDED,
        tell=tell,
    )
    say("evaluating it again")
    description: dict[str, Any] | None = training_of(folder / "model")
    after = evaluate(model, benchmark, name="hybrid", training=description)
    after.save(folder / "after.json")
    vectors = encode(model, benchmark.passages.texts, passage_prompt(model))
    searches = []
    for language, topic in SEARCHED:
        row = next(
            k
            for k, name in enumerate(benchmark.queries.ids)
            if name.startswith(topic) and name.endswith(f":{language}")
        )
        searches.append((row, search(model, benchmark.queries.texts[row], benchmark.passages, vectors)))
    return Quickstart(benchmark, before, after, searches)
