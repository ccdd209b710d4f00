from __future__ import annotations

import json
import logging

from cxr.serving.request_log import PATHS, RequestLog, ServerLogHandler

REQUEST = {
    "request_id": "a",
    "status": 200,
    "duration_s": 0.00123,
    "num_bytes": 5,
    "client": "192.0.2.1",
}


def test_only_methods_and_paths_that_there_are_are_written():
    lines: list[str] = []
    log = RequestLog(write=lines.append)
    log.tell_request(method="GET", path="/version", **REQUEST)
    log.tell_request(method="BREW", path="/predict/PLANTNAME", **REQUEST)
    said = [json.loads(line) for line in lines]
    assert [(one["method"], one["path"]) for one in said] == [
        ("GET", "/version"),
        ("other", "other"),
    ]
    assert said[0]["duration_ms"] == 1.2
    assert "192.0.2.1" not in "".join(lines)
    RequestLog(write=lines.append, shows_clients=True).tell_request(
        method="GET", path=PATHS[0], **REQUEST
    )
    assert json.loads(lines[-1])["client"] == "192.0.2.1"


def test_of_a_library_only_errors_are_written_by_their_type():
    lines: list[str] = []
    logger = logging.Logger("library")  # noqa: LOG001 - not for the process
    logger.addHandler(ServerLogHandler(RequestLog(write=lines.append)))
    logger.warning("PLANTNAME in a warning")
    try:
        raise LookupError("PLANTNAME")
    except LookupError:
        logger.exception("PLANTNAME failed")
    [said] = map(json.loads, lines)
    assert (said["event"], said["error"]) == ("error", "LookupError")
    assert "PLANTNAME" not in lines[0]


def test_a_log_that_cannot_be_written_is_no_fault_of_a_request():
    def refuse(_: str) -> None:
        raise OSError(28, "No space left on device")

    RequestLog(write=refuse).tell_request(method="GET", path=PATHS[0], **REQUEST)
