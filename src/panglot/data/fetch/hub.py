"""Files of a data set on the Hugging Face hub, by the hub's own client (which resumes and checks)."""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from panglot.errors import PanglotError, hub_refusal
from panglot.files import explained

OTHER_WAYS = "copy the files by other means and give their folder with --from, or in PANGLOT_DATA"


def fetch_from_hub(repo: str, pattern: str, folder: Path, revision: str | None = None) -> list[Path]:
    """Fetch the files of a data set whose paths fit a pattern into ``folder``, under the same paths.

    Returns:
        The files, sorted.

    Raises:
        PanglotError: no connection, terms that were not accepted, or no such data set, revision or file.
    """
    from huggingface_hub import snapshot_download

    label = f"hub:{repo}{f'@{revision}' if revision else ''}/{pattern}"
    try:
        with explained(folder):
            snapshot_download(
                repo,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[pattern],
                local_dir=folder,
                max_workers=4,
            )
    except PanglotError:
        raise
    except Exception as error:
        if (refusal := hub_refusal(error, "data set")) is None:
            raise
        raise PanglotError(f"{label}: {refusal}; or {OTHER_WAYS}.") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    fetched = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and fnmatch(path.relative_to(folder).as_posix(), pattern)
    )
    if not fetched:
        raise PanglotError(f"{label}: the hub has no such file in that data set; {OTHER_WAYS}.")
    return fetched
