"""Compares versions of Python, the last against the others: ``.ci/pythons.py 3.11 3.12 3.13``.

For each it makes an environment from the lock, captures it and trains the sample. Captures must
differ where versions of Python do and nowhere else, ``env verify`` must name it, and the verdict of
``diff`` must be what the digests say. It needs uv, the interpreters or leave to fetch them, and six
gigabytes of disk a version.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLLOWING = ("python.", "packages.", "numerics.libraries", "os.locale")
"""Facts that may differ: each version has packages of its own, and its way with locales."""


def run(*command: str | Path, codes: tuple[int, ...] = (0,), **variables: str) -> str:
    """Run a command and return what it prints; it must end with one of ``codes``."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ended = subprocess.run(
        command, cwd=ROOT, env={**kept, **variables}, text=True, stdout=subprocess.PIPE, check=False
    )
    if ended.returncode not in codes:
        sys.exit(f"{' '.join(map(str, command))}: exit code {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def prepare(version: str, place: Path) -> Path:
    """Make an environment, capture it and train in it; return its ``cxr``."""
    environment = place / f"venv-{version}"
    run(
        *("uv", "sync", "--quiet", "--locked", "--no-dev", "-p", version),
        UV_PROJECT_ENVIRONMENT=str(environment),
    )
    cxr = environment / "bin" / "cxr"
    run(cxr, "env", "capture", "--deep", "--quiet", "--out", place / f"env-{version}.json")
    config, out = ROOT / "configs" / "sample.yaml", place / f"run-{version}"
    run(cxr, "train", "--quiet", "--config", config, "--out", out)
    return cxr


def compare(cxr: Path, place: Path, other: str, last: str) -> str:
    """Hold one version against the last; return what was found, in a line."""
    verified: dict[str, Any] = json.loads(
        run(cxr, "env", "verify", place / f"env-{other}.json", "--json", "--quiet", codes=(1,))
    )
    fields = {one["field"]: one for one in verified["differences"]}
    strange = [name for name in fields if not name.startswith(FOLLOWING)]
    if strange or fields.get("python.version", {}).get("affects_bits") != "yes":
        sys.exit(f"{other} against {last}: differs in {', '.join(fields)}")
    a, b = place / f"run-{other}", place / f"run-{last}"
    report = json.loads(run(cxr, "diff", a, b, "--json", codes=(0, 1)))
    manifests = [json.loads((path / "manifest.json").read_bytes()) for path in (a, b)]
    digests = [(one["outcome_digest"], one["trace_digest"]) for one in manifests]
    equal = digests[0] == digests[1]
    named = "python.version" in {one["field"] for one in report["differences"]}
    true = (report["verdict"] == "identical") == equal and named
    if not true or (report["first_divergence"] is None) != equal:
        sys.exit(f"{other} against {last}: {report['verdict']}, and the digests say {digests}")
    return f"{other} against {last}: {report['verdict']}; differs in {', '.join(sorted(fields))}"


def main(versions: list[str]) -> None:
    """Compare the last version with each of the others, and with itself."""
    last = versions[-1]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        programs = {version: prepare(version, place) for version in versions}
        run(programs[last], "env", "verify", place / f"env-{last}.json", "--quiet")
        run(programs[last], "env", "verify", place / f"run-{last}", "--quiet")
        for other in versions[:-1]:
            print(compare(programs[last], place, other, last))


if __name__ == "__main__":
    main(sys.argv[1:])
