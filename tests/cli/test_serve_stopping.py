"""``cxr serve``: starting, and stopping without losing an answer."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.hostile_images import JPEG
from support.program import read_error, run_cxr
from support.recipes import images, vectors
from support.runs import FinishedRuns, Run, copy_run
from support.serving import HttpAnswer, Service, started_service

FILE = ("a.jpeg", JPEG)


@pytest.fixture(scope="module")
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(images(radiographs))


def stop_while_asked(service: Service, *numbers: signal.Signals) -> HttpAnswer:
    """Send signals while a request is under way; return its answer, the process having ended."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.predict, FILE)
        time.sleep(0.5)
        for number in numbers:
            service.process.send_signal(number)
            time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError), service.connect():
            pass
        service.process.wait(timeout=60)
        return answer.result()


def test_sigterm_lets_what_is_under_way_finish(run: Run, tmp_path: Path):
    with started_service(run.directory, tmp_path / "log", fault="slow-answers:2") as service:
        assert stop_while_asked(service, signal.SIGTERM).status == 200
        assert service.process.returncode == 0
        assert service.read_log()[-1]["status"] == 200


def test_a_log_that_nobody_reads_changes_no_answer_and_no_code(run: Run, tmp_path: Path):
    reading, writing = os.pipe()
    try:
        with started_service(run.directory, tmp_path / "log", stderr=writing) as service:
            os.close(reading)
            assert [service.predict(FILE).status for _ in range(2)] == [200, 200]
            service.process.terminate()
            assert service.process.wait(timeout=60) == 0
    finally:
        os.close(writing)


def test_ctrl_c_as_well_and_says_so(run: Run, tmp_path: Path):
    log = tmp_path / "log"
    with started_service(run.directory, log, "--quiet", fault="slow-answers:2") as service:
        assert stop_while_asked(service, signal.SIGINT).status == 200
        assert service.process.returncode == 130
    assert log.read_text(encoding="utf-8").startswith(
        "error: stopped by SIGINT\n  where: cxr serve"
    )


def test_what_takes_longer_than_the_grace_is_told_so(run: Run, tmp_path: Path):
    with started_service(
        run.directory, tmp_path / "log", "--grace-seconds", "1", fault="slow-answers:4"
    ) as service:
        answer = stop_while_asked(service, signal.SIGTERM)
        assert (answer.status, answer.json["type"]) == (503, "urn:cxr:problem:stopping")
        assert service.process.returncode == 0


def test_a_second_signal_does_not_wait(run: Run, tmp_path: Path):
    with started_service(run.directory, tmp_path / "log", fault="slow-answers:4") as service:
        answer = stop_while_asked(service, signal.SIGTERM, signal.SIGINT)
        assert answer.status == 503
        # The first one says how it ends.
        assert service.process.returncode == 0
        assert service.read_log()[-1]["duration_ms"] < 3000


def test_a_port_that_is_taken_and_a_host_that_is_none_are_said_before_loading(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = run_cxr("serve", run.directory, "--port", port, blocked=["torch"])
    problem, where, hint = read_error(finished, code=3)
    assert problem.startswith("the address cannot be listened on: ")
    assert (where, "--port 0" in hint) == (f"127.0.0.1, port {port}", True)
    finished = run_cxr("serve", run.directory, "--host", "no.such.invalid", blocked=["torch"])
    assert read_error(finished, code=2)[:2] == ("the host is not known", "--host no.such.invalid")
    finished = run_cxr("serve", run.directory, "--host", "192.0.2.1", blocked=["torch"])
    problem, where, _ = read_error(finished, code=2)
    assert (problem, where) == ("the host is no address of this machine", "--host 192.0.2.1")


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "python_multipart"])
def test_a_missing_library_is_named_with_how_to_install_it(run: Run, library: str):
    finished = run_cxr("serve", run.directory, blocked=[library, "torch"])
    problem, _, hint = read_error(finished, code=3)
    assert "FastAPI, uvicorn and python-multipart" in problem
    assert hint == "uv sync --extra serve, or pip install 'cxr[serve]'"


def test_what_others_can_reach_is_warned_of(run: Run, tmp_path: Path):
    log = tmp_path / "log"
    with started_service(run.directory, log, "--host", "0.0.0.0") as service:  # noqa: S104
        port = service.ready["url"].rpartition(":")[2]
        with socket.create_connection(("127.0.0.1", int(port)), 30):
            pass
        assert log.read_text(encoding="utf-8").startswith(
            "warning: others can reach this address, and there is no TLS and no authentication"
        )


def test_a_run_that_was_edited_or_has_no_images_is_not_served(
    finished_run: FinishedRuns, run: Run, tmp_path: Path
):
    edited = copy_run(run, tmp_path / "run")
    weights = bytearray((edited / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (edited / "model.safetensors").write_bytes(weights)
    finished = run_cxr("serve", edited, "--port", "0")
    assert read_error(finished, code=3)[0] == "the weights are not those of the run's outcome"
    assert finished.stdout == ""
    finished = run_cxr("serve", finished_run(vectors()).directory, "--port", "0")
    assert "drawn vectors" in read_error(finished, code=2)[0]
