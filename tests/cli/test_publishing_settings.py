"""``cxr publish`` and ``cxr fetch`` under odd settings: what they say, and what they leave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fabricated_runs import Fabricated
from support.hub_server import running_hub
from support.hub_state import TOKEN, Hub
from support.program import Finished, read_answer, read_error, run_cxr
from support.releases import REPO, TAG, put, read_files, write_small_export
from support.runs import HEAVY

FETCH = ("fetch", f"{REPO}@{TAG}")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export beside its run."""
    place = tmp_path_factory.mktemp("settings")
    return write_small_export(Fabricated(computed=True).write(place / "run"), place / "export")


@pytest.fixture(scope="module")
def running() -> Iterator[Hub]:
    with running_hub() as found:
        yield found


@pytest.fixture
def hub(running: Hub, export: Path) -> Hub:
    running.forget()
    running.repositories.clear()
    put(running, read_files(export))
    return running


def ask(hub: Hub, place: Path, *arguments: str | Path, **env: str) -> Finished[str]:
    variables = {**hub.environment, **env}
    finished = run_cxr(*arguments, cwd=place, env=variables, blocked=HEAVY)
    assert TOKEN not in finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    return finished


@pytest.mark.parametrize(
    ("env", "code", "where"),
    [
        ({"HF_TOKEN": f"{TOKEN}é"}, 2, "HF_TOKEN"),
        ({"HF_OIDC_RESOURCE": REPO}, 3, "HF_OIDC_RESOURCE"),
        ({"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, 2, "HF_HUB_DOWNLOAD_TIMEOUT"),
        ({"ALL_PROXY": f"socks4://me:{TOKEN}@proxy:1"}, 2, "ALL_PROXY"),
        ({"SSL_CERT_FILE": "/nowhere"}, 2, "SSL_CERT_FILE"),
        ({"HF_ENDPOINT": "https://" + "a" * 80}, 2, "HF_ENDPOINT"),
        ({"HF_HUB_OFFLINE": "1"}, 3, REPO),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else None,
)
def test_a_setting_that_cannot_be_used_is_three_lines(hub, tmp_path, env, code, where):
    finished = ask(hub, tmp_path, *FETCH, **env)
    assert where in read_error(finished, code=code)[1]
    assert finished.stderr.startswith("error: ")
    assert hub.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_writes_nothing_anywhere_and_only_asks(hub, tmp_path, export):
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "here")}
    for place in places.values():
        place.mkdir()
    before = digest_all(export.parent)
    env = {name: str(places[name]) for name in ("HOME", "TMPDIR")}
    run = export.with_name("run")
    asked = ("publish", run, "group/other", "--tag", TAG, "--export", export, "--json")
    answer = read_answer(ask(hub, places["here"], *asked, **env))
    assert (answer["verdict"], answer["commit"], answer["release"]) == ("not sent", None, None)
    assert [list(place.iterdir()) for place in places.values()] == [[], [], []]
    assert digest_all(export.parent) == before
    assert {line.partition(" ")[0] for _, line, _ in hub.asked} == {"GET"}
    assert hub.repositories.keys() == {REPO}


def digest_all(directory: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("kept", [True, False])
def test_answers_are_one_json_document_and_quiet_is_silent_unless_it_differs(hub, tmp_path, kept):
    if not kept:
        hub.bodies = {"README.md": "flip"}
    code = 0 if kept else 1
    found = ask(hub, tmp_path, *FETCH, "--json", COLUMNS="40")
    answer = read_answer(found)
    assert (found.returncode, answer["verdict"]) == (code, "fetched" if kept else "differs")
    assert answer["directory"] == (f"model@{TAG}" if kept else None)
    quiet = ask(hub, tmp_path, *FETCH, "-q", "--out", "odd näme ${HOME}", COLUMNS="40")
    assert (quiet.returncode, quiet.stderr) == (code, "")
    assert [line.split(":")[0] for line in quiet.stdout.splitlines()] == (
        [] if kept else ["differs", "  README.md"]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        [f"model@{TAG}", "odd näme ${HOME}"] if kept else []
    )


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_what_a_hub_says_back_while_it_is_sent_to_is_not_repeated(hub, tmp_path, export, status):
    hub.echoes = True
    hub.statuses = {"/api/repos/create": [status]}
    run = export.with_name("run")
    asked = ("publish", run, "group/other", "--tag", TAG, "--export", export, "--yes")
    problem, where, _ = read_error(ask(hub, tmp_path, *asked), code=3)
    assert problem.startswith(f"the hub refuses, with status {status}: ")
    assert where == f"group/other at {hub.address}"
    assert not run.with_name("run.release.json").exists()
