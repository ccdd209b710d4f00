"""At the level ``portable`` two machines have one digest of their environments; real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxr.determinism.levels import Level
from cxr.determinism.portable.version import ARITHMETIC_VERSION
from cxr.digests.canonical import canonical_json
from cxr.environment.facts import digest_environment
from support.program import read_answer, run_cxr
from support.runs import HEAVY

OTHERS: dict[str, dict[str, Any]] = {
    "torch": {"fault": "other-version:torch==2.7.1"},
    "timm": {"fault": "other-version:timm==1.0.15"},
    "threads": {"env": {"OMP_NUM_THREADS": "7"}},
    "instruction sets": {"env": {"ATEN_CPU_CAPABILITY": "default"}},
    "decoder": {"fault": "other-decoder"},
    "arithmetic": {"fault": f"other-arithmetic:{ARITHMETIC_VERSION + 1}"},
}
"""What is other on each machine."""


@pytest.fixture(scope="module")
def captures() -> dict[str, dict[str, Any]]:
    """Captures of this machine, and of each that is other in one thing; without torch."""
    machines = {"here": {}, **OTHERS}
    return {
        name: read_answer(run_cxr("env", "capture", "--json", blocked=HEAVY, **options))
        for name, options in machines.items()
    }


def test_machines_that_differ_in_what_does_not_compute_have_one_digest(
    captures: dict[str, dict[str, Any]],
):
    # Another processor cannot be had here.
    captures = {**captures, "processor": {**captures["torch"], "cpu": {"machine": "aarch64"}}}
    here = captures["here"]
    same = {
        name
        for name, capture in captures.items()
        if digest_environment(capture, Level.PORTABLE) == digest_environment(here, Level.PORTABLE)
    }
    assert same == {"here", "torch", "timm", "threads", "instruction sets", "processor"}
    strict = {
        name
        for name, capture in captures.items()
        if digest_environment(capture, Level.STRICT) == digest_environment(here, Level.STRICT)
    }
    # The recipe sets threads, and the arithmetic does not compute there.
    assert strict == {"here", "threads", "arithmetic"}


@pytest.mark.parametrize(
    ("level", "affects", "code"), [("portable", "yes", 1), ("strict", "no", 0)]
)
def test_another_arithmetic_is_named_with_what_to_do(
    captures: dict[str, dict[str, Any]], tmp_path: Path, level: str, affects: str, code: int
):
    path = tmp_path / "env.json"
    path.write_bytes(canonical_json(captures["arithmetic"]))
    finished = run_cxr("env", "verify", path, "--json", blocked=HEAVY)
    [found] = json.loads(finished.stdout)["differences"]
    versions = (ARITHMETIC_VERSION + 1, ARITHMETIC_VERSION)
    assert (found["field"], found["expected"], found["found"]) == ("arithmetic.version", *versions)
    asked = run_cxr("env", "verify", path, "--level", level, "--json", blocked=HEAVY)
    assert asked.returncode == code
    named = json.loads(asked.stdout)["differences"]
    assert [(one["field"], one["affects_bits"]) for one in named] == (
        [("arithmetic.version", affects)] if code else []
    )
    assert "cxr" in found["do"] or "git checkout" in found["do"]
