"""One request and its answer, seen from outside: name, time, rest of the body, and one log line.

This wraps the whole application, so that nothing that is answered goes without.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cxr.serving.limits import Limits
from cxr.serving.problems import MALFORMED, PROBLEM_JSON, RETRY_AFTER, Problem
from cxr.serving.request_id import HEADER, choose_request_id
from cxr.serving.request_log import RequestLog

CLOSED_BY_CLIENT: Final = 499
"""Logged where the client went away; nothing is sent. Source: nginx's log of the same."""

_LINGER_S: Final = 1.0
_LINGER_BODIES: Final = 4
"""How many times the largest body is read and thrown away of one that is refused, at most."""

_SET_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Exchanges:
    """An ASGI application around another one.

    Args:
        app: The application.
        limits: Of time, and of what is read of a body that is refused.
        log: Told of each request.
    """

    def __init__(self, app: ASGIApp, limits: Limits, log: RequestLog) -> None:
        self._app = app
        self._limits = limits
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = _Exchange(scope, receive, send, self._limits)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.request_s):
                if _count_header_bytes(scope) > self._limits.max_header_bytes:
                    await exchange.refuse(MALFORMED)
                else:
                    await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            await exchange.refuse(
                Problem(
                    status=503,
                    kind="timeout",
                    detail=f"the request took more than {self._limits.request_s:g} s",
                    headers=RETRY_AFTER,
                )
            )
        except asyncio.CancelledError:
            # Only the server does this, when its time to stop has run out.
            detail = "the service stops; ask again when it is back"
            await exchange.refuse(
                Problem(status=503, kind="stopping", detail=detail, headers=RETRY_AFTER)
            )
        finally:
            client = scope.get("client")
            self._log.tell_request(
                request_id=exchange.request_id,
                method=scope["method"],
                path=scope["path"],
                status=CLOSED_BY_CLIENT if exchange.is_gone else exchange.status,
                duration_s=time.monotonic() - started,
                num_bytes=exchange.num_bytes,
                client=client[0] if client else None,
            )


def _count_header_bytes(scope: Scope) -> int:
    """Return the size of a request's line and headers.

    The parser holds its own limit only against headers that do not arrive at once.
    """
    target = len(scope["raw_path"]) + len(scope["query_string"])
    return target + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


class _Exchange:
    """Counts what is received, and completes what is sent."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        headers = Headers(scope=scope)
        given = headers.get(HEADER)
        self.request_id = choose_request_id(given.encode("latin-1") if given else None)
        scope["cxr.request_id"] = self.request_id
        self.status = 0
        self.num_bytes = 0
        self.is_gone = False
        # Source: RFC 9112, section 6.3: what has neither header has no body.
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._is_read = not has_body
        self._waits_for_100 = "100-continue" in headers.get("expect", "").lower()
        self._receive, self._send = receive, send
        self._limits = limits

    async def receive(self) -> Message:
        """Pass on the next piece of the body, counted."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_gone = self.status == 0
        else:
            self._waits_for_100 = False
            self.num_bytes += len(message.get("body", b""))
            self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Pass on an answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            await self._discard_rest()
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.request_id
            headers.update(_SET_HEADERS)
            if not self._is_read:
                # Otherwise the server would go on taking the rest, however long it is.
                headers["connection"] = "close"
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer has begun."""
        if self.status:
            return
        body = problem.render(self.request_id)
        headers = {
            "content-type": PROBLEM_JSON,
            "content-length": str(len(body)),
            **problem.headers,
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})

    async def _discard_rest(self) -> None:
        """Take a bounded rest of a body that is not wanted, so that the client reads the answer.

        A connection that is closed on unread bytes is reset, and the answer with it.
        Source: RFC 9112, section 9.6.
        """
        if self._is_read or self._waits_for_100:
            return
        most = self.num_bytes + _LINGER_BODIES * self._limits.max_bytes
        try:
            async with asyncio.timeout(_LINGER_S):
                while not self._is_read and not self.is_gone and self.num_bytes <= most:
                    await self.receive()
        except TimeoutError:
            return
