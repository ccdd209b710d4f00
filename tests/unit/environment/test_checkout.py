from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cxr.environment.checkout import capture_checkout

_IDENTITY = ("-c", "user.name=Somebody", "-c", "user.email=s@example.org")


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *_IDENTITY, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository with one commit."""
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("lr = 1\n")
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_clean_checkout_has_its_commit_and_no_patch(repository):
    found = capture_checkout(repository)
    assert found.facts["commit"] == git(repository, "rev-parse", "HEAD")
    assert (found.facts["dirty"], found.patch.content) == (False, None)


def test_what_is_left_out_does_not_count_and_anything_else_does(repository):
    for name in ("made/a/x.py", "fit.json", "made.py"):
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
        git(repository, "add", name)
    git(repository, "commit", "-q", "-m", "two")
    globs = ["./ma*", "fit.json"]
    clean = capture_checkout(repository, besides=globs)
    (repository / "fit.json").write_text("2")
    (repository / "made.py").unlink()
    (repository / "made" / "a" / "x.py").write_text("2")
    (repository / "made" / "new.py").write_text("2")
    assert capture_checkout(repository, besides=globs).facts == clean.facts
    assert capture_checkout(repository).facts["digest"] != clean.facts["digest"]
    (repository / "train.py").write_text("lr = 2\n")
    found = capture_checkout(repository, besides=globs)
    assert found.patch.content.count(b"diff --git") == 1


def test_what_is_uncommitted_is_in_the_patch_and_the_index_is_left_alone(repository):
    clean = capture_checkout(repository).facts["digest"]
    below = repository / "package"
    below.mkdir()
    (repository / "train.py").write_text("lr = 2\n")
    (below / "new.py").write_text("n = 1\n")
    (repository / "ignored.py").write_text("x\n")
    (repository / "notes.txt").write_text("x\n")
    before = git(repository, "status", "--porcelain")
    found = capture_checkout(below)
    assert git(repository, "status", "--porcelain") == before
    assert found.facts["dirty"] is True
    assert found.facts["digest"] != clean
    text = found.patch.content.decode()
    assert "+lr = 2" in text
    assert "package/new.py" in text
    assert "ignored.py" not in text
    assert "notes.txt" not in text
    git(repository, "checkout", "-q", "train.py")
    (below / "new.py").unlink()
    (repository / "again").mkdir()
    target = repository / "again"
    git(target, "clone", "-q", str(repository), "copy")
    patch = repository / "code.patch"
    patch.write_bytes(found.patch.content)
    git(target / "copy", "apply", str(patch))
    assert (target / "copy" / "package" / "new.py").read_text() == "n = 1\n"


def test_a_patch_with_a_secret_is_withheld_and_still_tells_two_codes_apart(repository):
    digests = []
    for secret in ("hf_abcdefghijklmnopqrstuvwxyz", "hf_abcdefghijklmnopqrstuvwxyy"):
        (repository / "train.py").write_text(f"t = '{secret}'\n")
        found = capture_checkout(repository)
        assert found.patch.content is None
        assert "looks like a token" in found.patch.withheld
        digests.append(found.facts["digest"])
    assert digests[0] != digests[1]


def test_outside_of_a_repository_nothing_is_known(tmp_path):
    found = capture_checkout(tmp_path)
    assert found.facts == {"commit": None, "dirty": None, "digest": None}
