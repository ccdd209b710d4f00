"""``cxr env audit`` names what is vulnerable, and every package that it could not look up."""

from __future__ import annotations

import json
import signal
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from support.distributions import plant_distribution
from support.locks import write_lock
from support.program import DEADLINE_S, read_answer, read_error, run_cxr, started_cxr
from support.runs import HEAVY
from support.vulnerability_server import (
    REACHABLE,
    find_dead_address,
    make_advisory,
    running_service,
)

EDITABLE = "not from an index: editable"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return write_lock(tmp_path / "uv.lock", {"planted": "1.5", "fine": "3.0"})


@pytest.fixture
def advisories(tmp_path: Path) -> Path:
    path = tmp_path / "advisories" / "one.json"
    path.parent.mkdir()
    path.write_text(json.dumps(make_advisory("planted")), encoding="utf-8")
    return path


def audit(*arguments: str | Path, **options):
    return run_cxr("env", "audit", *arguments, env=REACHABLE, **options)


def test_a_planted_advisory_is_found_without_a_network(lock: Path, advisories: Path):
    finished = audit("--lock", lock, "--advisories", advisories, "--allow", "mine", blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (1, "reading advisories: 1\n")
    lines = finished.stdout.splitlines()
    assert lines[0] == "known vulnerabilities:"
    assert lines[3].split() == [
        *("planted", "1.5", "PYSEC-2026-1", "CVE-2026-1", "2.0"),
        *("a", "planted", "hole"),
    ]
    assert lines[4] == "not looked up:"
    assert lines[7].split() == ["mine", "0.1.0", *EDITABLE.split(), "yes"]
    assert lines[8] == "vulnerable: 2 of 3 packages looked up, 1 vulnerability in 1 package"
    assert lines[9] == "looked in  only these advisories: 1"
    assert lines[10].startswith("           sha256:")
    assert lines[11].startswith("lock       sha256:")
    assert max(map(len, lines[:10])) <= 80


@pytest.mark.usefixtures("lock", "advisories")
def test_as_json_and_from_another_directory(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    options = ["--lock", "../uv.lock", "--advisories", "../advisories", "--json"]
    finished = audit(*options, cwd=tmp_path / "elsewhere")
    assert finished.returncode == 1
    answer = read_answer(finished)
    digests = [answer["source"].pop(name) for name in ("lock", "advisories_digest")]
    assert all(digest.startswith("sha256:") for digest in digests)
    assert answer == {
        "verdict": "vulnerable",
        "audited": 2,
        "source": {"packages": "locked", "service": None, "advisories": 1},
        "vulnerabilities": [
            {
                "package": "planted",
                "version": "1.5",
                "id": "PYSEC-2026-1",
                "aliases": ["CVE-2026-1"],
                "fixed_in": ["2.0"],
                "summary": "a planted hole",
            }
        ],
        "unchecked": [
            {"package": "mine", "version": "0.1.0", "reason": EDITABLE, "allowed": False}
        ],
    }


def test_a_fixed_version_passes_only_when_the_rest_is_allowed(tmp_path: Path, advisories: Path):
    lock = write_lock(tmp_path / "uv.lock", {"planted": "2.0", "wheel-of-mine": "1.0+cu126"})
    options = ["--lock", lock, "--advisories", advisories, "--json"]
    finished = audit(*options)
    assert finished.returncode == 3
    answer = read_answer(finished)
    assert (answer["verdict"], answer["audited"], answer["vulnerabilities"]) == ("unchecked", 1, [])
    assert [(one["package"], one["allowed"]) for one in answer["unchecked"]] == [
        ("mine", False),
        ("wheel-of-mine", False),
    ]
    one = audit(*options, "--allow", "mine")
    assert one.returncode == 3
    both = audit(*options, "--allow", "mine", "--allow", "Wheel_of.mine")
    assert both.returncode == 0
    answer = read_answer(both)
    assert answer["verdict"] == "clean"
    assert [one["reason"] for one in answer["unchecked"]] == [
        EDITABLE,
        "a local version: only 1.0 was looked up",
    ]


def test_installed_packages_are_looked_up_where_no_lock_is_asked_for(tmp_path: Path):
    record = make_advisory("pillow")
    record["affected"][0]["ranges"] = []
    record["affected"][0]["versions"] = [version("pillow")]
    (tmp_path / "one.json").write_text(json.dumps(record), encoding="utf-8")
    site = tmp_path / "site"
    plant_distribution(site, "torchlike", "2.9.0+cu126")
    plant_distribution(site, "checkout", "1.0", direct={"url": "x", "dir_info": {}})
    finished = run_cxr(
        *("env", "audit", "--advisories", tmp_path / "one.json", "--json"),
        env={"PYTHONPATH": str(site)},
    )
    assert finished.returncode == 1
    answer = read_answer(finished)
    assert [one["package"] for one in answer["vulnerabilities"]] == ["pillow"]
    reasons = {one["package"]: one["reason"] for one in answer["unchecked"]}
    assert reasons["torchlike"] == "a local version: only 2.9.0 was looked up"
    assert reasons["checkout"] == "not from an index: directory"
    assert reasons["cxr"] == EDITABLE
    names = {one.metadata["Name"].lower() for one in distributions()}
    assert answer["audited"] == len(names) + 2 - len(reasons)


def test_a_vulnerable_package_is_found_at_a_service(lock: Path):
    with running_service({"planted": {"vulns": [make_advisory("planted")]}}) as service:
        finished = audit("--lock", lock, "--osv-url", service.address, "--json", "--allow", "mine")
    assert finished.returncode == 1, finished.stderr
    answer = read_answer(finished)
    assert sorted(service.asked) == [("fine", "3.0"), ("planted", "1.5")]
    assert [one["id"] for one in answer["vulnerabilities"]] == ["PYSEC-2026-1"]
    assert (answer["audited"], answer["source"]["service"]) == (2, "osv")
    assert finished.stderr == "looking up packages: 2\n"


def test_a_service_that_knows_of_nothing_is_a_pass(lock: Path):
    with running_service() as service:
        finished = audit("--lock", lock, "--osv-url", service.address, "--allow", "mine", "-q")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == "clean: 2 of 3 packages looked up\n"


def test_a_service_that_is_down_is_no_pass_and_every_package_is_named(lock: Path):
    address = find_dead_address().replace("//", "//someone:planted-password@")
    finished = audit("--lock", lock, "--service", "osv", "--osv-url", address, "--json")
    assert finished.returncode == 3
    answer = read_answer(finished)
    reason = "no answer from the service (ConnectionError)"
    assert (answer["verdict"], answer["audited"]) == ("unchecked", 0)
    assert {one["package"]: one["reason"] for one in answer["unchecked"]} == {
        "fine": reason,
        "mine": EDITABLE,
        "planted": reason,
    }
    assert finished.stderr.startswith("note: pip-audit: requests.exceptions.ConnectionError: ")
    assert "planted-password" not in finished.stdout + finished.stderr
    shown = audit("--lock", lock, "--osv-url", address)
    assert shown.returncode == 3
    last = "unchecked: 0 of 3 packages looked up, 3 neither looked up nor allowed"
    assert last in shown.stdout.splitlines()


def test_a_name_that_is_allowed_and_not_there_is_a_note(lock: Path, advisories: Path):
    options = ["--lock", lock, "--advisories", advisories, "--allow", "mine", "--allow", "mime\x1b"]
    finished = audit(*options, "-q")
    assert finished.returncode == 1
    assert finished.stderr == "note: --allow names no package here: mime\\x1b\n"


def test_what_an_advisory_says_cannot_steer_the_terminal(lock: Path, tmp_path: Path):
    record = make_advisory("planted", summary="a \x1b[31mred\x1b[0m hole", aliases=["\x07bell"])
    (tmp_path / "one.json").write_text(json.dumps(record), encoding="utf-8")
    finished = audit("--lock", lock, "--advisories", tmp_path / "one.json")
    assert finished.returncode == 1
    assert "\x1b" not in finished.stdout
    assert "\x07" not in finished.stdout


def test_interrupted_it_ends_what_it_started(lock: Path, monkeypatch):
    for name, value in REACHABLE.items():
        monkeypatch.setenv(name, value)
    with running_service(hangs=True) as service:
        command = ("env", "audit", "--lock", lock, "--osv-url", service.address)
        with started_cxr(*command) as process:
            assert service.reached.wait(DEADLINE_S)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 130, stderr
        # Whoever asked is gone, and not just cxr.
        assert service.left.wait(DEADLINE_S)
    assert stdout == ""
    assert stderr.splitlines()[0] == "error: stopped by SIGINT"


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (["--advisories", "gone.json"], 3, "cannot read the advisory: No such file or directory"),
        (["--lock", "gone.lock"], 3, "cannot read the lock file: No such file or directory"),
        (["--osv-url", "planted"], 2, "this is not an address of a service"),
        (["--osv-url", "http://h", "--service", "pypi"], 2, "--osv-url goes with the service osv"),
        (
            ["--osv-url", "http://h", "--advisories", "x"],
            2,
            "with --advisories no service is asked",
        ),
    ],
)
def test_what_cannot_be_is_said_in_three_lines(tmp_path: Path, options, code, problem):
    finished = audit(*options, cwd=tmp_path)
    found, where, _ = read_error(finished, code=code)
    assert found == problem
    assert "planted" not in where
    assert finished.stdout == ""
