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
from typing import Any, ClassVar

import pytest
import safetensors.torch
import torch

COMMIT = "a" * 40
REPO = "group/model"
BROKEN = "broken.safetensors"
NOWHERE = "http://127.0.0.1:1"
"""Nothing listens there."""
CONTENT = safetensors.torch.save({"classifier.weight": torch.arange(6.0).reshape(2, 3)})
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"

FETCH = """
import json, logging, os, sys
from cxr.config.schema import HubWeights
from cxr.errors import CxrError
from cxr.models.weights import find_weights
answers = []
for weights in json.loads(sys.argv[1]):
    try:
        found = find_weights(HubWeights(**weights))
        answer = {"origin": found.origin, "digest": found.content_digest}
    except CxrError as error:
        answer = {"error": str(error), "code": int(error.exit_code)}
    answers.append({**answer, "cached": os.listdir(os.environ["HF_HOME"])})
print(json.dumps(answers))
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
    endpoint: str, home: Path, *asked: dict[str, str], offline: str = ""
) -> list[dict[str, Any]]:
    """Ask for weights, one after another in one process, whose client reads its settings once."""
    configs = [{"source": "hub", "repo": REPO, **weights} for weights in asked]
    finished = subprocess.run(
        [sys.executable, "-c", FETCH, json.dumps(configs)],
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
    answers: list[dict[str, Any]] = json.loads(finished.stdout)
    return answers


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's cache."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def answers(hub: str, home: Path) -> dict[str, dict[str, Any]]:
    """What is found with the hub at hand, asked in this order."""
    asked = {
        "no revision": {},
        "fetched": {"revision": COMMIT, "sha256": SHA256},
        "another digest": {"revision": COMMIT, "sha256": f"sha256:{'0' * 64}"},
        "no such file": {"revision": COMMIT, "file": "other.safetensors"},
        "no answer": {"revision": COMMIT, "file": BROKEN},
    }
    return dict(zip(asked, fetch(hub, home, *asked.values()), strict=True))


def test_a_file_is_fetched_at_its_commit_and_its_content_digest_is_recorded(
    answers: dict[str, dict[str, Any]],
) -> None:
    found = answers["fetched"]
    assert found["origin"] == {
        "source": "hub",
        "repo": REPO,
        "revision": COMMIT,
        "file_sha256": SHA256,
    }
    head = b'["classifier.weight","float32",[2,3]]\n'
    tensor = torch.arange(6.0).numpy().tobytes()
    assert found["digest"] == f"sha256:{hashlib.sha256(head + tensor).hexdigest()}"


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("another digest", "another digest", 3),
        ("no such file", "cannot fetch the weights", 3),
        ("no answer", "cannot fetch the weights", 3),
        ("no revision", "revision is not set", 2),
    ],
)
def test_what_cannot_be_had_is_a_clear_error(
    answers: dict[str, dict[str, Any]], name: str, said: str, code: int
) -> None:
    assert said in answers[name]["error"].splitlines()[0]
    assert answers[name]["code"] == code


@pytest.mark.usefixtures("answers")
def test_a_hub_that_cannot_answer_is_asked_once() -> None:
    assert len([path for path in Hub.asked if path.endswith(BROKEN)]) == 1


def test_no_revision_is_invented(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["no revision"]["cached"] == []
    assert answers["fetched"]["cached"] != []


@pytest.mark.parametrize("offline", ["", "1"])
def test_without_a_hub_the_cache_serves_and_the_rest_is_a_clear_error(
    answers: dict[str, dict[str, Any]], home: Path, offline: str
) -> None:
    cached, other = {"revision": COMMIT}, {"revision": COMMIT, "repo": "group/elsewhere"}
    found, missing = fetch(NOWHERE, home, cached, other, offline=offline)
    assert found["digest"] == answers["fetched"]["digest"]
    assert found["origin"] == answers["fetched"]["origin"]
    problem, _, hint = missing["error"].splitlines()
    assert problem.startswith("cannot fetch the weights")
    assert "go online" in hint
    assert missing["code"] == 3
