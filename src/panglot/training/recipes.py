"""Run a recipe: load what it names, train one model or one a language."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from panglot import encoders, training
from panglot.batches import make_sampler
from panglot.data import ParallelPairs, load_benchmark, pairs_from_benchmark
from panglot.data.catalogue.training import is_benchmark, load_source
from panglot.errors import PanglotError
from panglot.languages import check_languages, matches, matching
from panglot.training.checkpoints import MODEL_FILE, RUN_FILE, check_folder
from panglot.training.checks import check_settings, check_trackers
from panglot.training.config import TrainingConfig, override, parts_of, with_precision

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from panglot.training import Training
    from panglot.training.callbacks import OnStep


def run_recipe(
    recipe: TrainingConfig,
    output: Path,
    *,
    resume: bool = False,
    progress: OnStep | Literal[False] | None = None,
    note: Callable[[str], None] | None = None,
) -> dict[Path, Training]:
    """Train what a recipe describes.

    Returns:
        the outcome by folder: ``output`` alone, or with the strategy ``specific`` one ``output/LANGUAGE`` for
        each language that can fill a batch. A ``specific`` run that is resumed passes over finished models.
    """
    check_recipe(recipe)
    specific = recipe.batches.strategy == "specific" and recipe.batches.language is None
    if not specific:
        _check_output(recipe, output, resume)
    sources, held_out = _sources(recipe)
    able = _able(recipe, sources, note) if specific else []
    if specific:
        _check_outputs(recipe, output, able, resume)
    else:
        check_batches(recipe, sources)
    # what is below loads torch: whatever can be refused without has been
    check_trackers(recipe)
    recipe = with_precision(recipe)
    run = partial(train_recipe, recipe, sources=sources, held_out=held_out, progress=progress, note=note)
    if not specific:
        return {output: run(_load(recipe, note), output=output, resume=resume)}
    outcomes: dict[Path, Training] = {}
    for language in able:
        folder = output / language
        if resume and (folder / MODEL_FILE).exists() and not _lacks_means(recipe, folder):
            continue
        begun = resume and (folder / RUN_FILE).exists()
        model = _load(recipe, None if outcomes else note)
        outcomes[folder] = run(model, output=folder, language=language, resume=begun)
        if not outcomes[folder].finished:
            break
    return outcomes


def _check_output(recipe: TrainingConfig, folder: Path, resume: bool) -> None:
    """Refuse a folder that cannot be trained in, before a model is loaded; torchrun's first process does."""
    lacks_means = resume and recipe.model.centre and (folder / MODEL_FILE).exists()  # see train_recipe
    if os.environ.get("RANK", "0") == "0" and not lacks_means:
        check_folder(folder, resume, merged=recipe.merge is not None)


def _check_outputs(recipe: TrainingConfig, output: Path, languages: Sequence[str], resume: bool) -> None:
    """Refuse folders that cannot be trained in or, with ``resume``, languages of which none was begun."""
    if not resume:
        for language in languages:
            _check_output(recipe, output / language, resume)
    elif not any((output / language / RUN_FILE).exists() for language in languages):
        _check_output(recipe, output, resume)


def check_recipe(recipe: TrainingConfig) -> None:
    """Refuse a recipe without pairs, or with settings that exclude each other, before anything is loaded."""
    if not recipe.data.pairs:
        raise PanglotError("there is nothing to train on; name files with --pairs or data.pairs.")
    if recipe.merge is not None and (recipe.batches.strategy == "specific" or recipe.model.centre):
        raise PanglotError(
            "models of the strategy specific are not merged, and a merged model takes no model.centre; "
            "leave merge out, or centre the merged model with panglot centre."
        )
    held_out = bool(recipe.data.held_out or recipe.data.validation)
    check_settings(recipe, held_out, processes=int(os.environ.get("WORLD_SIZE", "1")))


def check_batches(recipe: TrainingConfig, sources: Sequence[ParallelPairs]) -> None:
    """Refuse batches that the sources cannot fill, before a model is loaded."""
    for config in parts_of(recipe).values():
        batches = config.batches
        make_sampler(batches.drawn_from(sources), steps=config.training.steps, **batches.sampler_settings())


