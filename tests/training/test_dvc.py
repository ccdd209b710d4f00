"""The example project runs under DVC, and cxr reads what DVC wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cxr.data.checks.dvc_file import verify_dvc_file
from support.program import build_environment, read_answer, run_cxr

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "dvc"
NAMED = os.environ.get("CXR_TESTS_DVC")
PROGRAM = NAMED or shutil.which("dvc")

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="dvc is not installed; .ci/run installs it and names it"
)

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program in the project; it finds cxr and DVC, and DVC nothing of the user's."""
    places = tmp_path_factory.mktemp("places")
    names = ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    variables = {name: str(places / name) for name in names}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = build_environment({**variables, "DVC_NO_ANALYTICS": "1", "PATH": path})

    def run_program(*command: str, cwd: Path) -> str:
        finished = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    return run_program


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """The example with the drawn sample in it, run once, its remote a directory beside it."""
    project = tmp_path_factory.mktemp("dvc") / "project"
    project.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(EXAMPLE / name, project)
    shutil.copy(EXAMPLE / "gitignore", project / ".gitignore")
    shutil.copytree(ROOT / "data" / "sample", project / "images")
    # Names that sort otherwise by folder than by text.
    (project / "images" / "test.txt").write_text("a\r\nb")
    (project / "images" / "test ä").mkdir()
    (project / "images" / "test ä" / ".hidden").write_bytes(b"")
    run("git", "init", "-q", cwd=project)
    for arguments in (
        ("init", "-q"),
        ("remote", "add", "-q", "-d", "near", str(project.parent / "remote")),
        ("add", "-q", "images"),
        ("repro",),
    ):
        run(str(PROGRAM), *arguments, cwd=project)
    return project


def test_every_stage_runs_and_then_none_does(project: Path, run: Run):
    manifest = json.loads((project / "run" / "manifest.json").read_text())
    assert manifest["status"] == "completed"
    evaluation = json.loads((project / "evaluation.json").read_text())
    assert evaluation["metrics"]["split"] == "val"
    assert run(str(PROGRAM), "status", cwd=project).strip() == "Data and pipelines are up to date."
    said = run(str(PROGRAM), "repro", "--dry", cwd=project)
    assert said.count("didn't change, skipping") == 4


def test_another_recipe_trains_again_and_prepares_nothing(project: Path, run: Run):
    params = project / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("lr: 1e-3", "lr: 2e-3"))
    said = run(str(PROGRAM), "repro", "--dry", cwd=project)
    params.write_text(before)
    assert "Stage 'prepare' didn't change" in said
    assert "Running stage 'train'" in said


def test_what_was_pushed_and_pulled_is_verified_without_dvc(project: Path, run: Run):
    run(str(PROGRAM), "push", "-q", cwd=project)
    for name in ("images", "run", ".dvc/cache"):
        shutil.rmtree(project / name)
    run(str(PROGRAM), "pull", "-q", cwd=project)
    finished = run_cxr("data", "verify", project / "images.dvc", "--json")
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"], answer["problems"]) == (0, "verified", [])
    first, second, *_ = sorted((project / "images" / "test" / "NORMAL").iterdir())
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.unlink()
    first.write_bytes(content)
    second.unlink()
    report = verify_dvc_file(project / "images.dvc")
    assert [(found.kind, found.paths) for found in report.problems] == [
        ("missing", (f"images/test/NORMAL/{second.name}",)),
        ("changed", (f"images/test/NORMAL/{first.name}",)),
    ]
