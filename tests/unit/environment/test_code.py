from __future__ import annotations

import shutil
import subprocess

import pytest

import cxr
from cxr.digests.files import digest_tree
from cxr.environment import code
from cxr.environment.code import PACKAGE, capture_code, digest_code


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A small package in cxr's place."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(code, "PACKAGE", package)
    monkeypatch.setattr(code, "digest_code", code.digest_code.__wrapped__)
    return package


def test_it_is_the_digest_of_cxrs_own_sources():
    assert digest_code() == digest_tree(PACKAGE, PACKAGE.rglob("*.py"))


def test_any_source_changes_it_and_nothing_else_does(sources):
    before = code.digest_code()
    (sources / "__pycache__").mkdir()
    (sources / "__pycache__" / "a.pyc").write_bytes(b"x")
    (sources / "py.typed").touch()
    assert code.digest_code() == before
    (sources / "inner").mkdir()
    (sources / "inner" / "plug_in.py").write_text("x = 1\n", encoding="utf-8")
    assert code.digest_code() != before


def test_sources_outside_of_git_have_no_commit(sources, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(sources.parent.parent))
    found = capture_code()
    assert found["version"] == cxr.__version__
    assert (found["commit"], found["branch"], found["dirty"]) == (None, None, None)


def test_a_machine_without_git_has_no_commit(sources, monkeypatch):
    monkeypatch.setenv("PATH", str(sources))
    found = capture_code()
    assert (found["commit"], found["branch"], found["dirty"]) == (None, None, None)


def run_git(directory, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    identity += ["-c", "commit.gpgsign=false"]
    git = shutil.which("git")
    command = [git, "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_has_its_commit_and_says_whether_it_is_clean(sources, monkeypatch):
    root = sources.parent
    run_git(root, "init", "--quiet", "--initial-branch", "planted/branch")
    run_git(root, "add", "package")
    run_git(root, "commit", "--quiet", "-m", "x")
    found = capture_code()
    assert found["commit"] == run_git(root, "rev-parse", "HEAD")
    assert found["branch"] == "planted/branch"
    monkeypatch.setenv("USER", "Planted")
    assert capture_code()["branch"] is None
    monkeypatch.setenv("USER", "")
    assert capture_code()["branch"] == "planted/branch"
    assert found["dirty"] is False
    (root / "elsewhere").touch()
    assert capture_code()["dirty"] is False
    (sources / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    assert capture_code()["dirty"] is True
    run_git(root, "checkout", "--quiet", "--detach")
    found = capture_code()
    assert (found["branch"], found["commit"]) == (None, run_git(root, "rev-parse", "HEAD"))


def test_a_package_that_is_installed_inside_somebodys_checkout_has_no_commit(sources):
    root = sources.parent
    run_git(root, "init", "--quiet")
    (root / "own.py").touch()
    run_git(root, "add", "own.py")
    run_git(root, "commit", "--quiet", "-m", "x")
    found = capture_code()
    assert (found["commit"], found["branch"], found["dirty"]) == (None, None, None)