def _load(recipe: TrainingConfig, note: Callable[[str], None] | None) -> SentenceTransformer:
    """Load the encoder, and say which prompts it puts before texts."""
    model = encoders.load_encoder(recipe.model.name, trust_remote_code=recipe.model.trust_remote_code)
    if note is not None:
        note(f"{recipe.model.name}: {encoders.describe_prompts(model)}")
    return model


def _sources(recipe: TrainingConfig) -> tuple[list[ParallelPairs], list[ParallelPairs]]:
    """Load the sources, keep the wanted languages, split off held-out documents."""
    data = recipe.data
    sources = [load_source(source, data.columns or None) for source in data.pairs]
    if data.languages is not None:
        sources = select_languages(sources, data.languages)
    validation = [load_validation(source, data.columns or None) for source in data.validation]
    if not data.held_out:
        return sources, validation
    splits = [source.split(data.held_out, recipe.training.seed) for source in sources]
    return [rest for rest, _ in splits], [*validation, *(out for _, out in splits)]


def load_validation(source: str, columns: Mapping[str, str] | None = None) -> ParallelPairs:
    """Load what a run is measured on while it trains: pairs, or a benchmark of the catalogue."""
    if is_benchmark(source) and not Path(source).exists():
        return pairs_from_benchmark(load_benchmark(source))
    return load_source(source, columns)


def select_languages(sources: Sequence[ParallelPairs], languages: Sequence[str]) -> list[ParallelPairs]:
    """Return the sources' pairs in some languages, without sources that have none."""
    there = sorted({code for source in sources for code in source.languages})
    wanted = check_languages(languages)
    for code in wanted:
        if not matching([code], there):
            raise PanglotError(f"no source has a pair in '{code}'; leave it out of the languages.")
    chosen = [source.select(languages=matching(wanted, there)) for source in sources]
    return [source for source in chosen if len(source)]


def _able(
    recipe: TrainingConfig, sources: list[ParallelPairs], note: Callable[[str], None] | None
) -> list[str]:
    """Return the languages that can fill a batch, and say why the others cannot."""
    able = []
    refusals = []
    drawn = recipe.batches.drawn_from(sources)
    there = {code for source in sources for code in source.languages}
    covered = {code for code in there for other in there if code != other and matches(other, code)}
    for language in sorted(there - covered):  # one model for de and de-AT
        try:
            make_sampler(drawn, strategy="specific", language=language, batch_size=recipe.batches.size)
            able.append(language)
        except PanglotError as error:
            refusals.append(error)
            if note is not None:
                note(f"no model is trained for '{language}': {error}")
    if not able:
        raise refusals[0]
    return able


def _lacks_means(recipe: TrainingConfig, folder: Path) -> bool:
    """Say whether a finished model still needs the means of its languages."""
    return recipe.model.centre and training.is_first() and not encoders.holds_language_means(folder)


def train_recipe(
    recipe: TrainingConfig,
    model: SentenceTransformer,
    sources: Sequence[ParallelPairs],
    output: Path,
    *,
    held_out: Sequence[ParallelPairs] = (),
    language: str | None = None,
    resume: bool = False,
    progress: OnStep | Literal[False] | None = None,
    note: Callable[[str], None] | None = None,
) -> Training:
    """Train a loaded model as a recipe says, on loaded pairs; see ``panglot.training.train``."""
    how: Any = {"held_out": held_out, "resume": resume, "progress": progress, "note": note}
    if recipe.merge is not None:
        from panglot.training.merge import train_merged  # a mistake in a recipe is answered without torch

        return train_merged(recipe, model, sources, output, **how)
    if resume and recipe.model.centre and (output / MODEL_FILE).exists():
        # what a killed run had left to do; the first process does it alone, and the others have no part in it
        if training.is_first():
            if encoders.holds_language_means(output):
                check_folder(output, resume)
            trained = encoders.load_encoder(str(output), trust_remote_code=recipe.model.trust_remote_code)
            encoders.save_language_means(output, encoders.means_of_pairs(trained, sources))
        return training.Training(recipe.training.steps, {}, [], finished=True)
    outcome = training.train(
        model,
        sources,
        output,
        config=recipe if language is None else override(recipe, {"batches.language": language}),
        model_name=recipe.model.name,
        **how,
    )
    if recipe.model.centre and outcome.finished and training.is_first():
        encoders.save_language_means(output, encoders.means_of_pairs(model, sources))
    return outcome
