"""Sending hostile requests to a service from several threads, and judging what comes back."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from support.hostile_requests import MARK, HostileRequest, make_hostile, make_stalled
from support.serving import HttpAnswer, Service, read_answers

SERVICE_OPTIONS = (
    *("--max-bytes", "300000"),
    *("--max-images", "4"),
    *("--body-seconds", "1"),
    *("--header-seconds", "1"),
    *("--keep-alive-seconds", "1"),
    *("--request-seconds", "20"),
)
"""Small limits, so that hitting them costs little."""

ALLOWED = {200, 400, 404, 405, 408, 413, 415, 422, 503}
_TELLTALE = (b"Traceback", b"/tmp", b"site-packages", b'File "', MARK.encode(), MARK[:9].encode())
_GOOD_EVERY = 20
_STALLED_EVERY = 100
_CLIENTS = 4


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a load.

    Attributes:
        statuses: How often each status was answered; 0 where a connection just ended.
        kinds: How often each kind of request was sent.
        good: Sound requests in between that got the expected bytes.
        faults: What should not be.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    good: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Add what came of more."""
        self.statuses += other.statuses
        self.kinds += other.kinds
        self.good += other.good
        self.faults += other.faults


def send_hostile(
    service: Service, numbers: range, good: tuple[str, bytes], expected: bytes
) -> Outcome:
    """Send requests, and sound ones in between.

    Args:
        service: Where to; started with `SERVICE_OPTIONS`.
        numbers: Which requests; see `make_hostile`.
        good: Name and bytes of an image that can be predicted.
        expected: The body that answers it, for the request ID ``good``.
    """
    outcome = Outcome()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        for found in pool.map(lambda number: _send_one(service, number, good, expected), numbers):
            outcome.add(found)
    return outcome


def _send_one(service: Service, number: int, good: tuple[str, bytes], expected: bytes) -> Outcome:
    outcome = Outcome()
    if number % _STALLED_EVERY == 1:
        stalled = HostileRequest(kind="stalled", content=make_stalled(number // _STALLED_EVERY))
        outcome.faults += _judge(service, stalled, outcome)
    request = make_hostile(number)
    outcome.faults += [f"request {number}: {fault}" for fault in _judge(service, request, outcome)]
    if number % _GOOD_EVERY == 0:
        answer = service.predict(good, request_id="good")
        if (answer.status, answer.body) == (200, expected):
            outcome.good += 1
        else:
            outcome.faults.append(f"after request {number}: {answer.status} {answer.body[:300]!r}")
    return outcome


def _judge(service: Service, request: HostileRequest, outcome: Outcome) -> list[str]:
    """Send one request and say what is wrong with what came back."""
    outcome.kinds[request.kind] += 1
    try:
        answers = _exchange(service, request)
    except TimeoutError:
        return [f"{request.kind}: neither answered nor ended"]
    except ValueError as error:
        return [f"{request.kind}: {error}"]
    outcome.statuses.update([answer.status for answer in answers] or [0])
    return [f"{request.kind}: {fault}" for answer in answers for fault in _find_faults(answer)]


def _exchange(service: Service, request: HostileRequest) -> list[HttpAnswer]:
    with service.connect() as connection:
        # It may be refused before it was sent whole; the answer may have come all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request.content)
        return (
            []
            if request.hangs_up
            else read_answers(connection, request.most, has_body=not request.asks_head)
        )


def _find_faults(answer: HttpAnswer) -> Iterator[str]:
    if answer.status not in ALLOWED:
        yield f"status {answer.status}: {answer.body[:300]!r}"
    if "x-request-id" not in answer.headers:
        yield f"status {answer.status} without a request ID"
    for word in _TELLTALE:
        if word in answer.body:
            yield f"{word!r} in {answer.body[:300]!r}"
    kind = answer.headers.get("content-type")
    wanted = "application/json" if answer.status == 200 else "application/problem+json"
    if kind != wanted:
        yield f"status {answer.status} as {kind}"
