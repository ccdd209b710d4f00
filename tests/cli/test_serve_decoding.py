"""``cxr serve``: what a decoder may do without the service being any the worse for it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.decoding_faults import mark, write_faults
from support.hostile_images import JPEG
from support.program import wait_until
from support.recipes import images
from support.runs import FinishedRuns, Run, copy_run
from support.serving import Service, encode_form, form_type, is_running, started_service

GOOD = ("a.jpeg", JPEG)
LIMIT_S = 3
_MIB = 1024 * 1024


@pytest.fixture(scope="module")
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(images(radiographs))


@pytest.fixture(scope="module")
def service(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    place = tmp_path_factory.mktemp("faults")
    options = ("--decode-seconds", str(LIMIT_S))
    with started_service(
        run.directory, place / "log", *options, env=write_faults(place)
    ) as service:
        yield service


def spoil(name: str) -> tuple[str, bytes]:
    return "a.jpeg", mark(JPEG, name)


def write_request(body: bytes) -> bytes:
    """Return a request for predictions as it is sent."""
    head = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {form_type()}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_an_image_that_ends_or_stalls_its_decoder_costs_nobody_else_an_answer(service: Service):
    expected = service.predict(GOOD).body
    files = service.count_files()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(service.predict, spoil("HANG"))
        time.sleep(0.5)
        # Meanwhile it answers whatever needs no decoder, and whoever waits for one is next.
        assert service.ask("GET", "/health").status == 200
        assert service.ask("GET", "/ready").status == 200
        assert service.predict(GOOD).body == expected
        answers = [hanging.result(), service.predict(GOOD, spoil("SEGV"))]
    said = [[one["detail"] for one in answer.json["refused"]] for answer in answers]
    assert [answer.status for answer in answers] == [422, 422]
    assert said == [
        [f"decoding it took more than {LIMIT_S} s"],
        ["the process that decodes images was ended by SIGSEGV"],
    ]
    assert len(answers[1].json["images"]) == 1
    failed = service.predict(spoil("RAISE"))
    assert (failed.status, failed.json["type"]) == (500, "urn:cxr:problem:failed")
    assert service.predict(GOOD).body == expected
    # None of those that were ended is left.
    assert len(service.find_decoders()) == 1
    wait_until(lambda: service.count_files() <= files, service.process)
    heard = service.log.read_text(encoding="utf-8") + "".join(map(str, [*answers, failed]))
    assert "PLANTNAME" not in heard
    [error] = [one for one in service.read_log() if one["event"] == "error"]
    assert error["error"] == "the process that decodes images was ended by code 1"


def test_it_is_not_ready_without_a_decoder_and_mends_that(service: Service):
    [decoder] = service.find_decoders()
    os.kill(decoder, signal.SIGKILL)
    answers = [service.ask("GET", "/ready")]

    def ask() -> int:
        answers.append(service.ask("GET", "/ready"))
        return answers[-1].status

    # It takes a moment to end; a probe then tells, and is enough to have another one started.
    wait_until(lambda: ask() == 503, service.process)
    assert answers[-1].json["type"] == "urn:cxr:problem:not-ready"
    assert answers[-1].headers["retry-after"] == "1"
    wait_until(lambda: ask() == 200, service.process)
    assert service.find_decoders() != [decoder]


def test_a_decoder_never_outlives_the_service(run: Run, tmp_path: Path):
    env = write_faults(tmp_path)
    with started_service(run.directory, tmp_path / "log", env=env) as service:
        [decoder] = service.find_decoders()
        # Where memory runs out, it goes first.
        assert Path(f"/proc/{decoder}/oom_score_adj").read_text(encoding="ascii") == "1000\n"
        with service.connect() as connection:
            connection.sendall(write_request(encode_form([spoil("HANG")])))
            time.sleep(0.5)
            service.process.kill()
            service.process.wait(timeout=30)
        deadline = time.monotonic() + 30
        while is_running(decoder):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_who_hangs_up_takes_no_memory_while_others_are_decoded(service: Service):
    body = encode_form([("a.png", bytes(8 * _MIB))])
    before = service.read_memory()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(service.predict, spoil("HANG"))
        time.sleep(0.3)
        for number in range(1, 31):
            with service.connect() as connection:
                connection.sendall(write_request(body))
            gone = {"status": 499, "bytes": len(body)}
            wait_until(
                lambda least=number, gone=gone: (
                    sum(gone.items() <= one.items() for one in service.read_log()) >= least
                ),
                service.process,
            )
        assert not hanging.done()
        grown = service.read_memory() - before
        hanging.result()
    assert grown < 100 * _MIB


def test_what_is_served_is_what_was_loaded_whatever_becomes_of_the_run(run: Run, tmp_path: Path):
    directory = copy_run(run, tmp_path / "run")
    with started_service(directory, tmp_path / "log") as service:
        expected = service.predict(GOOD).body
        version = service.ask("GET", "/version").json
        # In its place, as by an editor, and then all of it.
        (directory / "model.safetensors").write_bytes(bytes(100))
        shutil.rmtree(directory)
        [decoder] = service.find_decoders()
        os.kill(decoder, signal.SIGKILL)
        assert service.predict(GOOD).body == expected
        assert service.ask("GET", "/version").json == version
        assert service.ask("GET", "/ready").status == 200
