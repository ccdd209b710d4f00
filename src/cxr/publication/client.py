"""The HTTP client of a process: whom it tells who asks, what it goes through, how long it waits."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from cxr.errors import UsageError
from cxr.interruption import obey

Origin = tuple[str, str, int | None]

PORTS: Final = {"http": 80, "https": 443}
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_CONNECT_S: Final = 10
_SEND_S: Final = 120
"""How long the hub may take to answer an upload; a commit of many files takes it a while."""
_WAITS: Final = ("retry-after", "ratelimit")
"""Headers with which a server says how long to wait. The client would: without an end, and deaf to
signals. Without them it asks again after 1 to 8 s, five times."""


def find_origin(url: str) -> Origin:
    """Return scheme, host and port of an address.

    Raises:
        ValueError: It is none.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    # Otherwise it would fail when a connection is made, in words of the codec.
    host.encode("idna")
    return parts.scheme, host, parts.port or PORTS.get(parts.scheme)


def set_up_client(origin: Origin) -> None:
    """Let huggingface_hub ask with a client of cxr's, in the whole process.

    Args:
        origin: Of the hub: whom the token is for.

    Raises:
        UsageError: The variables that name proxies and certificates cannot be used.
    """
    import huggingface_hub
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # found when asked for

    huggingface_hub.set_client_factory(lambda: _make_client(origin))
    try:
        huggingface_hub.get_session()
    except (ValueError, TypeError, ImportError, OSError, httpx.InvalidURL) as error:
        # Its words are left out: a proxy's address may hold a password.
        raise UsageError(
            f"the proxies or certificates that are set cannot be used ({type(error).__name__})",
            where="HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE or SSL_CERT_DIR",
            hint="correct them, or unset them",
        ) from None


def _make_client(origin: Origin) -> Any:
    """Return a client that says who asks to nobody but the hub."""
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # found when asked for

    def guard(request: Any) -> None:
        if constants.HF_HUB_OFFLINE:
            raise OfflineModeIsEnabled("HF_HUB_OFFLINE")
        if find_origin(str(request.url)) != origin:
            request.headers.pop("authorization", None)
        if request.method != "GET":
            obey("sending to the hub; publishing again goes on")

    def forget_waits(response: Any) -> None:
        for name in _WAITS:
            response.headers.pop(name, None)

    return httpx.Client(
        event_hooks={"request": [guard], "response": [forget_waits]},
        follow_redirects=True,
        timeout=httpx.Timeout(_SEND_S, connect=_CONNECT_S),
        mounts=_keep_to_this_machine(origin),
    )


def _keep_to_this_machine(origin: Origin) -> dict[str, None]:
    """Return what a proxy is not asked for: a hub of this machine, to which http is good enough.

    A proxy elsewhere would be told the token, and everybody on the way to it.
    """
    host = origin[1]
    if host not in LOOPBACK:
        return {}
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None}
