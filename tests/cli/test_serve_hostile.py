"""``cxr serve``: some hundred requests that nobody should send, and what comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.hostile_images import JPEG
from support.hostile_load import SERVICE_OPTIONS, send_hostile
from support.hostile_requests import KINDS, MARK
from support.recipes import images
from support.runs import FinishedRuns, Run
from support.serving import started_service

GOOD = ("a.jpeg", JPEG)


@pytest.fixture
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(images(radiographs))


def test_it_stands_what_nobody_should_send(run: Run, tmp_path: Path):
    with started_service(run.directory, tmp_path / "log", *SERVICE_OPTIONS) as service:
        expected = service.predict(GOOD, request_id="good").body
        files = service.count_files()
        outcome = send_hostile(service, range(10 * len(KINDS)), GOOD, expected)
        assert outcome.faults == []
        assert outcome.good == 10
        assert outcome.statuses.keys() >= {400, 404, 405, 408, 413, 415, 422}
        assert service.count_files() <= files
        service.process.terminate()
        assert service.process.wait(timeout=60) == 0
        text = (tmp_path / "log").read_text(encoding="utf-8")
        assert MARK[:9] not in text
        assert "Traceback" not in text
        assert "error" not in {one["event"] for one in service.read_log()}


def test_the_load_finds_a_service_that_quotes_what_it_is_sent(run: Run, tmp_path: Path):
    with started_service(
        run.directory, tmp_path / "log", *SERVICE_OPTIONS, fault="quoted-names"
    ) as service:
        expected = service.predict(GOOD, request_id="good").body
        place = list(KINDS).index("file name")
        step = len(KINDS)
        outcome = send_hostile(service, range(place, 10 * step, step), GOOD, expected)
    assert any(MARK[:9] in fault for fault in outcome.faults)
