"""Ctrl-C in the middle of sending and of fetching: real signals, and what they leave."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.fabricated_runs import Fabricated
from support.hub_server import running_hub
from support.hub_state import ATTRIBUTES, Hub
from support.program import DEADLINE_S, Finished, read_error, run_cxr, started_cxr
from support.releases import REPO, TAG, put, read_files, seal_anew, write_small_export

LARGE_BYTES = 16 * 2**20
"""Half of it is more than a connection keeps on its way: what is half through stays so."""

DEAF_S = 60


@dataclass(frozen=True)
class Desk:
    """A hub, a run with its export, and an empty directory to work and to keep files in."""

    hub: Hub
    run: Path
    export: Path
    place: Path

    @property
    def environment(self) -> dict[str, str]:
        # No time limit comes before what a test waits for.
        limits = {"HF_HUB_DOWNLOAD_TIMEOUT": "300"}
        return {**self.hub.environment, **limits, "TMPDIR": str(self.place)}

    @property
    def publish(self) -> tuple[str | Path, ...]:
        return ("publish", self.run, REPO, "--tag", TAG, "--export", self.export, "--yes")

    @property
    def record(self) -> Path:
        return self.run.with_name("run.release.json")

    def do(self, *arguments: str | Path) -> Finished[str]:
        finished = run_cxr(*arguments, env=self.environment, cwd=self.place)
        assert finished.returncode == 0, finished.stderr
        return finished

    def interrupt(
        self, part: str, *arguments: str | Path, then: Callable[[subprocess.Popen[str]], None]
    ) -> Finished[str]:
        """Run cxr; call ``then`` when half of what ``part`` is in the first line of is through."""
        reached = threading.Event()
        with started_cxr(*arguments, env=self.environment, cwd=self.place) as process:

            def stop(line: str) -> None:
                if part in line and not reached.is_set():
                    reached.set()
                    then(process)

            self.hub.on_half = stop
            said = process.communicate(timeout=DEADLINE_S)
        assert reached.is_set()
        self.hub.forget()
        return subprocess.CompletedProcess(arguments, process.returncode, *said)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as found:
        yield found


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export beside its run; both are only read."""
    place = tmp_path_factory.mktemp("large")
    run = Fabricated(computed=True).write(place / "run")
    export = write_small_export(run, place / "export")
    (export / "model.onnx").write_bytes(bytes(LARGE_BYTES))
    seal_anew(export)
    return export


@pytest.fixture
def desk(hub: Hub, export: Path, tmp_path: Path) -> Desk:
    hub.forget()
    hub.repositories.clear()
    hub.objects.clear()
    desk = Desk(hub, export.with_name("run"), export, tmp_path)
    desk.record.unlink(missing_ok=True)
    return desk


def send_one(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def read_stop(finished: Finished[str]) -> str:
    """Return where a process was stopped, once it is known that it was, and said so."""
    problem, where, _ = read_error(finished, code=130)
    assert problem == "stopped by SIGINT"
    assert finished.stdout == ""
    return where


def test_in_the_middle_of_a_file_that_is_sent(desk: Desk):
    finished = desk.interrupt("PUT", *desk.publish, then=send_one)
    assert read_stop(finished).startswith("bytes sent, ")
    assert list(desk.place.iterdir()) == []
    repository = desk.hub.repositories[REPO]
    assert list(repository.commits.values()) == [{".gitattributes": ATTRIBUTES}]
    assert repository.tags == {}
    assert not desk.record.exists()
    desk.do(*desk.publish)
    assert repository.commits[repository.tags[TAG]].keys() > read_files(desk.export).keys()
    assert json.loads(desk.record.read_bytes())["releases"][0]["commit"] == repository.tags[TAG]


def test_while_the_commit_is_made(desk: Desk):
    finished = desk.interrupt("/commit/", *desk.publish, then=send_one)
    where = "setting the tag; the commit is there, publishing again sets it"
    assert read_stop(finished) == where
    repository = desk.hub.repositories[REPO]
    assert (repository.tags, desk.record.exists()) == ({}, False)
    made = repository.branches["main"]
    desk.do(*desk.publish)
    assert repository.tags == {TAG: made}
    assert [line for line in desk.hub.list_asked("POST") if "/tag/" not in line] == []


def test_while_the_tag_is_set(desk: Desk):
    read_stop(desk.interrupt("/tag/", *desk.publish, then=send_one))
    finished = desk.do(*desk.publish)
    assert "already published, nothing to do" in finished.stdout
    tags = desk.hub.repositories[REPO].tags
    assert [one["commit"] for one in json.loads(desk.record.read_bytes())["releases"]] == [
        tags[TAG]
    ]


def test_in_the_middle_of_a_file_that_is_fetched(desk: Desk):
    put(desk.hub, read_files(desk.export))
    finished = desk.interrupt("/objects/", "fetch", f"{REPO}@{TAG}", then=send_one)
    assert read_stop(finished).startswith("bytes fetched, ")
    assert list(desk.place.iterdir()) == []
    desk.do("fetch", f"{REPO}@{TAG}")
    assert read_files(desk.place / f"model@{TAG}") == read_files(desk.export)


@pytest.mark.parametrize("doing", ["publish", "fetch"])
def test_a_second_one_is_not_waited_for_where_the_hub_is_deaf(desk: Desk, doing: str):
    ended, gave_up = threading.Event(), list[str]()

    def send_two(process: subprocess.Popen[str]) -> None:
        time.sleep(0.5)  # until the process can only wait for the hub
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two at the same moment are one
        process.send_signal(signal.SIGINT)
        if not ended.wait(DEAF_S):
            gave_up.append("the hub heard again before the process ended")

    if doing == "fetch":
        put(desk.hub, read_files(desk.export))
    asked = desk.publish if doing == "publish" else ("fetch", f"{REPO}@{TAG}")
    part = "PUT" if doing == "publish" else "/objects/"
    finished = desk.interrupt(part, *asked, then=send_two)
    ended.set()
    read_stop(finished)
    assert gave_up == []
    assert list(desk.place.iterdir()) == []
