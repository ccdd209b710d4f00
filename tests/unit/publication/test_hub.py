"""Whom a token is sent to, and what is said where huggingface_hub is set to something unusable."""

from __future__ import annotations

import time

import pytest
from huggingface_hub import constants

from cxr.errors import CxrError, HubError, Interrupted, UsageError
from cxr.publication.answers import get_json
from cxr.publication.fetch_release import fetch_release
from cxr.publication.hub import open_hub
from cxr.publication.publish_run import Wishes, publish_run
from support.hub_state import TOKEN, Hub
from support.releases import REPO, TAG, put, read_files


def read_refusal() -> CxrError:
    with pytest.raises(CxrError) as caught:
        open_hub()
    assert len(str(caught.value).splitlines()) == 3
    assert TOKEN not in repr(caught.value) + str(caught.value)
    return caught.value


@pytest.mark.parametrize("spoilt", [f"{TOKEN}é", f"{TOKEN}\x01", f"{TOKEN}\u200b"])
def test_a_token_that_cannot_be_sent_is_refused_before_it_is(hub, monkeypatch, spoilt):
    monkeypatch.setenv("HF_TOKEN", spoilt)
    assert read_refusal().problem.startswith("the token for the hub is none")
    assert hub.asked == []


@pytest.mark.parametrize("kind", ["bytes", "directory"])
def test_a_token_file_that_cannot_be_read_is_an_error(hub, monkeypatch, tmp_path, kind):
    place = tmp_path / "token"
    if kind == "bytes":
        place.write_bytes(TOKEN.encode() + b"\xff")
    else:
        place.mkdir()
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(place))
    refusal = read_refusal()
    assert isinstance(refusal, HubError)
    assert "HF_TOKEN_PATH" in refusal.where
    assert hub.asked == []


def test_a_token_of_a_publisher_that_there_is_not_is_an_error(hub, monkeypatch):
    monkeypatch.setenv("HF_OIDC_RESOURCE", "group/model")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert "HF_OIDC_RESOURCE" in read_refusal().where
    assert hub.asked == []


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks4://me:secretword@proxy:99"),
        ("SSL_CERT_FILE", "/nowhere/secretword.pem"),
    ],
)
def test_proxies_and_certificates_that_cannot_be_used_are_not_repeated(
    monkeypatch, variable, value
):
    monkeypatch.delenv(variable.lower(), raising=False)
    monkeypatch.setenv(variable, value)
    refusal = read_refusal()
    assert isinstance(refusal, UsageError)
    assert variable in refusal.where
    assert "secretword" not in str(refusal)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("seconds", [-1, 10**12])
def test_a_time_limit_that_is_none_is_refused(monkeypatch, seconds):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", seconds)
    assert "HF_HUB_DOWNLOAD_TIMEOUT" in read_refusal().where


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("host", ["a" * 80, "a..b", "hüb..example"])
def test_a_host_that_cannot_be_looked_up_is_no_address(monkeypatch, host):
    monkeypatch.setattr(constants, "ENDPOINT", f"https://{host}")
    assert read_refusal().problem == "the hub's address is none"


def test_a_proxy_is_not_told_the_token_for_a_hub_of_this_machine(
    hub, export, monkeypatch, tmp_path
):
    # The storage plays the proxy: it notes whatever it is asked.
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", hub.storage)
    monkeypatch.setenv("http_proxy", hub.storage)
    put(hub, read_files(export))
    assert fetch_release(f"{REPO}@{TAG}", out=tmp_path / "got").findings == []
    assert {token for name, _, token in hub.asked if name == "storage"} == {None}
    assert {token for name, _, token in hub.asked if name == "hub"} == {f"Bearer {TOKEN}"}


def test_a_hub_cannot_make_it_wait_as_long_as_it_likes(hub: Hub, run, export, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    hub.statuses, hub.waits = {"PUT": [429, 503]}, 86_400
    assert publish_run(run, REPO, TAG, Wishes(export=export, is_meant=True)).is_sent
    assert len(slept) == 2
    assert max(slept) <= 8


def test_a_signal_is_obeyed_before_something_busy_is_asked_to_change_anything(
    hub: Hub, run, export, monkeypatch
):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    stop = Interrupted("stopped by SIGINT", where="here", hint="again")
    waiting: list[Exception] = []

    def obey(_: str) -> None:
        if waiting:
            raise waiting.pop()

    monkeypatch.setattr("cxr.publication.client.obey", obey)
    hub.statuses = {"preupload": [503] * 9}
    hub.on_answer = lambda line: waiting.append(stop) if "preupload" in line else None
    with pytest.raises(Interrupted):
        publish_run(run, REPO, TAG, Wishes(export=export, is_meant=True))
    assert len(hub.list_asked("preupload")) == 1


def test_a_signal_is_obeyed_while_an_answer_comes(hub: Hub, export, monkeypatch):
    put(hub, read_files(export))
    opened = open_hub()

    def obey(where: str) -> None:
        raise Interrupted("stopped by SIGINT", where=where, hint="again")

    monkeypatch.setattr("cxr.publication.answers.obey", obey)
    with pytest.raises(Interrupted):
        get_json(opened, f"/api/models/{REPO}/refs", where="here")
