"""``cxr serve``: what a request may cost, and what it gets that costs more."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.dicoms import draw_values, make_dicom, write_dicom
from support.hostile_images import JPEG, draw_picture, encode
from support.program import wait_until
from support.recipes import images
from support.runs import FinishedRuns, Run
from support.serving import (
    HttpAnswer,
    Service,
    encode_form,
    form_type,
    read_answers,
    started_service,
)

OPTIONS = (
    *("--max-bytes", "30000"),
    *("--max-images", "2"),
    *("--max-pixels", "5000"),
    *("--max-header-bytes", "4096"),
    *("--header-seconds", "1"),
    *("--body-seconds", "1"),
    *("--keep-alive-seconds", "1"),
    *("--parallel", "2"),
    *("--parallel-per-client", "1"),
    *("--connections", "6"),
)
BODY = encode_form([("a.jpeg", JPEG)])
MALFORMED = (400, "malformed-request")


@pytest.fixture(scope="module")
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(images(radiographs))


@pytest.fixture(scope="module")
def service(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("limits") / "log"
    with started_service(run.directory, log, *OPTIONS, "--log-clients") as service:
        yield service


def head(*lines: str, length: int | None = len(BODY)) -> bytes:
    """Return the head of a request for predictions."""
    own = [] if length is None else [f"Content-Length: {length}"]
    start = ["POST /predict HTTP/1.1", "Host: x", f"Content-Type: {form_type()}"]
    return "\r\n".join([*start, *own, *lines, "", ""]).encode()


def send(service: Service, content: bytes) -> HttpAnswer:
    """Send bytes on a connection of its own and return the answer."""
    with service.connect() as connection:
        connection.sendall(content)
        [answer] = read_answers(connection)
        return answer


def name(answer: HttpAnswer) -> tuple[int, str]:
    """Return status and kind of a problem, once its form is right."""
    document = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["status"] == answer.status
    assert document["request_id"] == answer.headers["x-request-id"]
    return answer.status, document["type"].removeprefix("urn:cxr:problem:")


def find_last(service: Service, **fields: Any) -> dict[str, Any]:
    """Return the newest line of the log with these fields, waiting for it."""

    def find() -> list[dict[str, Any]]:
        return [one for one in service.read_log() if fields.items() <= one.items()]

    wait_until(lambda: bool(find()), service.process)
    return find()[-1]


def test_a_body_is_bounded_whatever_its_length_claims(service: Service):
    large = encode_form([("a.png", bytes(40_000))])
    answer = send(service, head(length=len(large)) + large)
    assert name(answer) == (413, "body-too-large")
    # Refused for its claim alone: the client is not asked for the body.
    claimed = send(service, head("Expect: 100-continue", "X-Request-ID: claimed", length=30_001))
    assert name(claimed) == (413, "body-too-large")
    assert find_last(service, request_id="claimed")["bytes"] == 0
    chunk = b"1000\r\n" + large[:4096] + b"\r\n"
    chunked = head("Transfer-Encoding: chunked", "X-Request-ID: chunks", length=None)
    assert name(send(service, chunked + chunk * 8)) == (413, "body-too-large")
    # What is refused is read on for a while, and not for ever.
    assert 30_000 < find_last(service, request_id="chunks")["bytes"] <= 100_000
    with service.connect() as endless:
        endless.sendall(chunked)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            endless.sendall(chunk * 5000)
    # To the byte: what stands behind an image's end changes nothing.
    for num_bytes, status in ((30_000, 200), (30_001, 413)):
        padded = encode_form([("a.jpeg", JPEG + bytes(num_bytes - len(BODY)))])
        assert len(padded) == num_bytes
        assert send(service, head(length=num_bytes) + padded).status == status
    sound = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n"
    assert send(service, chunked + sound).status == 200
    # One byte less than said, and the rest never comes; one that is said to be shorter is cut.
    assert name(send(service, head(length=len(BODY) + 1) + BODY)) == (408, "slow-body")
    assert name(send(service, head(length=len(BODY) - 9) + BODY)) == (400, "malformed-body")
    assert name(send(service, head(length=10**25))) in ((413, "body-too-large"), MALFORMED)
    assert name(send(service, head("Content-Length: 3") + BODY)) == MALFORMED


def test_images_and_pixels_are_counted_before_any_is_decoded(service: Service):
    small = ("a.jpeg", JPEG)
    assert service.predict(small, small).status == 200
    assert name(service.predict(small, small, small)) == (413, "too-many-images")
    deep = draw_values(low=0, high=255, side_px=80)
    files = [
        ("a.png", encode(draw_picture(80), "PNG")),
        ("a.dcm", write_dicom(make_dicom(deep.astype(np.uint8), bits=8))),
    ]
    answer = service.predict(*files)
    assert name(answer) == (422, "images-refused")
    said = [(one["kind"], one["detail"]) for one in answer.json["refused"]]
    assert said == [("bomb", "80 x 80 px; 5,000 pixels at most are decoded")] * 2


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (form_type(), encode_form([("a.jpeg", JPEG)], field="file"), (422, "unknown-field")),
        (form_type(), encode_form([]), (422, "no-image")),
        (form_type(), BODY[:-40], (400, "malformed-body")),
        (form_type(), b"", (400, "malformed-body")),
        (form_type("other"), BODY, (400, "malformed-body")),
        (form_type("a" * 71), BODY, (400, "malformed-body")),
        ("multipart/form-data", BODY, (400, "malformed-body")),
        ("application/json", b"{}", (415, "not-multipart")),
        ("", BODY, (415, "not-multipart")),
    ],
)
def test_what_is_no_form_is_refused(
    service: Service, content_type: str, body: bytes, expected: tuple[int, str]
):
    headers = {"content-type": content_type}
    assert name(service.ask("POST", "/predict", body=body, headers=headers)) == expected


def test_other_methods_paths_and_encodings_are_refused(service: Service):
    packed = {"content-type": form_type(), "content-encoding": "gzip"}
    answer = service.ask("POST", "/predict", body=BODY, headers=packed)
    assert name(answer) == (415, "content-encoding")
    answer = service.ask("PUT", "/predict", body=BODY)
    assert (name(answer), answer.headers["allow"]) == ((405, "method-not-allowed"), "POST")
    for path in ("/", "/predict/", "/../etc/passwd", "/docs", "/redoc", "/a%00b"):
        assert name(service.ask("GET", path)) == (404, "not-found")
    large = b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 5000 + b"\r\n\r\n"
    assert name(send(service, large)) == MALFORMED
    assert name(send(service, b"\x00\x01garbage\r\n\r\n")) == MALFORMED


def test_slow_clients_are_cut_off(service: Service):
    whole = head() + BODY
    with ExitStack() as stack:
        connections = [stack.enter_context(service.connect()) for _ in range(4)]
        silent, slow_headers, slow_body, idle = connections
        slow_headers.sendall(whole[:30])
        slow_body.sendall(whole[: len(head()) + 50])
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        [answer] = read_answers(idle)
        assert answer.status == 200
        began = time.monotonic()
        for byte in whole[30:38]:
            # Coming slowly is no better than not coming.
            slow_headers.sendall(bytes([byte]))
            time.sleep(0.05)
        assert name(*read_answers(slow_headers)) == (408, "slow-headers")
        assert name(*read_answers(slow_body)) == (408, "slow-body")
        assert read_answers(silent) == []
        assert read_answers(idle) == []
        assert time.monotonic() - began < 10


def test_who_does_not_read_answers_is_cut_off(service: Service):
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with service.connect() as connection, pytest.raises((BrokenPipeError, ConnectionResetError)):
        connection.sendall(asked * 400_000)
    assert service.ask("GET", "/health").status == 200


def test_requests_at_once_are_bounded_in_all_and_of_one_client(service: Service):
    whole = head("X-Request-ID: held") + BODY

    def begin(address: str, content: bytes) -> socket.socket:
        connection = stack.enter_context(
            socket.create_connection(service.address, 30, source_address=(address, 0))
        )
        connection.sendall(content)
        return connection

    with ExitStack() as stack:
        first = begin("127.0.0.1", whole[:-5])
        time.sleep(0.2)
        [second] = read_answers(begin("127.0.0.1", whole))
        assert (name(second), second.headers["retry-after"]) == ((429, "too-many-requests"), "1")
        other = begin("127.0.0.2", whole[:-5])
        time.sleep(0.2)
        [third] = read_answers(begin("127.0.0.3", whole))
        assert (name(third), third.headers["retry-after"]) == ((503, "busy"), "1")
        assert service.ask("GET", "/health").status == 200
        for connection in (first, other):
            connection.sendall(whole[-5:])
            [answer] = read_answers(connection)
            assert answer.status == 200
    assert service.predict(("a.jpeg", JPEG)).status == 200
    clients = {one["client"] for one in service.read_log() if one.get("request_id") == "held"}
    assert clients == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


def test_connections_are_bounded(service: Service):
    before = service.count_files()
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(service.connect())
        answer = send(service, b"")
        assert name(answer) == (503, "busy")
    wait_until(lambda: service.count_files() <= before, service.process)


def test_a_request_that_takes_too_long_is_given_up(run: Run, tmp_path: Path):
    with started_service(
        run.directory, tmp_path / "log", "--request-seconds", "1", fault="slow-answers:1.5"
    ) as service:
        answer = service.predict(("a.jpeg", JPEG), ("b.jpeg", JPEG), ("c.jpeg", JPEG))
        assert (name(answer), answer.headers["retry-after"]) == ((503, "timeout"), "1")
        # Whoever goes away is not computed for.
        with service.connect() as connection:
            connection.sendall(head("X-Request-ID: gone") + BODY)
        gone = find_last(service, request_id="gone")
        assert (gone["status"], gone["duration_ms"] < 1000) == (499, True)
        assert service.ask("GET", "/health").status == 200
