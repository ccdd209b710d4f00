"""The name of one request, in its answer and in the log."""

from __future__ import annotations

import re
import uuid
from typing import Final

HEADER: Final = "x-request-id"

_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A short token: nothing that a log or a terminal would obey, and no room for a report."""


def choose_request_id(given: bytes | None) -> str:
    """Return the client's name for a request where it is well-formed, else a new one."""
    if given is not None and _WELL_FORMED.fullmatch(given):
        return given.decode("ascii")
    return uuid.uuid4().hex
