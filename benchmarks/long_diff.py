"""What ``cxr diff`` takes for long runs, beyond its start-up: two ledgers that part at the end.

Two small runs are trained; their ledgers are then replaced by made ones of ``--steps`` steps with
the tensors of a ResNet-18 under AdamW, equal up to the last step. That is the worst case: every
line and every frame is read. The time of ``cxr diff`` on the small runs as they were is taken off.

    uv run --group bench python benchmarks/long_diff.py
    uv run --group bench python benchmarks/long_diff.py --steps 100000 --rounds 3
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cxr.digests.canonical import digest_json
from cxr.records.ledger import INITIAL_STEP, LedgerWriter
from cxr.records.manifest import write_manifest
from cxr.records.run_directory import LEDGER, MANIFEST, TENSORS
from result import Result, Table, Target, format_ms
from startup import make_runs

LIMIT_S = 0.5
_NUM_TENSORS = {"gradients": 62, "buffers": 60, "optimizer": 187, "parameters": 62}
"""Tensors a part of ResNet-18 with AdamW."""


def main() -> None:
    """Make the runs, compare them, and show what that took."""
    parser = argparse.ArgumentParser(description="How long cxr diff takes for long runs.")
    parser.add_argument("--steps", type=int, default=20_000, help="steps of each run")
    parser.add_argument("--rounds", type=int, default=7, help="comparisons of each pair")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        short = make_runs(Path(place))
        long = [
            lengthen(run, options.steps, last=name) for run, name in zip(short, "ab", strict=True)
        ]
        size_bytes = sum((long[0] / name).stat().st_size for name in (LEDGER, TENSORS))
        times = {"short": [], "long": []}
        for round_index in range(-1, options.rounds):
            for name, (a, b) in (("short", short), ("long", long)):
                took = time_diff(a, b)
                if round_index >= 0:
                    times[name].append(took)
    beyond = min(times["long"]) - min(times["short"])
    rows = [(f"cxr diff, {name} runs", format_ms(min(found))) for name, found in times.items()]
    result = Result(
        benchmark="long_diff",
        settings={"steps": options.steps, "rounds": options.rounds},
        figures={"times_s": times, "beyond_s": beyond, "bytes_a_run": size_bytes},
        tables=[
            Table(
                title=f"{options.steps:,} steps, {size_bytes / 1e6:.0f} MB of records a run",
                header=("command", "fastest"),
                rows=[*rows, ("beyond start-up", format_ms(beyond))],
            )
        ],
    )
    result.targets.append(Target(name="beyond start-up, s", figure=beyond, limit=LIMIT_S))
    result.show(options.json)


def lengthen(run: Path, num_steps: int, *, last: str) -> Path:
    """Return a copy of a run with a made ledger, whose last step is told apart by ``last``."""
    long = run.with_name(f"{run.name}-long")
    shutil.copytree(run, long)
    for name in (LEDGER, TENSORS):
        (long / name).unlink()
    with LedgerWriter(long) as ledger:
        for step in range(INITIAL_STEP, num_steps):
            told = last if step == num_steps - 1 else ""
            seed = hashlib.sha256(f"{step}{told}".encode()).digest()[:16]
            parts = {
                part: {f"layer.{number}.weight": seed for number in range(count)}
                for part, count in _NUM_TENSORS.items()
            }
            if step != INITIAL_STEP:
                parts["samples"] = {"indices": hashlib.sha256(str(step).encode()).digest()[:16]}
            ledger.append(step, max(step, -1) // 100, parts)
        trace = ledger.describe_trace()
    content = json.loads((long / MANIFEST).read_bytes())
    write_manifest(long, {**content, "trace": trace, "trace_digest": digest_json(trace)})
    return long


def time_diff(a: Path, b: Path) -> float:
    """Return what one comparison takes as a whole process, in seconds."""
    program = Path(sys.executable).with_name("cxr")
    start = time.perf_counter()
    subprocess.run([program, "diff", a, b], check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
