"""A hub on this machine that this process speaks to, and an export of a fabricated run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from support.fabricated_runs import make_run  # noqa: F401 - a fixture
from support.hub_server import TOKEN, Hub, running_hub
from support.releases import write_small_export


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
