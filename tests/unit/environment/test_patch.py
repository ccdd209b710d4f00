from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cxr.digests.files import digest_tree
from cxr.environment import code as code_module
from cxr.environment import patch as patch_module
from cxr.environment.code import capture_code
from cxr.environment.kept import Kept
from cxr.environment.patch import capture_patch
from support.checkouts import commit_all, git


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a repository with one commit, in cxr's place."""
    repository = tmp_path / "repository"
    package = repository / "src" / "cxr"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 1\n")
    (package / "gone.py").write_text("pass\n")
    (repository / ".gitignore").write_text("ignored*\n__pycache__/\n")
    commit_all(repository)
    monkeypatch.setattr(code_module, "PACKAGE", package)
    return package


def digest(package: Path) -> str:
    return digest_tree(package, package.rglob("*.py"))


def apply(patch: Kept, package: Path, place: Path) -> Path:
    """Apply a patch to the commit's own sources, elsewhere; return the package there."""
    repository = package.parents[1]
    place.mkdir()
    archive = subprocess.run(
        ["git", "archive", "HEAD"],  # noqa: S607 - the user's own git
        cwd=repository,
        check=True,
        capture_output=True,
    )
    subprocess.run(["tar", "-x"], cwd=place, check=True, input=archive.stdout)  # noqa: S607
    subprocess.run(
        ["git", "apply", "-"],  # noqa: S607 - the user's own git
        cwd=place,
        check=True,
        input=patch.content,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(place.parent)},
    )
    return place / "src" / "cxr"


@pytest.mark.usefixtures("package")
def test_a_clean_checkout_has_no_patch():
    assert capture_patch(capture_code()) == Kept()


def test_the_patch_turns_the_commit_into_what_ran(package: Path, tmp_path: Path):
    (package / "__init__.py").write_text("VALUE = 2\n")
    (package / "gone.py").unlink()
    (package / "new.py").write_text("# not tracked\n")
    (package / "ignored.py").write_text("# ignored, and imported all the same\n")
    (package / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\n# \xe9t\xe9\n")
    (package / "notes.txt").write_text("of no concern\n")
    patch = capture_patch(capture_code())
    assert patch.withheld is None
    assert b"notes" not in patch.content
    assert digest(apply(patch, package, tmp_path / "elsewhere")) == digest(package)


def test_the_user_s_index_and_objects_are_left_as_they_are(package: Path):
    repository = package.parents[1]
    (package / "new.py").write_text("# staged\n")
    git(repository, "add", "src/cxr/new.py")
    (package / "new.py").write_text("# and changed since\n")
    (package / "other.py").write_text("# not staged\n")

    def look() -> tuple[str, str, bytes]:
        objects = sorted(str(path) for path in (repository / ".git" / "objects").rglob("*"))
        index = (repository / ".git" / "index").read_bytes()
        return git(repository, "status", "--porcelain"), "\n".join(objects), index

    before = look()
    assert b"and changed since" in capture_patch(capture_code()).content
    assert look() == before


def test_the_user_s_way_of_showing_differences_does_not_matter(package: Path, tmp_path: Path):
    repository = package.parents[1]
    for name, value in (
        ("diff.noprefix", "true"),
        ("color.ui", "always"),
        ("diff.external", "false"),
        ("core.pager", "false"),
    ):
        git(repository, "config", name, value)
    (package / "__init__.py").write_text("VALUE = 3\n")
    patch = capture_patch(capture_code())
    assert digest(apply(patch, package, tmp_path / "elsewhere")) == digest(package)


def test_a_patch_with_what_looks_like_a_secret_is_withheld(package: Path):
    (package / "__init__.py").write_text("API_TOKEN = 'planted0123456'\n")
    patch = capture_patch(capture_code())
    assert patch.content is None
    assert patch.withheld.endswith("looks like a secret")
    assert "planted" not in patch.withheld


def test_a_patch_that_is_too_large_is_withheld(package: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patch_module, "MAX_PATCH_BYTES", 300)
    (package / "__init__.py").write_text("VALUE = 4\n" * 100)
    assert capture_patch(capture_code()) == Kept(withheld="it is larger than 300 bytes")


def test_what_is_no_source_makes_no_patch_and_says_so(package: Path):
    (package / "notes.txt").write_text("of no concern\n")
    patch = capture_patch(capture_code())
    assert patch == Kept(withheld="what is uncommitted is not in the sources")


def test_outside_of_a_repository_there_is_none(package: Path):
    shutil.rmtree(package.parents[1] / ".git")
    code = capture_code()
    assert (code["commit"], code["dirty"]) == (None, None)
    assert capture_patch(code) == Kept()


@pytest.mark.usefixtures("package")
def test_where_git_does_not_tell_what_changed_that_is_said():
    code = {**capture_code(), "dirty": None}
    assert capture_patch(code) == Kept(withheld="git does not tell what is uncommitted")


def test_a_file_that_git_was_told_not_to_look_at_is_in_the_patch(package: Path, tmp_path: Path):
    git(package.parents[1], "update-index", "--assume-unchanged", "src/cxr/__init__.py")
    (package / "__init__.py").write_text("VALUE = 5\n")
    patch = capture_patch(capture_code())
    assert digest(apply(patch, package, tmp_path / "elsewhere")) == digest(package)
