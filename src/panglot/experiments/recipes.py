"""Run a recipe: load what it names, train one model or one a language."""

from collections.abc import Callable
from pathlib import Path

from panglot.batches import make_sampler
from panglot.data import ParallelPairs, load_pairs, pairs_from_benchmark, read_lareqa
from panglot.encoders import load_encoder
from panglot.errors import PanglotError
from panglot.languages import check_languages
from panglot.training import Optimisation, Recipe, StepReport, Training, train


def load_source(path: Path) -> ParallelPairs:
    """Load training pairs from a file, or from a folder of LAReQA (its questions and answer sentences)."""
    if path.is_dir():
        return pairs_from_benchmark(read_lareqa(path, path.name))
    return load_pairs(path)


def run_recipe(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    tell: Callable[[StepReport], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> dict[Path, Training]:
    """Train what a recipe describes.

    Returns:
        the outcome by folder: ``output`` alone, or with the strategy ``specific`` one ``output/LANGUAGE`` for
        each language that can fill a batch. A ``specific`` run that is resumed passes over finished models.
    """
    sources, held_out = _sources(recipe)
    if recipe.batches.strategy != "specific" or recipe.batches.language is not None:
        return {
            output: _train(recipe, sources, held_out, output, recipe.batches.language, resume, tell, note)
        }
    outcomes: dict[Path, Training] = {}
    for language in _able(recipe, sources, note):
        folder = output / language
        if resume and (folder / "modules.json").exists():
            continue
        begun = resume and (folder / "run.json").exists()
        outcome = _train(recipe, sources, held_out, folder, language, begun, tell, note)
        outcomes[folder] = outcome
        if not outcome.finished:
            break
    return outcomes


def _sources(recipe: Recipe) -> tuple[list[ParallelPairs], list[ParallelPairs]]:
    """Load the sources, keep the wanted languages, split off held-out documents."""
    data = recipe.data
    if not data.pairs:
        raise PanglotError("there is nothing to train on; name files with --pairs or data.pairs.")
    sources = [load_source(path) for path in data.pairs]
    if data.languages is not None:
        check_languages(data.languages)
        for code in data.languages:
            if not any(code in source.languages for source in sources):
                raise PanglotError(f"no source has a pair in '{code}'; leave it out of the languages.")
        sources = [source.select(languages=data.languages) for source in sources]
        sources = [source for source in sources if len(source)]
    if not data.held_out:
        return sources, []
    splits = [source.split(data.held_out, recipe.training.seed) for source in sources]
    return [rest for rest, _ in splits], [out for _, out in splits]


def _able(recipe: Recipe, sources: list[ParallelPairs], note: Callable[[str], None] | None) -> list[str]:
    """Return the languages that can fill a batch, and say why the others cannot."""
    able = []
    refusals = []
    for language in sorted({code for source in sources for code in source.languages}):
        try:
            make_sampler(sources, strategy="specific", language=language, batch_size=recipe.batches.size)
            able.append(language)
        except PanglotError as error:
            refusals.append(error)
            if note is not None:
                note(f"no model is trained for '{language}': {error}")
    if not able:
        raise refusals[0]
    return able


def _train(
    recipe: Recipe,
    sources: list[ParallelPairs],
    held_out: list[ParallelPairs],
    output: Path,
    language: str | None,
    resume: bool,
    tell: Callable[[StepReport], None] | None,
    note: Callable[[str], None] | None,
) -> Training:
    model = load_encoder(
        recipe.model.name,
        trust_remote_code=recipe.model.trust_remote_code,
    )
    batches = recipe.batches
    return train(
        model,
        sources,
        output,
        strategy=batches.strategy,
        alpha=batches.alpha,
        batch_size=batches.size,
        language=language,
        language_temperature=batches.language_temperature,
        source_temperature=batches.source_temperature,
        temperature=recipe.objective.temperature,
        optimisation=Optimisation(**recipe.training.model_dump()),
        held_out=held_out,
        held_out_items=recipe.data.held_out_items,
        model_name=recipe.model.name,
        resume=resume,
        tell=tell,
        note=note,
    )
