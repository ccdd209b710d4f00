"""What the Dockerfile, its context, the trial and the workflow of the images promise.

``tests/containers/build_and_try.py`` builds the images and tries them; that takes ten minutes.
"""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
import tomllib
from typing import Any

import pytest
import typer

from cxr.cli.app import app
from cxr.environment.private_text import _GENERIC_NAMES
from support.ci_page import ROOT, list_steps, read_project_workflow

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = re.sub(
    r"\\\n(?:\s*#.*\n)*", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)
).splitlines()
INSTRUCTIONS = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in LINES)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TRIAL = ROOT / "tests" / "containers" / "build_and_try.py"


def stage(name: str) -> list[tuple[str, str]]:
    """Return the instructions of one stage, the first of them its own ``FROM``."""
    begins = [n for n, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"]
    ends = [*begins[1:], len(INSTRUCTIONS)]
    stages = [INSTRUCTIONS[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return next(one for one in stages if one[0][1].endswith(f" AS {name}"))


def last(name: str, word: str) -> str:
    return [rest for found, rest in stage(name) if found == word][-1]


def test_the_stages_are_those_of_the_documentation():
    stages = [rest for word, rest in INSTRUCTIONS if word == "FROM"]
    assert stages == ["${BASE_IMAGE} AS base", "base AS training", "base AS serving"]


def test_no_digest_is_invented_and_one_is_asked_for():
    workflow = (ROOT / ".github" / "workflows" / "container.yml").read_text(encoding="utf-8")
    for text in (TEXT, workflow):
        assert not re.search(r"sha256:[0-9a-f]{16}", text)
        assert "*@sha256:*) ;;" in text
    assert ("ARG", "BASE_IMAGE") in INSTRUCTIONS


def test_the_user_is_a_number_and_has_a_name_that_tells_nobody_from_another():
    for name in ("training", "serving"):
        words = [word for word, _ in stage(name)]
        assert last(name, "USER") == "10001:10001"
        assert "RUN" not in words[words.index("USER") :]
    makes_user = next(rest for _, rest in stage("base") if "useradd" in rest)
    added = re.search(r"useradd --uid 10001 --gid 10001 .* (\w+)$", makes_user)
    assert added is not None
    assert added[1] in _GENERIC_NAMES


def test_labels_say_the_version_and_the_commit_that_were_checked():
    runs = [rest for word, rest in stage("base") if word == "RUN"]
    assert 'test "$(cxr --version)" = "cxr ${VERSION}"' in runs[-1]
    assert "grep -Eqx '[0-9a-f]{40}'" in runs[-1]
    labels = last("base", "LABEL")
    assert 'org.opencontainers.image.version="${VERSION}"' in labels
    assert 'org.opencontainers.image.revision="${REVISION}"' in labels


def test_packages_come_from_the_lock_and_their_cache_stays_outside():
    syncs = [rest for word, rest in INSTRUCTIONS if word == "RUN" and "uv sync" in rest]
    assert len(syncs) == 3
    for sync in syncs:
        assert "--mount=type=cache,target=/root/.cache/uv" in sync
        assert re.search(r"uv sync .*--(?:locked|frozen) --no-dev", sync)
        # uv's lock can be written by everybody.
        assert re.search(r"&& rm -r?f \.venv/\.lock", sync)
    assert "--extra dicom --extra serve" in syncs[-1]


def test_nothing_gets_into_a_build_but_what_is_named():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert rules[0] == "*"
    assert allowed == [
        *("pyproject.toml", "uv.lock", "README.md", "LICENSE", "src", "configs", "data/sample"),
    ]
    assert all((ROOT / name).exists() for name in allowed)
    # Later rules go before earlier ones.
    assert {"**/.env", "**/*.key", "**/*.pem", "**/runs"} <= set(rules[1 + len(allowed) :])
    copied = [word for name, rest in INSTRUCTIONS if name == "COPY" for word in rest.split()[:-1]]
    assert {word for word in copied if not word.startswith("--")} <= set(allowed)
    # A bind mount of the context is not held against these rules by every builder.
    assert "type=bind" not in TEXT


@pytest.mark.parametrize("name", ["training", "serving"])
def test_what_an_image_starts_is_a_command_of_the_program(name):
    assert json.loads(last(name, "ENTRYPOINT")) == ["cxr"]
    first, *words = json.loads(last(name, "CMD"))
    command: Any = typer.main.get_command(app)
    # Serving is an extra, and its command comes with it.
    is_there = name == "training" or "serve" in PROJECT["optional-dependencies"]
    assert (first in command.commands) == is_there
    if is_there:
        assert command.commands[first].make_context(first, words).params


def check_health(port: int, **env: str) -> int:
    arguments = json.loads(last("serving", "HEALTHCHECK").partition(" CMD ")[2])
    program, *rest = [word.replace("8000", str(port)) for word in arguments]
    assert program == "python"
    return subprocess.run(
        [sys.executable, *rest], env=env, capture_output=True, check=False
    ).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_tells_a_sound_service_from_another(status, code):
    asked = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # A proxy that nobody runs: the service is here.
        found = check_health(server.server_port, http_proxy="http://127.0.0.1:9")
        server.shutdown()
    assert found == code
    assert asked == ["/health"]


def test_the_health_check_fails_where_nothing_listens():
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert check_health(port) == 1


def test_the_trial_says_what_a_machine_lacks(tmp_path):
    for words, code, said in (
        (["--help"], 0, "3 this machine lacks"),
        ([], 3, "no program buildah"),
    ):
        ended = subprocess.run(
            [sys.executable, TRIAL, *words, "--work", tmp_path],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code
        assert said in ended.stdout + ended.stderr
        assert not list(tmp_path.iterdir())


def test_the_workflow_builds_both_images_with_provenance_and_may_do_no_more():
    workflow = read_project_workflow("container.yml")
    # YAML's word for true is "on" as well.
    assert workflow[True] == {"push": {"tags": ["v*"]}}
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["publish"]["permissions"] == {
        "contents": "read",
        "packages": "write",
        "id-token": "write",
        "attestations": "write",
    }
    steps = list_steps(workflow)
    builds = [step["with"] for step in steps if "build-push-action" in step.get("uses", "")]
    assert [build["target"] for build in builds] == ["training", "serving"]
    for build in builds:
        assert build["provenance"] == "mode=max"
        assert build["sbom"] is True
        told = dict(line.split("=", 1) for line in build["build-args"].splitlines())
        assert told["BASE_IMAGE"] == "${{ vars.BASE_IMAGE }}"
        assert told["REVISION"] == "${{ github.sha }}"
        assert [*told] == ["BASE_IMAGE", "VERSION", "REVISION"]
    attested = [step["with"] for step in steps if "attest-build" in step.get("uses", "")]
    assert [one["subject-digest"] for one in attested] == [
        "${{ steps.training.outputs.digest }}",
        "${{ steps.serving.outputs.digest }}",
    ]
    assert "GITHUB_STEP_SUMMARY" in steps[-1]["run"]
    assert {"TRAINING", "SERVING"} <= set(steps[-1]["env"])


def test_the_workflow_pins_actions_as_the_others_do_and_puts_no_text_into_a_script():
    steps = list_steps(read_project_workflow("container.yml"))
    used = {step["uses"] for step in steps if "uses" in step}
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", one) for one in used)
    others = {
        step["uses"] for step in list_steps(read_project_workflow("ci.yml")) if "uses" in step
    }
    versions = dict(one.split("@") for one in others)
    assert all(
        versions.get(name, version) == version for name, version in (u.split("@") for u in used)
    )
    # Whoever names a tag would write the script.
    assert not [step for step in steps if "${{" in step.get("run", "")]
