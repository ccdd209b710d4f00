"""The model hub that huggingface_hub is set to: its address, its client, and what its errors mean.

A token is read by huggingface_hub, from where it always reads it. It goes to the hub's own address
and to no other, whatever a redirect or an upload's instructions say. No error repeats what the hub
or the client said in words of their own: a hub may say a token back.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cxr.errors import CxrError, HubError, StorageError, UsageError
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Origin = tuple[str, str, int | None]

_PORTS: Final = {"http": 80, "https": 443}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_CONNECT_S: Final = 10
_SEND_S: Final = 120
"""How long the hub may take to answer an upload; a commit of many files takes it a while."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A hub, and the client that asks it.

    Attributes:
        endpoint: Its address, without a slash at the end.
        api: huggingface_hub's client.
        headers: Sent to the hub, a token among them if there is one; to nobody else.
        timeout_s: How long it may take to answer, or between two pieces of an answer.
    """

    endpoint: str
    api: HfApi
    headers: dict[str, str] = field(repr=False)
    timeout_s: float

    @property
    def has_token(self) -> bool:
        """Whether the hub is told who asks."""
        return "authorization" in self.headers

    @property
    def origin(self) -> Origin:
        """Scheme, host and port: whom the token is for."""
        return find_origin(self.endpoint)


def open_hub() -> Hub:
    """Return the hub that ``HF_ENDPOINT`` names, or the one that huggingface_hub knows.

    Nothing is asked yet. The client is set up for the whole process.

    Raises:
        UsageError: The address is none, holds a password, or would show the token to everybody.
    """
    import huggingface_hub
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # as below
    from huggingface_hub.utils.logging import set_verbosity
    from huggingface_hub.utils.tqdm import disable_progress_bars

    set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    # Otherwise the hub is told which programs are installed, and asked for a list of programs.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    endpoint = constants.ENDPOINT.rstrip("/")
    headers = {name.lower(): value for name, value in build_hf_headers().items()}
    hub = Hub(
        endpoint=endpoint,
        api=HfApi(endpoint=endpoint),
        headers=headers,
        timeout_s=constants.HF_HUB_DOWNLOAD_TIMEOUT,
    )
    _require_sound_address(hub)
    huggingface_hub.set_client_factory(lambda: _make_client(hub.origin))
    return hub


def find_origin(url: str) -> Origin:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _require_sound_address(hub: Hub) -> None:
    """Refuse an address that a token must not be sent to, or that is none."""
    hint = "set HF_ENDPOINT to an address as https://hub.example, or leave it out"
    try:
        parts = urlsplit(hub.endpoint)
        find_origin(hub.endpoint)
    except ValueError:
        raise UsageError("the hub's address is none", where="HF_ENDPOINT", hint=hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("the hub's address holds a password", where="HF_ENDPOINT", hint=hint)
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        where = f"HF_ENDPOINT: {show_plainly(hub.endpoint)[:100]}"
        raise UsageError("the hub's address is none", where=where, hint=hint)
    if parts.scheme == "http" and hub.has_token and parts.hostname not in _LOOPBACK:
        raise UsageError(
            "the token would go over the network for everybody to read",
            where=f"HF_ENDPOINT: {hub.endpoint}",
            hint="use https, or set HF_HUB_DISABLE_IMPLICIT_TOKEN=1 to ask without a token",
        )


def _make_client(origin: Origin) -> Any:
    """Return the client of a process, which says who asks to nobody but the hub."""
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # found when asked for

    def guard(request: Any) -> None:
        if constants.HF_HUB_OFFLINE:
            raise OfflineModeIsEnabled("HF_HUB_OFFLINE")
        if find_origin(str(request.url)) != origin:
            request.headers.pop("authorization", None)

    timeout = httpx.Timeout(_SEND_S, connect=_CONNECT_S)
    return httpx.Client(event_hooks={"request": [guard]}, follow_redirects=True, timeout=timeout)


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
    except (ValueError, RuntimeError, TypeError, KeyError, AttributeError) as error:
        # The client wraps what an upload raises, and trusts that answers have their fields.
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
