from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cxr.digests.files import digest_file
from cxr.environment.lock_file import load_lock
from cxr.errors import InstallationError, RecordError, StorageError
from cxr.progress import SILENCE
from cxr.reproduce import aside
from cxr.reproduce.aside import Requirements, build_aside, derive_requirements
from cxr.reproduce.record import Record

HERE = platform.python_version()
LOCK = Path(__file__).parents[3] / "uv.lock"

SMALL_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "root"
version = "1"
source = { virtual = "." }

[[package]]
name = "a"
version = "1.0"
source = { registry = "https://main.invalid/simple" }
wheels = [
    { url = "https://main.invalid/a.whl", hash = "sha256:aa", size = 1 },
    { url = "https://main.invalid/a2.whl", hash = "sha256:ab", size = 1 },
]

[[package]]
name = "b"
version = "2.0+cpu"
source = { registry = "https://extra.invalid/simple" }
wheels = [{ url = "https://extra.invalid/b.whl", hash = "sha256:bb", size = 1 }]

[[package]]
name = "c"
version = "3.0"
source = { registry = "https://main.invalid/simple" }
sdist = { url = "https://main.invalid/c.tar.gz", hash = "sha256:cc", size = 1 }
"""


def derive(tmp_path: Path, libraries: dict, *, lock: str | None = None, **capture) -> Requirements:
    files = {}
    if lock is not None:
        (tmp_path / "uv.lock").write_text(lock)
        files["uv.lock"] = digest_file(tmp_path / "uv.lock")
    record = Record(manifest={"libraries": libraries, "files": files}, directory=tmp_path)
    return derive_requirements(record, {"python": {"version": "3.11.7"}, **capture})


def test_what_was_installed_is_asked_for_with_the_lock_s_hashes(tmp_path: Path):
    libraries = {"c": "3.0", "a": "1.0", "b": "2.0+cpu", "d": "4", "cxr": "0.1.0"}
    found = derive(tmp_path, libraries, lock=SMALL_LOCK)
    assert found == Requirements(
        python="3.11.7",
        lines=(
            "a==1.0 --hash=sha256:aa --hash=sha256:ab",
            "b==2.0+cpu --hash=sha256:bb",
            "c==3.0 --hash=sha256:cc",
            "d==4",
        ),
        indexes=("https://extra.invalid/simple",),
    )


def test_without_a_lock_versions_are_enough(tmp_path: Path):
    assert derive(tmp_path, {"a": "1.0"}).lines == ("a==1.0",)


def test_other_requirements_have_another_name(tmp_path: Path):
    names = [derive(tmp_path, {"a": text}).digest for text in ("1.0", "1.1", "1.0")]
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize("origin", ["editable", "git 0123abc", "directory", "archive sha256:0"])
def test_a_package_that_came_from_no_index_is_named(tmp_path: Path, origin: str):
    with pytest.raises(RecordError, match=f"the package a came from no index.*{origin}"):
        derive(tmp_path, {"a": "1.0"}, origins={"a": origin})


@pytest.mark.parametrize(
    ("libraries", "capture"),
    [
        ({"a": "1.0 --index-url=https://evil.invalid"}, {}),
        ({"a": "1.0\n--index-url https://evil.invalid"}, {}),
        ({"-r /etc/passwd": "1"}, {}),
        ({"a": None}, {}),
        ({"a": "1.0"}, {"python": {"version": "--help"}}),
        ({"a": "1.0"}, {"python": {}}),
    ],
)
def test_a_record_cannot_smuggle_in_an_option(tmp_path: Path, libraries, capture):
    with pytest.raises(RecordError, match="does not say which Python and packages"):
        derive(tmp_path, libraries, **capture)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cxr" / "environments"


def small(*, hash_: str | None = None) -> Requirements:
    """Ask for one small package, in the version and with the hashes that this project locks."""
    found = version("iniconfig")
    hashes = [hash_] if hash_ else load_lock(LOCK).hashes("iniconfig", found)
    assert hashes
    line = " ".join([f"iniconfig=={found}", *(f"--hash={one}" for one in hashes)])
    return Requirements(python=HERE, lines=(line,), indexes=())


def test_an_environment_is_built_and_found_again(cache: Path, monkeypatch: pytest.MonkeyPatch):
    python = build_aside(small(), SILENCE)
    asked = "import json, sys, iniconfig; print(json.dumps([sys.prefix, iniconfig.__file__]))"
    ran = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    assert all(Path(place).is_relative_to(cache) for place in json.loads(ran.stdout))
    missing = subprocess.run([python, "-c", "import torch"], check=False, capture_output=True)
    assert missing.returncode != 0
    monkeypatch.setattr(aside, "run_program", None)
    assert build_aside(small(), SILENCE) == python


def test_a_file_of_another_digest_is_not_installed(cache: Path):
    with pytest.raises(InstallationError, match="uv could not build the recorded environment"):
        build_aside(small(hash_="sha256:" + "0" * 64), SILENCE)
    assert not list(cache.glob("*/complete"))
    assert build_aside(small(), SILENCE).exists()


@pytest.mark.usefixtures("cache")
def test_what_a_stopped_build_left_is_built_anew():
    python = build_aside(small(), SILENCE)
    (python.parents[1] / "complete").unlink()
    (python.parents[1] / "left-behind").touch()
    assert build_aside(small(), SILENCE) == python
    assert not (python.parents[1] / "left-behind").exists()
    # The Python that it was built on may be removed.
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert build_aside(small(), SILENCE).exists()


@pytest.mark.usefixtures("cache")
def test_another_version_of_python_is_asked_for_by_its_number(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def run(command, hear, *, variables):
        asked.append(command[1:])
        assert "VIRTUAL_ENV" not in variables
        hear("error: no such Python")
        return 2

    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setattr(aside, "run_program", run)
    other = Requirements(python="3.99.1", lines=("a==1",), indexes=("https://extra.invalid/x",))
    with pytest.raises(InstallationError, match="error: no such Python"):
        build_aside(other, SILENCE)
    own = Requirements(python=HERE, lines=("a==1",), indexes=())
    with pytest.raises(InstallationError):
        build_aside(own, SILENCE)
    assert [command[command.index("--python") + 1] for command in asked] == [
        "3.99.1",
        sys.executable,
    ]


@pytest.mark.usefixtures("cache")
def test_a_machine_without_uv_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InstallationError) as caught:
        build_aside(small(), SILENCE)
    assert caught.value.hint.startswith("pip install uv")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aside, "find_cache_directory", lambda _: None)
    with pytest.raises(StorageError, match="there is no place for an environment"):
        build_aside(small(), SILENCE)
