"""The model hub that huggingface_hub is set to: its address, and who asks it.

A token is read by huggingface_hub, from where it always reads it. It goes to the hub's own address
and to no other, whatever a redirect or an upload's instructions say.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cxr.errors import HubError, UsageError
from cxr.plain_text import show_plainly
from cxr.publication.client import LOOPBACK, PORTS, find_origin, set_up_client

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_HEADER: Final = "authorization"
_MAX_TIMEOUT_S: Final = 86_400
_READ_FROM: Final = "HF_TOKEN, HF_TOKEN_PATH or HF_OIDC_RESOURCE"
_LOG_IN_AGAIN: Final = "correct it, or log in again with hf auth login"


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
        return _HEADER in self.headers


def open_hub() -> Hub:
    """Return the hub that ``HF_ENDPOINT`` names, or the one that huggingface_hub knows.

    Nothing is asked yet, unless a token has to be had or renewed first. The client is set up for
    the whole process.

    Raises:
        HubError: A token cannot be had.
        UsageError: The address is none, holds a password, or would show the token to everybody; or
            huggingface_hub cannot use what it is set to.
    """
    endpoint, timeout_s = _read_settings()
    _require_sound_address(endpoint)
    headers = _read_headers()
    if _HEADER in headers:
        _require_private_way(endpoint)
    set_up_client(find_origin(endpoint))
    from huggingface_hub import HfApi

    return Hub(
        endpoint=endpoint, api=HfApi(endpoint=endpoint), headers=headers, timeout_s=timeout_s
    )


def _read_settings() -> tuple[str, float]:
    """Quieten huggingface_hub; return the hub's address, and how long it may take to answer.

    Raises:
        UsageError: A variable that must be a number of seconds is none.
    """
    try:
        # Not "from huggingface_hub import constants": on stderr that says itself what is wrong.
        import huggingface_hub.constants as constants  # noqa: PLR0402
    except ValueError:
        raise _explain_timeout() from None
    if not 0 < constants.HF_HUB_DOWNLOAD_TIMEOUT <= _MAX_TIMEOUT_S:
        raise _explain_timeout()
    from huggingface_hub.utils.logging import set_verbosity
    from huggingface_hub.utils.tqdm import disable_progress_bars

    set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    # Otherwise the hub is told which programs are installed, and asked for a list of programs.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    return constants.ENDPOINT.rstrip("/"), constants.HF_HUB_DOWNLOAD_TIMEOUT


def _explain_timeout() -> UsageError:
    return UsageError(
        f"a time limit of huggingface_hub is no number from 1 to {_MAX_TIMEOUT_S:,}",
        where="HF_HUB_DOWNLOAD_TIMEOUT or HF_HUB_ETAG_TIMEOUT",
        hint="set it to seconds, as 10, or leave it out",
    )


def _read_headers() -> dict[str, str]:
    """Return what the hub is sent with each question, by names in small letters.

    Raises:
        HubError: There is a token that cannot be had.
        UsageError: There is one that cannot be sent.
    """
    from huggingface_hub.errors import OIDCError
    from huggingface_hub.utils import (  # type: ignore[attr-defined] # found when asked for
        build_hf_headers,
        httpx,
    )

    try:
        headers = {name.lower(): value for name, value in build_hf_headers().items()}
    except (OSError, ValueError, KeyError, OIDCError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise HubError(
            f"the token for the hub cannot be had ({type(error).__name__})",
            where=_READ_FROM,
            hint=_LOG_IN_AGAIN,
        ) from None
    value = headers.get(_HEADER, "")
    if not (value.isascii() and value.isprintable()):
        raise UsageError(
            "the token for the hub is none: it has letters that cannot be sent",
            where=_READ_FROM,
            hint=_LOG_IN_AGAIN,
        )
    return headers


def _require_sound_address(endpoint: str) -> None:
    """Refuse an address that is none, or that holds a password.

    Raises:
        UsageError: Saying which.
    """
    hint = "set HF_ENDPOINT to an address as https://hub.example, or leave it out"
    try:
        parts = urlsplit(endpoint)
        find_origin(endpoint)
    except ValueError:
        raise UsageError("the hub's address is none", where="HF_ENDPOINT", hint=hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("the hub's address holds a password", where="HF_ENDPOINT", hint=hint)
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment:
        where = f"HF_ENDPOINT: {show_plainly(endpoint)[:100]}"
        raise UsageError("the hub's address is none", where=where, hint=hint)


def _require_private_way(endpoint: str) -> None:
    """Refuse to send a token over the network as it is.

    Raises:
        UsageError: It would be.
    """
    parts = urlsplit(endpoint)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise UsageError(
            "the token would go over the network for everybody to read",
            where=f"HF_ENDPOINT: {endpoint}",
            hint="use https, or set HF_HUB_DISABLE_IMPLICIT_TOKEN=1 to ask without a token",
        )
