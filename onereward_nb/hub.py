"""Full-size weights on the Hugging Face hub: may we have them, and if not, what to do about it."""

from contextlib import contextmanager

import huggingface_hub
from huggingface_hub import errors

# The root of all errors of the HTTP library under the hub's client: httpx in its version 1, httpx2 in 2.
_HTTPError = errors.HfHubHTTPError.__bases__[0]


class ModelUnavailable(RuntimeError):
    """A model that cannot be loaded here. The message says why and what to do next."""


@contextmanager
def explained(repository):
    """Turns what the hub refuses into `ModelUnavailable` with the next step."""
    page = f"https://huggingface.co/{repository}"
    try:
        yield
    except errors.GatedRepoError as error:  # before its parent, RepositoryNotFoundError
        if error.response.status_code == 401:
            say = (
                f"{repository} asks for a login. Make a token at https://huggingface.co/settings/tokens, "
                "then run `hf auth login` or set HF_TOKEN."
            )
        else:
            say = (
                f"Your account has no access to {repository}. Open {page} and accept its licence; "
                "if you have, give your token access to gated repositories."
            )
        raise ModelUnavailable(say) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"{repository} was not found, or your token is not valid. See {page}; `hf auth login`."
        ) from error
    except errors.HfHubHTTPError as error:
        raise ModelUnavailable(
            f"The hub answered with status {error.response.status_code} for {repository}. Try again later; "
            "https://status.huggingface.co tells whether it is down."
        ) from error
    except (
        errors.OfflineModeIsEnabled,
        errors.LocalEntryNotFoundError,
        _HTTPError,
        ConnectionError,
    ) as error:
        raise ModelUnavailable(
            f"No connection to the hub, and {repository} has not been downloaded yet. Connect to the network "
            "(unset HF_HUB_OFFLINE), or use a postcard model: they ship with this project."
        ) from error


def is_cached(repository, filename):
    """Whether a file of the repository has been downloaded before."""
    return isinstance(huggingface_hub.try_to_load_from_cache(repository, filename), str)


def check_access(repository, filename):
    """Raises `ModelUnavailable` unless the repository is here already or may be downloaded."""
    if is_cached(repository, filename):
        return
    with explained(repository):
        huggingface_hub.auth_check(repository)
