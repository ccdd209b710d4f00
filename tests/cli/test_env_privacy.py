"""A capture holds no secret, no person, no machine and no home, wherever one stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.planted_machine import someones_machine as machine
from support.program import read_answer, run_cxr

MACHINE = Path(machine.__file__).parent
GIT = """[user]
    name = planted-user
    email = planted-user@planted-host.invalid
[url "https://planted-user:planted-password@planted-registry.invalid/"]
    insteadOf = https://registry.invalid/
"""


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has secrets in many places."""
    home = tmp_path / "planted-home"
    home.mkdir()
    (home / ".gitconfig").write_text(GIT, encoding="utf-8")
    (home / ".netrc").write_text("machine planted-host password planted-password\n")
    address = "https://planted-user:planted-password@planted-registry.invalid/simple"
    return {
        "PYTHONPATH": os.pathsep.join([str(MACHINE), os.environ.get("PYTHONPATH", "")]),
        "HOME": str(home),
        "USER": "planted-user",
        "LOGNAME": "planted-user",
        "HOSTNAME": "planted-host",
        "SSH_CONNECTION": "planted-host",
        "TZ": "/planted-home/zone",
        "LC_ALL": "planted-user",
        "HF_TOKEN": "hf_planted-token",
        "WANDB_API_KEY": "planted-token",
        "AWS_SECRET_ACCESS_KEY": "planted-token",
        "PIP_INDEX_URL": address,
        "UV_EXTRA_INDEX_URL": address,
        "GIT_AUTHOR_NAME": "planted-user",
        # Of families that are read: a secret by its name, and values that may be a place.
        "CUDNN_API_KEY": "planted-token",
        "ONEDNN_CACHE": "/planted-home/cache",
        "OPENBLAS_SOURCE": address,
        "GLIBC_TUNABLES": "/planted-home",
        # Named like one of those by somebody, with a value that looks like none of these.
        "MKL_PW": "plantedpassword",
        "KMP_USER": "planted-user",
    }


def find_planted(text: str, place: Path) -> list[str]:
    """Return the lines of a text that hold what was planted, or where the test or cxr lies."""
    names = ["planted", "registry.invalid", str(place), str(Path.cwd())]
    return [line for line in text.splitlines() if any(name in line for name in names)]


@pytest.mark.parametrize("depth", [[], ["--deep"]], ids=["shallow", "deep"])
def test_nothing_that_was_planted_is_recorded(
    depth: list[str], variables: dict[str, str], tmp_path: Path
):
    out = tmp_path / "env.json"
    finished = run_cxr(
        "env", "capture", "--json", "--out", out, "-q", *depth, env=variables, cwd=tmp_path
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert find_planted(finished.stdout, tmp_path) == []
    assert find_planted(out.read_text(encoding="utf-8"), tmp_path) == []
    found = read_answer(finished)
    require_planted_machine(found, deep=bool(depth))
    for name in ("ONEDNN_CACHE", "MKL_PW", "KMP_USER"):
        assert found["variables"][name] == "not_recorded"


def require_planted_machine(found: dict[str, Any], *, deep: bool) -> None:
    """See that the machine was looked at which has those names: a file not read leaks nothing."""
    assert (found["os"]["container"], found["os"]["container_image"]) == (
        "podman",
        f"sha256:{machine.HEX}",
    )
    assert found["gpu"]["driver"] == machine.DRIVER
    if deep:
        build = "\n".join(found["numerics"]["build_text"])
        assert "CXX_COMPILER=<path>, CXX_FLAGS= -O2 -I<path> -DFETCHED=https:<path>" in build
        assert found["numerics"]["onednn"]["version"] == "3.7.1"


@pytest.mark.parametrize("depth", [[], ["--deep"]], ids=["shallow", "deep"])
def test_nothing_that_was_planted_is_shown(
    depth: list[str], variables: dict[str, str], tmp_path: Path
):
    finished = run_cxr("env", "capture", *depth, env=variables, cwd=tmp_path)
    assert finished.returncode == 0
    assert find_planted(finished.stdout + finished.stderr, tmp_path) == []
    assert f"podman, image sha256:{machine.HEX[:18]}" in finished.stdout


def test_an_image_that_is_no_digest_is_named_without_its_text(
    variables: dict[str, str], tmp_path: Path
):
    told = {**variables, "CXR_IMAGE_DIGEST": "planted-registry.invalid/planted-user/cxr"}
    finished = run_cxr("env", "capture", "--json", env=told, cwd=tmp_path)
    assert find_planted(finished.stdout + finished.stderr, tmp_path) == []
    assert read_answer(finished)["os"]["container_image"] is None
    assert finished.stderr == (
        "note: CXR_IMAGE_DIGEST is not sha256:<64 hex digits>; it is not recorded\n"
    )


def test_what_looks_for_planted_names_finds_them(variables: dict[str, str], tmp_path: Path):
    # A plain value of a variable that chooses kernels is recorded: that is what it is for.
    told = {**variables, "MKL_CBWR": "planted"}
    finished = run_cxr("env", "capture", "--json", env=told, cwd=tmp_path)
    assert [line.strip() for line in find_planted(finished.stdout, tmp_path)] == [
        '"MKL_CBWR": "planted",'
    ]
