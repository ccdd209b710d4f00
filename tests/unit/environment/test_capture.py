from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import pwd
import socket
import sys
from pathlib import Path

import pytest
import torch

from cxr.determinism.variables import OWN_VARIABLES, read_variables
from cxr.digests.canonical import canonical_json
from cxr.environment.canaries import EXPECTED
from cxr.environment.capture import capture_environment
from cxr.environment.facts import NOT_READ

SECRETS = {
    "HF_TOKEN": "hf_planted0000000001",
    "WANDB_API_KEY": "planted0000000002",
    "AWS_SECRET_ACCESS_KEY": "planted0000000003",
    "DATABASE_URL": "postgres://someone:planted0000000004@db.invalid/x",
    "PIP_INDEX_URL": "https://someone:planted0000000005@packages.invalid/simple",
    "UV_EXTRA_INDEX_URL": "https://__token__:planted0000000006@packages.invalid/simple",
    "SSH_CONNECTION": "planted0000000007",
    "SLURM_JOB_USER": "planted0000000008",
}


@pytest.fixture
def capture(monkeypatch, tmp_path):
    """The environment of a process with secrets in its variables and a home of its own."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home-of-somebody"
    home.mkdir()
    for name in ("HOME", "USER", "LOGNAME", "USERNAME", "HOSTNAME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    return capture_environment()


def test_it_is_plain_json_with_all_its_groups(capture):
    assert json.loads(canonical_json(capture)) == capture
    assert list(capture) == [
        "schema",
        "python",
        "os",
        "cpu",
        "gpu",
        "numerics",
        "switches",
        "variables",
        "packages",
        "origins",
        "imported",
        "installed",
        "lock",
        "code",
        "arithmetic",
        "images",
    ]


def test_planted_secrets_do_not_appear(capture):
    text = canonical_json(capture).decode()
    assert "planted" not in text
    assert "packages.invalid" not in text
    assert not any(name in text for name in SECRETS)


def test_no_host_user_or_home_appears(capture):
    text = canonical_json(capture).decode()
    assert "home-of-somebody" not in text
    assert str(Path.home()) not in text
    words = set(text.replace('"', " ").replace("/", " ").split())
    assert not words & {socket.gethostname(), platform.node()}
    assert f'"{pwd.getpwuid(os.getuid()).pw_name}"' not in text
    assert str(Path(sys.prefix)) not in text
    assert str(Path.cwd()) not in text


def test_only_variables_of_numerical_libraries_are_read(capture):
    assert capture["variables"].keys() == read_variables().keys()
    assert set(OWN_VARIABLES) <= capture["variables"].keys()


def test_what_numerical_libraries_depend_on_is_recorded(capture):
    assert capture["python"]["version"] == platform.python_version()
    assert capture["os"]["system"] == platform.system()
    assert capture["cpu"]["machine"] == platform.machine()
    assert capture["cpu"]["cores"] == os.cpu_count()
    assert capture["packages"]["torch"] == importlib.metadata.version("torch")
    assert capture["numerics"]["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert capture["numerics"]["libraries"]
    assert capture["images"]["canaries"] == EXPECTED
    assert capture["images"]["canaries_changed"] == []


def test_what_torch_alone_knows_is_not_read_where_torch_is_not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    capture = capture_environment()
    # The driver tells its version without it.
    assert {name for name, fact in capture["gpu"].items() if fact != NOT_READ} <= {"driver"}
    assert set(capture["numerics"].values()) == {NOT_READ}
    assert "torch" not in sys.modules
    assert capture["packages"]["torch"]


def test_two_captures_of_one_process_are_equal(capture):
    assert capture_environment() == capture


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution's metadata where Python looks for it, behind what is there already."""

    def install(folder, name, version, metadata=None):
        place = tmp_path / folder / f"{name}-{version}.dist-info"
        place.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (place / "METADATA").write_text(text if metadata is None else metadata, encoding="utf-8")
        if str(tmp_path / folder) not in sys.path:
            monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / folder)])

    return install


def test_packages_are_named_in_one_way(install):
    install("site", "My_Package.Name", "1.0")
    packages = capture_environment()["packages"]
    assert packages["my-package-name"] == "1.0"
    assert list(packages) == sorted(packages)


def test_of_a_package_that_is_there_twice_the_one_that_python_imports_counts(install):
    install("first", "planted", "1.0")
    install("second", "planted", "2.0")
    assert importlib.metadata.version("planted") == "1.0"
    assert capture_environment()["packages"]["planted"] == "1.0"


def test_what_an_uninstall_left_behind_is_passed_over(install):
    install("site", "~rest", "1.0", metadata="")
    packages = capture_environment()["packages"]
    assert not any("rest" in name for name in packages if name.startswith("~"))
