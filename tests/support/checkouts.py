"""Repositories of a test's own: git without the user's settings, and checkouts of cxr's sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cxr
from cxr.environment.git import derive_git_variables

SOURCES = Path(cxr.__file__).parent


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository and return what it says."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "commit.gpgsign=false"]
    ran = subprocess.run(
        ["git", *identity, *arguments],  # noqa: S607 - the user's own git
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
        env={
            **derive_git_variables(),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        },
    )
    return ran.stdout.strip()


def commit_all(repository: Path, message: str = "a commit") -> str:
    """Commit everything; return the commit's name."""
    if not (repository / ".git").exists():
        git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", message)
    return git(repository, "rev-parse", "HEAD")


def check_cxr_out(repository: Path) -> Path:
    """Copy cxr's sources into a new repository, commit them, and return the package there."""
    package = repository / "src" / "cxr"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    (repository / ".gitignore").write_text("__pycache__/\n")
    commit_all(repository)
    return package


def run_from(package: Path) -> dict[str, str]:
    """Return the variables with which a process imports cxr from there."""
    return {"PYTHONPATH": str(package.parent)}
