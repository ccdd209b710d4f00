from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxr.digests.files import digest_file, digest_tree
from cxr.environment import git as git_module
from cxr.environment.code import PACKAGE, digest_code
from cxr.errors import RecordError
from cxr.reproduce.record import Record
from cxr.reproduce.sources import Sources, find_sources, stage_sources
from support.checkouts import commit_all, git

PATCH = """\
diff --git a/src/cxr/__init__.py b/src/cxr/__init__.py
--- a/src/cxr/__init__.py
+++ b/src/cxr/__init__.py
@@ -1 +1 @@
-VALUE = 1
+VALUE = 2
"""


def digest(package: Path) -> str:
    return digest_tree(package, package.rglob("*.py"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose first commit has VALUE = 1, and whose second has VALUE = 9."""
    repository = tmp_path / "repository"
    package = repository / "src" / "cxr"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 1\n")
    (repository / "secret-notes.txt").write_text("of no concern\n")
    commit_all(repository)
    git(repository, "tag", "first")
    (package / "__init__.py").write_text("VALUE = 9\n")
    commit_all(repository)
    return repository


@pytest.fixture
def find(repository: Path, tmp_path: Path):
    """Look for the sources with a VALUE, as a run of the first commit recorded them."""
    run, scratch = tmp_path / "run", tmp_path / "scratch"
    run.mkdir()

    def look(
        value: int, *, patch: str | None = None, alone: bool = False, unpacked: bool = False, **code
    ) -> Sources:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        wanted = tmp_path / "wanted"
        shutil.rmtree(wanted, ignore_errors=True)
        wanted.mkdir()
        (wanted / "__init__.py").write_text(f"VALUE = {value}\n")
        files = {}
        if patch is not None:
            (run / "code.patch").write_text(patch)
            files["code.patch"] = digest_file(run / "code.patch")
        commit = git(repository, "rev-parse", "first")
        manifest = {
            "recipe": {"code_digest": digest(wanted)},
            "code": {"commit": commit, "version": "0.0.9", "dirty": patch is not None, **code},
            "files": files,
        }
        directory = None if alone else run
        record = Record(manifest=manifest, directory=directory, is_unpacked=unpacked)
        return find_sources(record, scratch=scratch, repository=repository)

    return look


def test_the_sources_that_run_now_are_used_as_they_are(tmp_path: Path):
    record = Record(manifest={"recipe": {"code_digest": digest_code()}}, directory=None)
    found = find_sources(record, scratch=tmp_path)
    assert (found.package, found.are_own) == (PACKAGE, True)
    assert list(tmp_path.iterdir()) == []


def test_a_commit_is_checked_out_aside(find, repository: Path, tmp_path: Path):
    before = (git(repository, "status", "--porcelain"), git(repository, "rev-parse", "HEAD"))
    found = find(1)
    assert found.package == tmp_path / "scratch" / "src" / "cxr"
    assert (found.package / "__init__.py").read_text() == "VALUE = 1\n"
    assert found.origin.endswith(", checked out aside")
    assert not (tmp_path / "scratch" / "secret-notes.txt").exists()
    assert (repository / "src" / "cxr" / "__init__.py").read_text() == "VALUE = 9\n"
    assert before == (
        git(repository, "status", "--porcelain"),
        git(repository, "rev-parse", "HEAD"),
    )


def test_the_stored_patch_is_applied_there(find, repository: Path):
    found = find(2, patch=PATCH)
    assert (found.package / "__init__.py").read_text() == "VALUE = 2\n"
    assert "and the stored patch" in found.origin
    assert (repository / "src" / "cxr" / "__init__.py").read_text() == "VALUE = 9\n"


def test_a_patch_is_applied_inside_another_repository_too(find, repository: Path):
    """Where the scratch directory lies in some repository, that one is not meant."""
    git(repository.parent, "init", "--quiet")
    assert find(2, patch=PATCH).package is not None


def test_packed_sources_are_used_where_the_commit_is_not_here(find, tmp_path: Path):
    packed = tmp_path / "run" / "source" / "cxr"
    packed.mkdir(parents=True)
    (packed / "__init__.py").write_text("VALUE = 1\n")
    assert "checked out aside" in find(1, unpacked=True).origin
    nowhere = "0" * 40
    assert find(1, unpacked=True, commit=nowhere) == Sources(
        package=packed, origin="those packed with the run", came_along=True
    )
    # Not those of a directory that somebody put beside a run.
    assert find(1, commit=nowhere).package is None
    (packed / "__init__.py").write_text("VALUE = 666\n")
    assert find(1, unpacked=True, commit=nowhere).origin == (
        "those packed with the run are not those that ran"
    )


def test_a_patch_that_came_with_a_packed_run_is_known_to_have(find):
    assert find(2, patch=PATCH, unpacked=True).came_along is True
    assert find(2, patch=PATCH).came_along is False


def test_only_what_the_digest_covers_is_put_on_the_path(find, tmp_path: Path):
    package = find(1).package
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "__init__.cpython-313.pyc").write_bytes(b"x")
    (package / "errors.cpython-313-x86_64-linux-gnu.so").write_bytes(b"x")
    stage_sources(package, tmp_path / "path")
    staged = [path for path in (tmp_path / "path").rglob("*") if path.is_file()]
    assert staged == [tmp_path / "path" / "cxr" / "__init__.py"]
    assert digest(tmp_path / "path" / "cxr") == digest(package)


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({"commit": None}, "no commit is recorded: install cxr 0.0.9"),
        ({"commit": "--output=/tmp/x"}, "no commit is recorded: install cxr 0.0.9"),
        ({"commit": "0" * 40}, "commit 000000000000 is in no repository here"),
    ],
)
def test_without_a_commit_they_are_not_to_be_had(find, changes, origin: str):
    assert find(1, **changes) == Sources(package=None, origin=origin)


def test_changes_without_a_patch_are_named(find):
    assert find(2, dirty=True).origin.endswith(
        "had changes, and there is no patch: the run directory is needed, which holds the patch"
    )
    withheld = "its line 3 looks like a token"
    assert find(2, dirty=True, patch_withheld=withheld).origin.endswith(f"no patch: {withheld}")


def test_a_patch_of_a_manifest_that_came_alone_is_missed(find):
    assert "had changes" in find(2, patch=PATCH, alone=True).origin


def test_a_patch_that_does_not_fit_is_named(find):
    found = find(2, patch=PATCH.replace("VALUE = 1", "VALUE = 3"))
    assert found.package is None
    assert found.origin.startswith("the patch does not fit commit ")


@pytest.mark.parametrize("name", ["../outside.py", "src/cxr/../../../outside.py", "/outside.py"])
def test_a_patch_that_would_write_elsewhere_is_refused(find, tmp_path: Path, name: str):
    patch = (
        f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n"
        f"+++ b/{name}\n@@ -0,0 +1 @@\n+x\n"
    )
    assert find(1, patch=patch).package is None
    assert not list(tmp_path.glob("**/outside.py"))
    assert not Path("/outside.py").exists()


def test_a_patch_that_makes_a_link_out_of_the_directory_gives_other_sources(find, tmp_path: Path):
    name = "src/cxr/link.py"
    patch = (
        f"diff --git a/{name} b/{name}\nnew file mode 120000\n--- /dev/null\n"
        f"+++ b/{name}\n@@ -0,0 +1 @@\n+{tmp_path}/target.py\n\\ No newline at end of file\n"
    )
    (tmp_path / "target.py").write_text("VALUE = 0\n")
    assert find(1, patch=patch).package is None


def test_a_patch_that_was_changed_is_an_error(find, tmp_path: Path):
    find(2, patch=PATCH)
    manifest = {
        "recipe": {"code_digest": "sha256:0"},
        "code": {"commit": "0" * 40},
        "files": {"code.patch": "sha256:0"},
    }
    record = Record(manifest=manifest, directory=tmp_path / "run")
    with pytest.raises(RecordError, match="a file of the run was changed"):
        record.find_file("code.patch")


def test_a_machine_without_git_has_no_commit(find, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    without = SimpleNamespace(run=refuse, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr(git_module, "subprocess", without)
    assert find(1).origin.endswith("is in no repository here")


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"])
def test_a_shell_that_means_another_repository_does_not_matter(
    find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setenv(name, str(tmp_path))
    assert find(2, patch=PATCH).package is not None
