"""The socket that a service listens on, taken before anything slow is begun."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

from cxr.errors import CxrError, UsageError

_HINT: Final = "name an address of this machine, such as 127.0.0.1"
_NOT_OURS: Final = (errno.EADDRNOTAVAIL, errno.EINVAL)
"""How a system refuses an address of another machine, and one of a link that is not named."""


class AddressError(CxrError):
    """The address cannot be listened on."""


def bind_address(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, and not yet listening: until then clients are turned away.

    Args:
        host: A name or an address of this machine.
        port: 0 for one that is free.

    Raises:
        AddressError: The port is taken or not permitted.
        UsageError: The host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(
            "the host is not known",
            where=f"--host {host}",
            hint=_HINT,
        ) from error
    bound = socket.socket(family, kind, protocol)
    # A service that stopped a moment ago is no reason to wait.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno in _NOT_OURS:
            problem = "the host is no address of this machine"
            raise UsageError(problem, where=f"--host {host}", hint=_HINT) from error
        raise explain_refusal(error, host, port) from error
    return bound


def explain_refusal(error: OSError, host: str, port: int) -> AddressError:
    """Return what the user is told where the system refuses an address."""
    return AddressError(
        f"the address cannot be listened on: {error.strerror or error}",
        where=f"{host}, port {port}",
        hint="stop what uses it, or name another port; --port 0 takes one that is free",
    )


def is_loopback(bound: socket.socket) -> bool:
    """Say whether only this machine can reach a socket."""
    return ipaddress.ip_address(bound.getsockname()[0]).is_loopback


def derive_url(bound: socket.socket) -> str:
    """Return where a socket is reached; of one on every address, by the one that it has itself."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"
