from __future__ import annotations

import shutil
import subprocess

import pytest

import cxr
from cxr.digests.files import digest_tree
from cxr.environment import code, git
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


@pytest.fixture
def checkout(sources):
    """A package with one commit, clean, in a repository that ignores some of its files."""
    root = sources.parent
    (sources / "page.html").write_text("x", encoding="utf-8")
    (root / ".gitignore").write_text("ignored*\n__pycache__/\n", encoding="utf-8")
    run_git(root, "init", "--quiet")
    run_git(root, "add", ".")
    run_git(root, "commit", "--quiet", "-m", "x")
    assert capture_code()["dirty"] is False
    return root


@pytest.mark.parametrize("bit", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_was_told_not_to_look_at_is_looked_at(checkout, sources, bit):
    run_git(checkout, "update-index", bit, "package/__init__.py")
    (sources / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    assert run_git(checkout, "status", "--porcelain") == ""
    assert capture_code()["dirty"] is True


@pytest.mark.parametrize("name", ["new.py", "ignored.py", "inner/new.py"])
def test_a_source_that_git_does_not_show_is_seen(checkout, sources, name):
    run_git(checkout, "config", "status.showUntrackedFiles", "no")
    (sources / name).parent.mkdir(exist_ok=True)
    (sources / name).write_text("x = 1\n", encoding="utf-8")
    assert run_git(checkout, "status", "--porcelain") == ""
    assert capture_code()["dirty"] is True


@pytest.mark.parametrize("name", ["ignored.txt", "__pycache__/a.pyc"])
@pytest.mark.usefixtures("checkout")
def test_what_is_ignored_and_no_source_is_no_change(sources, name):
    (sources / name).parent.mkdir(exist_ok=True)
    (sources / name).write_text("x", encoding="utf-8")
    assert capture_code()["dirty"] is False
    # A page that cxr fills in is no source; it is committed, and counts.
    (sources / "page.html").write_text("y", encoding="utf-8")
    assert capture_code()["dirty"] is True


def test_what_was_staged_and_taken_back_is_no_change(checkout, sources):
    before = (sources / "__init__.py").read_text(encoding="utf-8")
    (sources / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    run_git(checkout, "add", "package/__init__.py")
    (sources / "__init__.py").write_text(before, encoding="utf-8")
    assert capture_code()["dirty"] is False


def test_where_git_does_not_answer_it_is_not_said_to_be_clean(checkout, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space")

    commit = run_git(checkout, "rev-parse", "HEAD")
    monkeypatch.setattr(git.tempfile, "TemporaryDirectory", fail)
    found = capture_code()
    assert (found["commit"], found["dirty"]) == (commit, None)
    monkeypatch.undo()


def test_a_commit_whose_tree_is_lost_is_not_said_to_be_clean(checkout):
    tree = run_git(checkout, "rev-parse", "HEAD^{tree}")
    lost = checkout / ".git" / "objects" / tree[:2] / tree[2:]
    lost.chmod(0o600)
    lost.unlink()
    assert capture_code()["dirty"] is None


STEERING = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
)


@pytest.mark.parametrize("name", [*STEERING, "GIT_LITERAL_PATHSPECS", "all of them"])
@pytest.mark.usefixtures("checkout")
def test_a_shell_that_means_another_repository_does_not_lead_git_there(
    sources, tmp_path, monkeypatch, name
):
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "--quiet")
    run_git(other, "commit", "--quiet", "--allow-empty", "-m", "another")
    expected = capture_code()
    values = dict.fromkeys(STEERING, str(other / ".git")) | {"GIT_WORK_TREE": str(other)}
    values |= {"GIT_INDEX_FILE": str(other / ".git" / "index"), "GIT_LITERAL_PATHSPECS": "1"}
    for each in values if name == "all of them" else [name]:
        monkeypatch.setenv(each, values[each])
    assert capture_code() == expected
    (sources / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    assert capture_code() == {**expected, "digest": code.digest_code(), "dirty": True}
