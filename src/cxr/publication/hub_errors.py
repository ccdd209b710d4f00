"""What a hub's refusals and its client's errors mean, in words of cxr's own.

No error repeats what the hub or the client said: a hub may say a token back, and a client may name
what it was to send.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Final

from cxr.errors import CxrError, HubError, StorageError

_LOGIN: Final = "log in with hf auth login, or set HF_TOKEN, as somebody who may do this"
_ANSWERS: Final = {
    400: (
        "it does not accept what was sent",
        "check the names; cxr publish without --yes shows all",
    ),
    401: ("it asks who you are, or there is no such repository", _LOGIN),
    403: ("you may not do this there", _LOGIN),
    404: ("it has no such repository, revision or file", "check the name and the revision"),
    409: ("something else stands there, or came in between", "look at the repository; try again"),
    412: ("the repository was changed in between", "see what came; then publish again"),
    413: ("what was sent is too large for it", "ask the hub for its limits"),
    429: ("too many questions were asked", "wait a while, then try again"),
}
"""What a status means, and what to do."""


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what the client raises in the block into an error of cxr's, in words of cxr's own.

    Args:
        where: What is asked for, as ``group/model at https://hub.example``.

    Raises:
        HubError: The hub could not be asked, refuses, or answers something else than a hub.
        StorageError: A file here could not be read or written meanwhile.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # found when asked for

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OfflineModeIsEnabled:
        raise explain_offline(where) from None
    except (HfHubHTTPError, httpx.HTTPStatusError) as error:
        raise explain_status(error.response.status_code, where) from None
    except httpx.HTTPError as error:
        raise explain_silence(error, where) from None
    except OSError as error:
        raise StorageError(
            f"cannot read or write: {error.strerror or type(error).__name__}",
            where=str(error.filename or where),
            hint="check the disk and its permissions, then try again",
        ) from None
    except (ValueError, RuntimeError, TypeError, LookupError, AttributeError, NameError) as error:
        # The client wraps what an upload raises, and trusts that answers have their fields; where
        # a file is named that was not sent, it reads a variable that was never set.
        cause = error.__cause__
        if isinstance(cause, CxrError):
            raise cause from None
        if isinstance(cause, HfHubHTTPError):
            raise explain_status(cause.response.status_code, where) from None
        if isinstance(cause, httpx.HTTPError):
            raise explain_silence(cause, where) from None
        raise HubError(
            f"the hub does not answer as a hub does ({type(error).__name__})",
            where=where,
            hint="see that HF_ENDPOINT is a model hub; try again",
        ) from None


def explain_offline(where: str) -> HubError:
    """Return the error for a hub that the user's own setting keeps us from."""
    return HubError(
        "the hub may not be asked: HF_HUB_OFFLINE is set",
        where=where,
        hint="unset it, and go online",
    )


def explain_status(status: int, where: str) -> HubError:
    """Return the error for a status that is none of success."""
    known = _ANSWERS.get(status)
    if known is None and status >= 500:  # noqa: PLR2004 - the class of the server's own errors
        known = ("it cannot answer now", "try again later; what was sent is not lost")
    said, hint = known or ("it answers something unexpected", "see that HF_ENDPOINT is a model hub")
    return HubError(f"the hub refuses, with status {status}: {said}", where=where, hint=hint)


def explain_silence(error: Exception, where: str) -> HubError:
    """Return the error for an answer that did not come, or broke off."""
    return HubError(
        f"the hub cannot be reached, or its answer broke off ({type(error).__name__})",
        where=where,
        hint="check the network and HF_ENDPOINT, then try again",
    )
