"""Weights from a hub: the real client against a server that this file starts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import safetensors.torch
import torch

COMMIT = "a" * 40
REPO = "group/model"
BROKEN = "broken.safetensors"
NOWHERE = "http://127.0.0.1:1"
"""Nothing listens there."""
CONTENT = safetensors.torch.save({"classifier.weight": torch.arange(6.0).reshape(2, 3)})

FETCH = """
import json, logging, sys
from cxr.config.schema import HubWeights
from cxr.errors import CxrError
from cxr.models.weights import find_weights
try:
    found = find_weights(HubWeights(**json.loads(sys.argv[1])))
    print(json.dumps({"origin": found.origin, "digest": found.content_digest}))
except CxrError as error:
    print(json.dumps({"error": str(error), "code": int(error.exit_code)}))
if "huggingface_hub" in sys.modules:
    # What the client says while it tries again, and shows on a terminal.
    logging.getLogger("huggingface_hub").error("trying again")
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled
    assert are_progress_bars_disabled()
"""


class Hub(BaseHTTPRequestHandler):
    """One file at one commit, as the hub serves it, and one that it fails to serve."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.asked.append(self.path)
        if self.path.endswith(BROKEN):
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path != f"/{REPO}/resolve/{COMMIT}/model.safetensors":
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if body:
            self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(
    endpoint: str, home: Path, *, offline: str = "", **weights: str | None
) -> dict[str, object]:
    config = {"source": "hub", "repo": REPO, **weights}
    finished = subprocess.run(
        [sys.executable, "-c", FETCH, json.dumps(config)],
        env={
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": offline,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stderr == ""
    answer: dict[str, object] = json.loads(finished.stdout)
    return answer


def test_a_file_is_fetched_at_its_commit_and_its_content_digest_is_recorded(
    hub: str, tmp_path: Path
) -> None:
    sha256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    found = fetch(hub, tmp_path, revision=COMMIT, sha256=sha256)
    assert found["origin"] == {
        "source": "hub",
        "repo": REPO,
        "revision": COMMIT,
        "file_sha256": sha256,
    }
    head = b'["classifier.weight","float32",[2,3]]\n'
    tensor = torch.arange(6.0).numpy().tobytes()
    assert found["digest"] == f"sha256:{hashlib.sha256(head + tensor).hexdigest()}"


def test_a_file_with_another_digest_is_refused(hub: str, tmp_path: Path) -> None:
    found = fetch(hub, tmp_path, revision=COMMIT, sha256=f"sha256:{'0' * 64}")
    assert "another digest" in str(found["error"])
    assert found["code"] == 3


def test_a_file_that_the_hub_does_not_have_is_a_clear_error(hub: str, tmp_path: Path) -> None:
    found = fetch(hub, tmp_path, revision=COMMIT, file="other.safetensors")
    assert str(found["error"]).startswith("cannot fetch the weights")
    assert found["code"] == 3


def test_a_hub_that_cannot_answer_is_asked_once(hub: str, tmp_path: Path) -> None:
    found = fetch(hub, tmp_path, revision=COMMIT, file=BROKEN)
    assert str(found["error"]).startswith("cannot fetch the weights")
    assert found["code"] == 3
    assert len([path for path in Hub.asked if path.endswith(BROKEN)]) == 1


@pytest.mark.parametrize("offline", ["", "1"])
def test_a_hub_out_of_reach_is_a_clear_error_without_noise(tmp_path: Path, offline: str) -> None:
    found = fetch(NOWHERE, tmp_path, offline=offline, revision=COMMIT)
    problem, _, hint = str(found["error"]).splitlines()
    assert problem.startswith("cannot fetch the weights")
    assert "go online" in hint
    assert found["code"] == 3


@pytest.mark.parametrize("offline", ["", "1"])
def test_a_file_in_the_cache_needs_no_hub(hub: str, tmp_path: Path, offline: str) -> None:
    first = fetch(hub, tmp_path, revision=COMMIT)
    assert fetch(NOWHERE, tmp_path, offline=offline, revision=COMMIT) == first


def test_no_revision_is_invented(hub: str, tmp_path: Path) -> None:
    found = fetch(hub, tmp_path)
    assert "revision is not set" in str(found["error"])
    assert found["code"] == 2
    assert not list(tmp_path.iterdir())
