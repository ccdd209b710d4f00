"""Which way files take, and that a wrong byte is seen whichever way it came or went."""

from __future__ import annotations

import pytest
from huggingface_hub.utils._runtime import is_xet_available  # what the client itself asks

from cxr.errors import ReleaseDiffersError
from cxr.publication.fetch_release import fetch_release
from cxr.publication.publish_run import Wishes, publish_run
from support.hub_server import Hub
from support.releases import REPO, TAG, put, read_files


@pytest.fixture
def offered(hub: Hub) -> Hub:
    """The hub, which offers Xet to whoever has it, as the real one does."""
    assert is_xet_available()
    place = f"{hub.address}/api/models/{REPO}/xet-read-token/main"
    hub.headers = {"X-Xet-Hash": "0" * 64, "Link": f'<{place}>; rel="xet-auth"'}
    return hub


def test_files_are_sent_by_http_though_xet_is_installed(offered: Hub, run, export):
    assert publish_run(run, REPO, TAG, Wishes(export=export, is_meant=True)).is_sent
    assert len(offered.list_asked("PUT /objects/")) == 1
    assert offered.list_asked("xet") == []


def test_files_are_fetched_by_http_though_xet_is_offered(offered: Hub, export, tmp_path):
    put(offered, read_files(export))
    assert fetch_release(f"{REPO}@{TAG}", out=tmp_path / "got").findings == []
    assert read_files(tmp_path / "got") == read_files(export)
    assert len(offered.list_asked("GET /objects/")) == 1
    assert offered.list_asked("xet") == []


@pytest.mark.parametrize("name", ["model.safetensors", "README.md"])
def test_a_byte_that_the_hub_got_wrong_is_seen_before_the_tag(hub: Hub, run, export, name):
    def spoil(line: str) -> None:
        repository = hub.repositories.get(REPO)
        made = repository.commits[repository.branches["main"]] if repository else {}
        if "/tree/" in line and name in made:
            made[name] = bytes([made[name][0] ^ 1]) + made[name][1:]

    hub.on_answer = spoil
    said = f"the hub holds something else than what was sent: {name}"
    with pytest.raises(ReleaseDiffersError, match=said):
        publish_run(run, REPO, TAG, Wishes(export=export, is_meant=True))
    assert hub.repositories[REPO].tags == {}
