"""What a client is told when its request is refused: problem details, and nothing of this machine.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER: Final = {"retry-after": "1"}
"""Seconds after which a place may be free. Source: RFC 9110, section 10.2.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request is not answered.

    Attributes:
        status: HTTP status.
        kind: A short name that programs may compare.
        detail: What is wrong, in one line, quoting nothing that the client sent.
        headers: Further headers of the answer.
        more: Further members of the document.
    """

    status: int
    kind: str
    detail: str
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def render(self, request_id: str) -> bytes:
        """Return the document."""
        document = {
            "type": f"urn:cxr:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            **self.more,
        }
        return render_json(document)

    def render_response(self, request_id: str) -> bytes:
        """Return a whole HTTP/1.1 response, for where no request could be read."""
        body = self.render(request_id)
        head = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"content-type: {PROBLEM_JSON}",
            f"content-length: {len(body)}",
            f"x-request-id: {request_id}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            "connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode("ascii") + body


MALFORMED: Final = Problem(
    status=400,
    kind="malformed-request",
    detail="this is no HTTP/1.1 request, or its headers are too large",
)
"""Of what the parser of HTTP refuses; it does not say why."""


class RefusedRequest(Exception):  # noqa: N818 - an answer, and no fault of the service
    """A request that is answered with a problem."""

    def __init__(self, status: int, kind: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.problem = Problem(status=status, kind=kind, detail=detail, **more)


def render_json(document: Any) -> bytes:
    """Return a document as ASCII; each number reads back to the same bits."""
    return json.dumps(document, ensure_ascii=True, allow_nan=False).encode("ascii")
