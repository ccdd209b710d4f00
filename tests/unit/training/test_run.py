"""What is asked of a run before anything is computed."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest

from cxr.progress import SILENCE
from cxr.records.manifest import load_manifest, seal_manifest
from cxr.training import run as run_module

STORED = Path(__file__).parents[2] / "formats" / "v0.1.0" / "run"


@pytest.fixture
def stopped(tmp_path):
    """A run that was stopped, if one believes its manifest."""
    run = shutil.copytree(STORED, tmp_path / "run")
    manifest = seal_manifest({**load_manifest(run), "status": "interrupted"})
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return run


def test_a_run_that_another_process_completed_meanwhile_is_left_as_it_is(stopped, monkeypatch):
    @contextlib.contextmanager
    def completed_while_waiting(directory):
        shutil.copy(STORED / "manifest.json", directory)
        yield

    monkeypatch.setattr(run_module, "hold_lock", completed_while_waiting)
    directory, manifest = run_module.resume(stopped, progress=SILENCE)
    assert (directory, manifest["status"]) == (stopped, "completed")
    assert (stopped / "manifest.json").read_bytes() == (STORED / "manifest.json").read_bytes()
