"""Tables in Arrow: Parquet files, and Hugging Face data sets (``hf:owner/name:config@revision#split``)."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data.pairs_files.columns import (
    BadLines,
    Batches,
    Columns,
    find_layout,
    flat_columns,
    rows_of_columns,
)
from panglot.errors import PanglotError, first_line, hub_refusal
from panglot.files import parquet, parquet_batches

PREFIX = "hf:"
FORM = re.compile(
    r"(?P<name>[./~][^#]*|[^#@:]+)(:(?P<config>[^#@]+))?(@(?P<revision>[^#]+))?(#(?P<split>.+))?"
)


@dataclass(frozen=True)
class HubSource:
    """A data set that ``datasets`` loads."""

    name: str  # ``owner/name`` on the hub, or a folder
    config: str | None = None  # its configuration, where it has several
    revision: str | None = None  # a branch, tag or commit; a commit makes a run repeatable
    split: str | None = None  # which of its splits; None: the only one, or ``train``

    @property
    def is_folder(self) -> bool:
        """Whether the data set is a folder on this machine."""
        return self.name.startswith((".", "/", "~"))


def is_hub_source(source: str | Path) -> bool:
    """Say whether a source is spelled ``hf:...``."""
    return str(source).startswith(PREFIX)


def parse_hub_source(source: str | Path) -> HubSource:
    """Read ``hf:owner/name``, with ``:config``, ``@revision`` and ``#split`` where needed.

    What begins with ``.``, ``/`` or ``~`` is a folder: ``hf:./my-data#train``.
    """
    match = FORM.fullmatch(str(source).removeprefix(PREFIX))
    if match is None:
        raise PanglotError(
            f"'{source}' names no data set; write hf:owner/name:config@revision#split (the last three where "
            "needed), or hf:./folder#split."
        )
    return HubSource(**match.groupdict())


def open_hub_source(source: str | Path) -> Any:
    """Return the ``datasets.Dataset`` that a source names, memory-mapped."""
    import datasets
    from huggingface_hub.errors import HfHubHTTPError

    wanted = parse_hub_source(source)
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        found = _load(wanted)
    except (OSError, HfHubHTTPError) as error:  # the library's DatasetNotFound is a FileNotFoundError too
        known = None if wanted.is_folder else hub_refusal(error, "data set") or _refusal(wanted)
        raise PanglotError(f"{source}: {known or 'no such data set; check the path or id'}.") from error
    except (ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise PanglotError(f"{source}: cannot be loaded: {first_line(error)}.") from error
    finally:
        if bars:
            datasets.enable_progress_bars()
    return _split(found, wanted, source)


def _refusal(wanted: HubSource) -> str | None:
    """Ask the hub itself why it does not give a data set: ``datasets`` drops what it answered."""
    from huggingface_hub import HfApi

    try:
        HfApi().dataset_info(wanted.name, revision=wanted.revision, timeout=10)
    except Exception as error:  # each HTTP library has its own errors
        return hub_refusal(error, "data set")
    return None


def _load(wanted: HubSource) -> Any:
    import datasets

    folder = Path(wanted.name).expanduser()
    if wanted.is_folder and any((folder / name).exists() for name in ("state.json", "dataset_dict.json")):
        return datasets.load_from_disk(str(folder))
    if wanted.is_folder and not folder.is_dir():
        raise FileNotFoundError(folder)
    name = str(folder) if wanted.is_folder else wanted.name
    return datasets.load_dataset(name, wanted.config, revision=wanted.revision)


def _split(found: Any, wanted: HubSource, source: str | Path) -> Any:
    import datasets

    if isinstance(found, datasets.Dataset):
        if wanted.split not in (None, str(found.split)) and found.split is not None:
            raise PanglotError(f"{source}: has no split '{wanted.split}'; it is '{found.split}' alone.")
        return found
    splits = [str(name) for name in found]
    split = wanted.split or (splits[0] if len(splits) == 1 else "train")
    if split not in splits:
        raise PanglotError(f"{source}: has no split '{split}'; choose one with #: {', '.join(splits)}.")
    return found[split]


def read_hub(
    dataset: Any, columns: Columns | None, size: int, where: str, bad: BadLines | None = None
) -> Batches:
    """Read batches of ``SCHEMA`` with the number of each row; only needed columns are read."""

    def tables(used: list[str]) -> Iterable[pa.Table]:
        found: Iterable[pa.Table] = dataset.select_columns(used).with_format("arrow").iter(size)
        return found

    yield from _read_tables(dataset.features.arrow_schema, tables, columns, where, bad)


def names_in(schema: pa.Schema) -> list[str]:
    """Return the columns of a schema; what an object holds counts as columns of its own: ``query.en``."""
    return list(flat_columns(schema.empty_table()).column_names)


def parquet_names(path: Path) -> list[str]:
    """Return the columns of a Parquet file."""
    with parquet(path) as file:
        return names_in(file.schema_arrow)


def read_parquet(path: Path, columns: Columns | None, size: int, bad: BadLines | None = None) -> Batches:
    """Read batches of ``SCHEMA`` with the number of each row; only needed columns are read."""
    with parquet(path) as file:

        def tables(used: list[str]) -> Iterable[pa.Table]:
            return (pa.Table.from_batches([batch]) for batch in parquet_batches(file, size, used))

        yield from _read_tables(file.schema_arrow, tables, columns, str(path), bad)


def _read_tables(
    schema: pa.Schema,
    tables: Callable[[list[str]], Iterable[pa.Table]],
    columns: Columns | None,
    where: str,
    bad: BadLines | None,
) -> Batches:
    layout = find_layout(names_in(schema), columns, where)
    # query.en is in the column query
    used = [name for name in schema.names if any(f"{one}.".startswith(f"{name}.") for one in layout.used)]
    first = 1
    for table in tables(used):
        lines = np.arange(first, first + table.num_rows)
        yield rows_of_columns(flat_columns(table), layout, lines, first, where, bad)
        first += table.num_rows
