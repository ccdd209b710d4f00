"""A hub on this machine that this process speaks to, and an export of a fabricated run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from cxr.publication.fetch_release import Fetched, fetch_release
from support.fabricated_runs import make_run  # noqa: F401 - a fixture
from support.hub_server import running_hub
from support.hub_state import TOKEN, Hub
from support.releases import REPO, TAG, write_small_export


@pytest.fixture(scope="session")
def running() -> Iterator[Hub]:
    with running_hub() as found:
        yield found


@pytest.fixture
def hub(running: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub, empty and well behaved, as the one that huggingface_hub asks."""
    running.forget()
    running.repositories.clear()
    running.objects.clear()
    monkeypatch.setattr(constants, "ENDPOINT", running.address)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Between two tries nobody needs to wait.
    monkeypatch.setattr("cxr.publication.answers._WAIT_S", 0)
    yield running
    huggingface_hub.close_session()


@pytest.fixture
def run(make_run) -> Path:  # noqa: F811 - the fixture
    return make_run(computed=True)


@pytest.fixture
def export(run: Path, tmp_path: Path) -> Path:
    return write_small_export(run, tmp_path / "export")


@pytest.fixture
def fetch(hub: Hub, tmp_path: Path) -> Callable[..., Fetched]:  # noqa: ARG001 - it is asked
    """Fetch the release into ``place/got``; nothing may be left anywhere where that fails."""

    def fetch(revision: str = TAG, *, kept: bool = False, **options: Any) -> Fetched:
        place = tmp_path / "place"
        place.mkdir(exist_ok=True)
        try:
            return fetch_release(f"{REPO}@{revision}", out=place / "got", **options)
        finally:
            assert [path.name for path in place.iterdir()] == (["got"] if kept else [])

    return fetch
