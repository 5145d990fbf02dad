"""Files of a data set on the Hugging Face hub, by the hub's own client (which resumes and checks)."""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from panglot.errors import PanglotError
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
        raise _explain(label, error) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    fetched = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and fnmatch(path.relative_to(folder).as_posix(), pattern)
    )
    if not fetched:
        raise PanglotError(f"{label}: the hub has no such file in that data set; {OTHER_WAYS}.")
    return fetched


def _explain(label: str, error: Exception) -> PanglotError:
    """Say in a sentence what the hub's client raised; raise again what no network or hub is to blame for."""
    from huggingface_hub import errors

    own_words: list[tuple[type[Exception], str]] = [
        (
            errors.GatedRepoError,
            "its owners ask you to accept terms first; do so on the data set's page of the hub, then run "
            "'hf auth login' and this command again",
        ),
        (errors.RepositoryNotFoundError, "the hub has no such data set, or it is private"),
        (errors.RevisionNotFoundError, "the hub no longer has that revision"),
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set; unset it"),
    ]
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)  # type: ignore[arg-type]
    for kind, sentence in own_words:
        if any(isinstance(cause, kind) for cause in causes):
            return PanglotError(f"{label}: {sentence}; or {OTHER_WAYS}.")
    network = (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, ConnectionError, TimeoutError)
    if not isinstance(error, network) and not type(error).__module__.startswith("httpx"):
        raise error
    reason = str(error).strip().split("\n")[0].rstrip(".")
    return PanglotError(
        f"{label}: the hub did not answer as it should ({reason}); check the network and the proxy and run "
        f"the command again (it goes on where it stopped), or {OTHER_WAYS}."
    )
