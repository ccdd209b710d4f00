"""Which way files take, and that a bad answer or a wrong byte is seen whichever way it came."""

from __future__ import annotations

import pytest
from huggingface_hub.utils._runtime import is_xet_available  # what the client itself asks

from cxr.attestation.export_signatures import sign_export
from cxr.errors import (
    CxrError,
    HubError,
    Interrupted,
    ReleaseDiffersError,
)
from cxr.publication.fetch_release import fetch_release
from cxr.publication.publish_run import Wishes, publish_run
from support.attesting import SIGNER
from support.hub_state import TOKEN, Hub
from support.releases import REPO, TAG, name_findings, put, read_files


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


def test_a_file_of_another_commit_is_seen(hub, fetch, export):
    put(hub, read_files(export))
    hub.headers = {"X-Repo-Commit": "b" * 40}
    ((path, problem),) = name_findings(fetch())
    assert path == "README.md"
    assert problem.startswith("is of another commit than the one that was asked for")


def test_an_answer_without_an_end_is_cut_off(hub, fetch, export):
    put(hub, read_files(export))
    hub.bodies = {"model.safetensors": "endless"}
    ((path, problem),) = name_findings(fetch())
    assert path == "model.safetensors"
    assert problem.startswith("is larger than the ")


@pytest.mark.parametrize("name", ["README.md", "model.safetensors", "export.attestation.json"])
def test_a_byte_that_is_another_one_on_its_way_is_seen_in_every_file(hub, fetch, export, name):
    # Without a key nothing else looks at a signature's bytes.
    sign_export(export, SIGNER)
    put(hub, read_files(export))
    hub.bodies = {name: "flip"}
    assert name_findings(fetch()) == [(name, "has other bytes than those that the hub listed")]


def test_a_page_in_place_of_a_file_is_seen(hub, fetch, export):
    put(hub, read_files(export))
    hub.bodies = {"recipe.yaml": "html"}
    ((path, problem),) = name_findings(fetch())
    assert (path, problem.partition(",")[0]) == ("recipe.yaml", "has 36 bytes")


def test_a_packed_answer_is_unpacked_before_it_is_looked_at(hub, fetch, export, tmp_path):
    put(hub, read_files(export))
    hub.bodies = {"README.md": "packed", "model.safetensors": "packed"}
    assert fetch(kept=True).findings == []
    assert read_files(tmp_path / "place" / "got") == read_files(export)


def test_what_a_hub_says_of_lengths_and_tags_of_content_is_not_believed(hub, fetch, export):
    put(hub, read_files(export))
    hub.headers = {"ETag": '"0"', "X-Linked-ETag": '"0"', "X-Linked-Size": "1"}
    assert fetch(kept=True).findings == []


@pytest.mark.parametrize("how", ["truncate", "silent"])
def test_an_answer_that_breaks_off_is_asked_for_again_and_then_given_up(hub, fetch, export, how):
    put(hub, read_files(export))
    hub.bodies = {"manifest.json": how}
    with pytest.raises(HubError, match="cannot be reached, or its answer broke off"):
        fetch()
    assert len(hub.list_asked("manifest.json")) == 3


def test_a_signal_between_two_pieces_leaves_nothing(hub, fetch, export):
    class Stopping:
        def advance(self, what: str, done: int, total: int) -> None:
            raise Interrupted(f"{what}: {done} of {total}", where="here", hint="again")

        def note(self, text: str) -> None:
            raise AssertionError(text)

    put(hub, read_files(export))
    with pytest.raises(Interrupted, match="bytes fetched"):
        fetch(progress=Stopping())


@pytest.mark.parametrize("part", ["/refs", "/tree/", "labels.json", "/objects/"])
def test_a_busy_hub_is_asked_again(hub, fetch, export, part):
    put(hub, read_files(export))
    hub.statuses = {part: [503, 429]}
    assert fetch(kept=True).findings == []


@pytest.mark.parametrize("status", [401, 403, 404, 418, 429, 500])
@pytest.mark.parametrize("part", ["/refs", "labels.json"])
def test_every_refusal_is_an_error_without_the_token(hub, fetch, export, part, status):
    put(hub, read_files(export))
    hub.statuses = {part: [status] * 3}
    hub.echoes = True
    with pytest.raises(CxrError) as caught:
        fetch()
    assert int(caught.value.exit_code) == 3
    assert len(str(caught.value).splitlines()) == 3
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("leads", "said"),
    [
        ("file:///etc/passwd", "no address"),
        ("http://[", "no address"),
        ("http://a:99999/", "no address"),
        ("/again", "refuses"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error(hub, fetch, export, leads, said):
    put(hub, read_files(export))
    hub.leads = leads
    with pytest.raises(HubError, match=said):
        fetch()
