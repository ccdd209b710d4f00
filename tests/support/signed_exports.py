"""Exports that model-signing signs or checks, and its own command beside cxr's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from support.attesting import write_keys
from support.fabricated_runs import Fabricated
from support.program import DEADLINE_S, Finished, build_environment
from support.releases import write_small_export

P256 = ec.derive_private_key(7, ec.SECP256R1())
OTHER_P256 = ec.derive_private_key(8, ec.SECP256R1())
SIGNATURE = "model.sig"
NUM_FILES = 9
"""Of an export without signatures."""


def write_export(place: Path, **changes: Any) -> Path:
    """Write an export of a run that nobody trained; it verifies."""
    run = Fabricated(computed=True, **changes).write(place / "run")
    return write_small_export(run, place / "export")


def write_p256(place: Path, key: Any = P256, password: bytes | None = None) -> Path:
    """Write a key as ``signer.pem``, and the public one beside it."""
    place.mkdir(exist_ok=True)
    return write_keys(place, key, password)


def run_model_signing(*arguments: str | Path) -> Finished[str]:
    """Run model-signing's own command to its end, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=build_environment(),
        timeout=DEADLINE_S,
        check=False,
    )


def list_check(export: Path, public: Path) -> list[str | Path]:
    """Return the arguments with which its command checks an export."""
    return ["verify", "key", export, "--signature", export / SIGNATURE, "--public_key", public]


def is_verified_there(export: Path, public: Path) -> bool:
    """Say whether its command verifies an export; it is called here, without a process."""
    from model_signing._cli import main

    finished = CliRunner().invoke(main, [str(one) for one in list_check(export, public)])
    said = finished.output.strip().splitlines()[-1]
    assert (finished.exit_code, said.startswith("Verification ")) in ((0, True), (1, True)), said
    assert (finished.exit_code == 0) is (said == "Verification succeeded")
    return finished.exit_code == 0
