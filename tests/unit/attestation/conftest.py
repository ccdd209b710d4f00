"""A run that nobody trained, signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.attestation.attest import attest_run
from support.attesting import SIGNER
from support.fabricated_runs import (  # noqa: F401 - fixtures
    Fabricated,
    edit_manifest,
    make_run,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Fabricated(computed=True).write(tmp_path / "run")


@pytest.fixture
def envelope(run: Path) -> Path:
    return attest_run(run, SIGNER).path
