"""Full-size weights on the Hugging Face hub: get them, and where that fails, say what to do about it."""

import errno
import shutil
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants, errors

# The root of all errors of the HTTP library under the hub's client: httpx in its version 1, httpx2 in 2.
_HTTPError = errors.HfHubHTTPError.__bases__[0]

ROOM = 2e9  # bytes of disk to leave free


class ModelUnavailable(RuntimeError):
    """A model that cannot be loaded here. The message says why and what to do next."""


@contextmanager
def explained(repository):
    """Turns what the hub refuses, or its silence, into `ModelUnavailable` with the next step."""
    try:
        yield
    except (
        errors.HfHubHTTPError,
        errors.OfflineModeIsEnabled,
        errors.LocalEntryNotFoundError,
        errors.DryRunError,
        _HTTPError,
        ConnectionError,
    ) as error:
        raise ModelUnavailable(_next_step(repository, _answer(error))) from error


def _answer(error):
    """The hub's own answer behind an error of its client; None if there was none."""
    while error is not None and not isinstance(error, errors.HfHubHTTPError):
        error = error.__cause__
    return error


def _next_step(repository, answer):
    """What to do about an answer of the hub, an error of huggingface_hub, or about none."""
    page = f"https://huggingface.co/{repository}"
    if answer is None:
        return (
            f"No connection to the hub, and {repository} has not been downloaded yet. Connect to the network "
            "(unset HF_HUB_OFFLINE), or use a postcard model: they ship with this project."
        )
    status = answer.response.status_code
    if isinstance(answer, errors.GatedRepoError):  # before its parent, RepositoryNotFoundError
        if status == 401:
            return (
                f"{repository} asks for a login. Make a token at https://huggingface.co/settings/tokens, "
                "then run `hf auth login` or set HF_TOKEN."
            )
        return (
            f"Your account has no access to {repository}. Open {page} and accept its licence; "
            "if you have, give your token access to gated repositories."
        )
    if isinstance(answer, errors.RepositoryNotFoundError):
        return f"{repository} was not found, or your token is not valid. See {page}; `hf auth login`."
    if isinstance(answer, (errors.RevisionNotFoundError, errors.EntryNotFoundError)):
        return (
            f"{repository} has changed on the hub: what was asked for is gone. Run this again, which asks for its "
            f"newest revision; {page}/commits/main shows what happened."
        )
    if status in (401, 403):
        return (
            f"The hub knows your token, but does not take it for {repository}: it is too narrow, or expired. At "
            "https://huggingface.co/settings/tokens allow it to read public gated repositories, or make one of the "
            "type Read; then `hf auth login`."
        )
    return (
        f"The hub answered with status {status} for {repository}. Try again later; "
        "https://status.huggingface.co tells whether it is down."
    )


def downloaded(repository, patterns):
    """The folder of the files of a repository that match, if all of them are here; else None. Needs no network."""
    here = {"cache_dir": constants.HF_HUB_CACHE}
    try:
        huggingface_hub.get_cached_repo_tree(
            repository, **here
        )  # without it, a file that lacks would go unseen
        folder = huggingface_hub.snapshot_download(
            repository, allow_patterns=patterns, local_files_only=True, **here
        )
    except (errors.CachedRepoTreeNotFoundError, errors.LocalEntryNotFoundError):
        return None
    return Path(folder)


def download(wanted):
    """Folders with the files of some repositories, downloaded if need be.

    What is here is used as it is, without asking the hub for something newer. The hub's client goes on by itself after
    a short break of the connection; after a long one, another call fetches the files that are not here whole.

    Args:
        wanted: {repository: patterns of its files}.

    Returns:
        {repository: folder}, each folder named for the revision.

    Raises:
        ModelUnavailable, with the next step, where access, a connection or room on the disk is missing.
    """
    folders = {repository: downloaded(repository, patterns) for repository, patterns in wanted.items()}
    missing = {name: _missing(name, wanted[name]) for name, folder in folders.items() if folder is None}
    if sum(missing.values()) + ROOM > _free() and any(missing.values()):
        raise ModelUnavailable(_disk_full(missing))
    return folders | {name: _fetch(name, wanted[name], missing) for name in missing}


def _missing(repository, patterns):
    """How many bytes are still to be downloaded, once the hub has let us in."""
    with explained(repository):
        huggingface_hub.auth_check(repository)
        files = huggingface_hub.snapshot_download(
            repository, cache_dir=constants.HF_HUB_CACHE, allow_patterns=patterns, dry_run=True
        )
    return sum(file.file_size for file in files if file.will_download)


def _fetch(repository, patterns, missing):
    try:
        with explained(repository):
            return Path(
                huggingface_hub.snapshot_download(
                    repository, cache_dir=constants.HF_HUB_CACHE, allow_patterns=patterns
                )
            )
    except (OSError, RuntimeError) as error:  # RuntimeError: ours from above, and all errors of hf_xet
        cause = error.__cause__ or error
        if getattr(cause, "errno", None) == errno.ENOSPC:
            raise ModelUnavailable(_disk_full(missing)) from cause
        if _answer(cause) or isinstance(cause, (PermissionError, NotADirectoryError)):
            raise  # these say themselves what to do
        raise ModelUnavailable(
            f"The download of {repository}, {missing[repository] / 1e9:.1f} GB, broke off ({cause}). Run this again: "
            "files that have arrived whole are kept."
        ) from cause


def _disk_full(missing):
    size = sum(missing.values()) / 1e9
    return (
        f"{' and '.join(missing)} take {size:.1f} GB more on the disk of {constants.HF_HUB_CACHE}, and "
        f"{ROOM / 1e9:.0f} GB of room; {_free() / 1e9:.1f} GB are free. Make room (`hf cache ls` lists what was "
        "downloaded before), or set HF_HOME to a folder on a larger disk before starting Python."
    )


def _free():
    """Bytes free where downloads go; the folder itself may not be there yet."""
    folder = Path(constants.HF_HUB_CACHE).expanduser()
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free
