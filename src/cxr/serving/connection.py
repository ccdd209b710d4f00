"""A connection that does not wait for ever: for headers, for a reader, or beside too many others.

uvicorn has no time limit before a request's headers are whole, and answers what is no HTTP in plain
text.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from cxr.serving.limits import Limits
from cxr.serving.problems import MALFORMED, RETRY_AFTER, Problem
from cxr.serving.request_id import choose_request_id
from cxr.serving.request_log import RequestLog


class BoundedConnection(H11Protocol):
    """uvicorn's connection with time limits.

    Args:
        limits: Of time, and of the number of connections.
        log: Told of what is cut off before it is a request.
        options: What uvicorn passes.
    """

    def __init__(self, *, limits: Limits, log: RequestLog, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._log = log
        self._header_clock: asyncio.TimerHandle | None = None
        self._reader_clock: asyncio.TimerHandle | None = None
        self._has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, or refuse one connection too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            detail = f"{self._limits.connections} connections are open; try again"
            self._refuse(Problem(status=503, kind="busy", detail=detail, headers=RETRY_AFTER))
            return
        self._start_header_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_header_clock()
        self._stop_reader_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request's headers must be whole before the clock runs out."""
        if self.transport.is_closing():
            return
        self._has_begun = True
        super().data_received(data)
        self._watch_headers()

    def on_response_complete(self) -> None:
        """Go on with the next request, if one is there already."""
        self._has_begun = False
        super().on_response_complete()
        if not self._is_between_requests():
            self._stop_header_clock()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, for a while."""
        super().pause_writing()
        self._reader_clock = self.loop.call_later(self._limits.body_s, self._abort)

    def resume_writing(self) -> None:
        """Go on: it reads."""
        self._stop_reader_clock()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; the library's message is not passed on."""
        del msg
        if self.cycle is not None and self.cycle.response_started and self._is_in_request():
            self._abort()
            return
        self._refuse(MALFORMED)

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_in_request(self) -> bool:
        return not self._is_between_requests()

    def _watch_headers(self) -> None:
        if self.transport.is_closing() or self._is_in_request():
            self._stop_header_clock()
        elif self._header_clock is None:
            self._start_header_clock()

    def _start_header_clock(self) -> None:
        self._header_clock = self.loop.call_later(self._limits.header_s, self._end_headers)

    def _stop_header_clock(self) -> None:
        if self._header_clock is not None:
            self._header_clock.cancel()
            self._header_clock = None

    def _stop_reader_clock(self) -> None:
        if self._reader_clock is not None:
            self._reader_clock.cancel()
            self._reader_clock = None

    def _end_headers(self) -> None:
        """Cut off a request whose headers are not whole; a connection without a byte just ends."""
        self._header_clock = None
        if self._has_begun:
            detail = f"the headers did not arrive within {self._limits.header_s:g} s"
            self._refuse(Problem(status=408, kind="slow-headers", detail=detail))
        else:
            self._abort()

    def _refuse(self, problem: Problem) -> None:
        """Answer without a request, and close."""
        request_id = choose_request_id(None)
        self._log.tell(
            "refused", request_id=request_id, status=problem.status, problem=problem.kind
        )
        self.transport.write(problem.render_response(request_id))
        self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()
