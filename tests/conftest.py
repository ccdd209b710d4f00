"""What tests of all kinds share: a place for the session, a decode cache, finished runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest
from PIL import Image

from support.program import run_cxr
from support.runs import FinishedRuns


@pytest.fixture(scope="session")
def shared_directory(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """A directory of this session that all of its workers see."""
    base = tmp_path_factory.getbasetemp()
    # Each worker of pytest-xdist has a directory of its own inside the session's.
    session = base.parent if hasattr(request.config, "workerinput") else base
    shared = session / "shared"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session", autouse=True)
def _own_user_directories(shared_directory: Path) -> Iterator[None]:
    """Keep every process that tests start out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_directory / "cache"))
        yield


@pytest.fixture(scope="session")
def finished_run(shared_directory: Path) -> FinishedRuns:
    """Trains a recipe, once in a session."""
    return FinishedRuns(shared_directory)


@pytest.fixture(scope="session")
def radiographs(shared_directory: Path) -> Path:
    """28 drawn radiographs of 32 px: 12 to train on, 8 to choose by, 8 to test; never changed.

    The first image of pneumonia is a PNG, so that a test can change one of its pixels.
    """
    root = shared_directory / "radiographs"
    with filelock.FileLock(shared_directory / "radiographs.lock"):
        if not root.exists():
            drawn = root.with_name("drawing")
            sizes = ["--size", "32", "--train", "12", "--val", "8", "--test", "8"]
            finished = run_cxr("data", "synth", drawn, *sizes, "--quiet")
            assert finished.returncode == 0, finished.stderr
            first = min((drawn / "train" / "PNEUMONIA").iterdir())
            with Image.open(first) as image:
                image.save(first.with_suffix(".png"))
            first.unlink()
            drawn.rename(root)
    return root
