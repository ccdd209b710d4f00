"""Running the program under test in processes of its own, and reading what it says and leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cxr.determinism.variables import HARMLESS_VARIABLES, read_variables

FAULTS = Path(__file__).with_name("faults.py")
BLOCKED = Path(__file__).with_name("blocked")
DEADLINE_S = 300
"""A process that takes longer hangs."""

_NOT_PASSED_ON = (
    "CXR_",
    "PYTHONHASHSEED",
    # Compiling the sources anew takes each process a second.
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "PYTHONWARNINGS",
    "PYTHONIOENCODING",
    # scikit-learn sets these for its whole process, which is the tests' own.
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
)
_SHOWING = ("NO_COLOR", "COLUMNS")

_THREE_LINES = re.compile(
    r"^error: (?P<problem>.+)\n"
    r"  where: (?P<where>.+(?:\n         .+)*)\n"
    r"  do:    (?P<do>.+)\n\Z",
    re.MULTILINE,
)

Finished = subprocess.CompletedProcess


def run_cxr(
    *arguments: str | Path,
    fault: str = "",
    blocked: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    variables_backwards: bool = False,
    interpreter_options: Sequence[str] = (),
    stdout: int = subprocess.PIPE,
) -> Finished[str]:
    """Run ``cxr`` to its end.

    Args:
        arguments: What stands behind ``cxr`` on the command line.
        fault: A fault of ``faults.py`` to plant, as ``name`` or ``name:value``.
        blocked: Modules that cannot be imported.
        env: Variables to set besides those passed on.
        cwd: Working directory.
        variables_backwards: Whether the environment is passed on in the opposite order.
        interpreter_options: Options of Python itself.
        stdout: A file descriptor instead of a pipe.
    """
    variables = build_environment(env, blocked=blocked)
    if variables_backwards:
        variables = dict(reversed(variables.items()))
    return subprocess.run(
        build_command(*arguments, fault=fault, interpreter_options=interpreter_options),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        env=variables,
        cwd=cwd,
        timeout=DEADLINE_S,
        check=False,
    )


@contextmanager
def started_cxr(
    *arguments: str | Path,
    fault: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    start_new_session: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Start ``cxr`` and leave it running for the block; it is killed if it outlives it."""
    process = subprocess.Popen(
        build_command(*arguments, fault=fault),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=build_environment(env),
        cwd=cwd,
        start_new_session=start_new_session,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def build_command(
    *arguments: str | Path, fault: str = "", interpreter_options: Sequence[str] = ()
) -> list[str]:
    """Return the command line, through the launcher where a fault is planted."""
    program = [str(FAULTS), fault] if fault else ["-m", "cxr"]
    return [sys.executable, *interpreter_options, *program, *map(str, arguments)]


def build_environment(
    changes: Mapping[str, str] | None = None, *, blocked: Sequence[str] = ()
) -> dict[str, str]:
    """Return the variables of a process: this one's, without those that tests are about."""
    numerical = read_variables()
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_NOT_PASSED_ON)
        and name not in _SHOWING
        and (name in HARMLESS_VARIABLES or name not in numerical)
    }
    if blocked:
        known = [str(BLOCKED), variables.get("PYTHONPATH", "")]
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, known))
        variables["CXR_TESTS_BLOCK"] = ",".join(blocked)
    return {**variables, **(changes or {})}


def read_answer(finished: Finished[str]) -> Any:
    """Return the one JSON document that stdout must be; NaN and infinities are no JSON."""
    assert "Traceback" not in finished.stderr, finished.stderr
    return json.loads(finished.stdout, parse_constant=_refuse_constant)


def read_manifest(record: Path) -> dict[str, Any]:
    """Read a record's manifest as it stands, sealed or not."""
    return json.loads((record / "manifest.json").read_bytes())


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read_error(finished: Finished[str], *, code: int) -> tuple[str, str, str]:
    """Return what is wrong, where, and what to do, once their form and the exit code are right.

    An error is three lines; only ``where`` may go on, one line a place.
    """
    assert "Traceback" not in finished.stderr, finished.stderr
    assert "this is a bug in cxr" not in finished.stderr, finished.stderr
    assert finished.returncode == code, finished.stderr
    found = _THREE_LINES.search(finished.stderr)
    assert found is not None, f"not three lines:\n{finished.stderr}"
    assert "\nerror: " not in found["where"], finished.stderr
    return found["problem"], found["where"], found["do"]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Poll until something is there, the process ends, or the deadline passes."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode} before it was there"
        assert time.monotonic() < deadline, "not there before the deadline"
        time.sleep(0.02)
