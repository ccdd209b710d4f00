"""One JSON line for each request: what came of it, and nothing of what was sent."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
PATHS: Final = ("/predict", "/health", "/ready", "/version", "/openapi.json")
OTHER: Final = "other"
"""Stands for every method and path that there is not: a path may hold a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLog:
    """Writes events as JSON lines.

    Attributes:
        write: Takes one line.
        shows_requests: Whether requests are written, and not only errors.
        shows_clients: Whether a client's address is written.
    """

    write: Callable[[str], None]
    shows_requests: bool = True
    shows_clients: bool = False

    def tell(self, event: str, **fields: Any) -> None:
        """Write one event with the time in UTC.

        A disk that is full, or a reader that went away, costs no request its answer.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with contextlib.suppress(OSError):
            self.write(json.dumps({"time": now, "event": event, **fields}))

    def tell_request(
        self,
        *,
        request_id: str,
        method: str,
        path: str,
        status: int,
        duration_s: float,
        num_bytes: int,
        client: str | None,
    ) -> None:
        """Write what came of a request; ``num_bytes`` are those of its body that were read."""
        if not self.shows_requests:
            return
        self.tell(
            "request",
            request_id=request_id,
            method=method if method in METHODS else OTHER,
            path=path if path in PATHS else OTHER,
            status=status,
            duration_ms=round(duration_s * 1000, 1),
            bytes=num_bytes,
            **({"client": client} if self.shows_clients else {}),
        )


class ServerLogHandler(logging.Handler):
    """Passes on that the HTTP server met an error, by the error's type alone.

    Its message and traceback may hold what a client sent, and paths of this machine.
    """

    def __init__(self, log: RequestLog) -> None:
        super().__init__(level=logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the event."""
        raised = record.exc_info[0] if record.exc_info else None
        self._log.tell("error", error=raised.__name__ if raised else record.funcName)
