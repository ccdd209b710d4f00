"""Records that a released version wrote are read by this one, whatever has become of its sources.

``write_records.py`` made them. They are never made anew: a format that changes keeps its reader.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from cxr.config.load import load_config
from cxr.determinism.levels import Level
from cxr.models.build import build_network
from cxr.records.ledger import read_ledger
from cxr.records.tensor_digests import read_tensor_digests
from cxr.training.checkpoint import list_checkpoints, restore_checkpoint
from cxr.training.optimizer import build_optimizer
from cxr.training.step import Learner
from support.program import read_answer, run_cxr
from support.runs import HEAVY, diff

ROOT = Path(__file__).parents[2]
RELEASES = sorted(Path(__file__).parent.glob("v*"))


@pytest.fixture(params=RELEASES, ids=[release.name for release in RELEASES])
def release(request: pytest.FixtureRequest) -> Path:
    """The directory of what one release wrote."""
    return request.param


def test_what_is_stored_is_small_and_keeps_its_bytes(release: Path):
    files = [path for path in release.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
    attributes = subprocess.run(
        ["git", "check-attr", "text", "--", *map(str, files)],  # noqa: S607 - the user's own git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # A copy of the sources need be no checkout.
    if attributes.returncode == 0:
        assert all(line.endswith(": unset") for line in attributes.stdout.splitlines())


@pytest.mark.parametrize(("record", "num_evaluations"), [("run", 1), ("other", 0), ("repeat", 0)])
def test_it_is_still_consistent(release: Path, record: str, num_evaluations: int):
    finished = run_cxr("verify", release / record, "--json", blocked=HEAVY)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"], answer["findings"]) == (0, "consistent", [])
    assert answer["evaluations"] == num_evaluations


def test_a_stored_run_is_identical_to_itself_and_different_in_one_field_to_another(release: Path):
    code, report = diff(release / "run", release / "run")
    assert (code, report["verdict"], report["differences"]) == (0, "identical", [])
    code, report = diff(release / "run", release / "other")
    assert (code, report["verdict"]) == (1, "different")
    acting = [one for one in report["differences"] if one["affects_bits"] != "no"]
    assert [(one["part"], one["field"]) for one in acting] == [("config", "train.lr")]
    first = report["first_divergence"]
    assert (first["step"], first["what"], first["tensor"]) == (0, "optimizer", "lr")


def test_its_ledger_and_the_tensors_behind_it_are_read(release: Path):
    manifest = json.loads((release / "run" / "manifest.json").read_bytes())
    records = list(read_ledger(release / "run"))
    assert records[-1].chain == manifest["trace"]["ledger_head"]
    assert [record.step for record in records] == [-1, 0, 1, 2, 3, 4]
    for record in records:
        tensors = read_tensor_digests(release / "run", record.step)
        assert {name.partition("/")[0] for name in tensors} <= record.parts.keys()
        assert len(tensors) > 0


def test_its_config_loads_and_its_checkpoint_can_be_restored(release: Path):
    config = load_config(release / "run" / "config.yaml")
    network = build_network(config, num_classes=10, weights=None)
    learner = Learner(
        config=config,
        network=network,
        optimizer=build_optimizer(network, config.train, level=Level.STRICT),
        class_weights=None,
        steps_per_epoch=2,
    )
    [path] = list_checkpoints(release / "run")
    assert restore_checkpoint(path, learner).next_epoch == config.train.epochs


def test_data_can_be_verified_against_its_lock(release: Path):
    lock = release / "data.lock.json"
    target = ROOT / "data" / "sample"
    finished = run_cxr("data", "verify", target, "--lock", lock, "--json")
    assert (finished.returncode, read_answer(finished)["verdict"]) == (0, "verified")


def test_what_is_stored_was_not_made_anew():
    found = {
        release.name: hashlib.sha256(
            b"".join(
                (release / name).read_bytes()
                for name in ("run/manifest.json", "other/manifest.json", "repeat/repeat.json")
            )
        ).hexdigest()
        for release in RELEASES
    }
    assert found == {"v0.1.0": "ef466a259e101597d992600d92239bf973d3c2fc61bf2e2d2f1aebbd087e7b75"}
