"""Running the examples, and other scripts that use a framework, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.program import DEADLINE_S, Finished, build_environment, read_answer, run_cxr

ROOT = Path(__file__).parents[2]


def run_script(script: str, *arguments: str | Path) -> Finished[str]:
    """Run a script of this repository to its end, whatever came of it."""
    return subprocess.run(
        build_script_command(script, *arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=build_environment(),
        timeout=DEADLINE_S,
        check=False,
    )


def build_script_command(script: str, *arguments: str | Path) -> list[str]:
    """Return the command line of a script."""
    return [sys.executable, str(ROOT / script), *map(str, arguments)]


def record_all(script: str, place: Path, wanted: dict[str, Sequence[str]]) -> dict[str, Path]:
    """Run a script once for each name, with these arguments; return the records by name."""
    records = {name: place / name for name in wanted}
    for name, arguments in wanted.items():
        finished = run_script(script, "--out", records[name], *arguments)
        assert finished.returncode == 0, finished.stderr
    return records


def diff_records(a: Path, b: Path, *, code: int) -> dict[str, Any]:
    """Return what ``cxr diff --json`` says of two records, which must exit with ``code``."""
    finished = run_cxr("diff", a, b, "--json")
    assert finished.returncode == code, finished.stderr
    return read_answer(finished)
