"""Whether a service stands requests that nobody should send: 10,000 of them, sound ones in between.

A service is started with small limits. The kinds of requests are in
``tests/support/hostile_requests.py``, and take turns; every hundredth is accompanied by one that
stalls. After each twentieth an image is asked for whose answer must be the same to the byte. What
memory, open files and threads there are is read after each tenth. The largest decoded image is some
80 MiB, so memory goes up and down; it must not be larger in the second half than in the first.

    PYTHONPATH=tests uv run python benchmarks/hostile_requests.py RUN IMAGE
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from result import Result, Table, Target
from support.hostile_load import SERVICE_OPTIONS, Outcome, send_hostile
from support.serving import Service, started_service

_MIB = 1024 * 1024
_GROWTH_MIB = 64


def main() -> int:
    """Send the requests; 1 where anything was not as it should be."""
    options = _parse()
    good = (options.image.name, options.image.read_bytes())
    with (
        tempfile.TemporaryDirectory() as scratch,
        started_service(options.run, Path(scratch) / "log", *SERVICE_OPTIONS) as service,
    ):
        expected = service.predict(good, request_id="good").body
        outcome, states = Outcome(), []
        each = options.requests // 10
        start = time.perf_counter()
        for tenth in range(10):
            numbers = range(tenth * each, (tenth + 1) * each)
            outcome.add(send_hostile(service, numbers, good, expected))
            # Until connections that just ended are gone.
            time.sleep(2)
            states.append(read_state(service))
        duration_s = time.perf_counter() - start
        service.process.terminate()
        code = service.process.wait(timeout=60)
    result = describe(options, outcome, states, code)
    result.figures["duration_s"] = duration_s
    result.show(options.json)
    for fault in outcome.faults[:20]:
        print(fault)
    return 0 if all(target.is_met for target in result.targets) else 1


def read_state(service: Service) -> dict[str, int]:
    """Return resident memory in bytes, and the numbers of open files and of threads."""
    threads = Path(f"/proc/{service.process.pid}/task")
    return {
        "memory_bytes": service.read_memory(),
        "files": service.count_files(),
        "threads": len(list(threads.iterdir())),
    }


def describe(
    options: argparse.Namespace,
    outcome: Outcome,
    states: list[dict[str, int]],
    code: int,
) -> Result:
    """Return what was found as tables and targets."""
    memory = [state["memory_bytes"] / _MIB for state in states]
    half = len(states) // 2
    growth_mib = max(memory[half:]) - max(memory[:half])
    figures: dict[str, Any] = {
        "statuses": dict(sorted(outcome.statuses.items())),
        "kinds": dict(sorted(outcome.kinds.items())),
        "good": outcome.good,
        "states": states,
        "exit_code": code,
    }
    statuses = [(str(status or "ended"), f"{num:,}") for status, num in figures["statuses"].items()]
    shown = [
        (f"{place * 10} %", f"{state['memory_bytes'] / _MIB:.1f}", str(state["files"]))
        for place, state in enumerate(states, start=1)
    ]
    expected_good = (options.requests + 19) // 20
    return Result(
        benchmark="hostile_requests",
        settings={"requests": options.requests},
        figures=figures,
        tables=[
            Table(title="Answers", header=("status", "number"), rows=statuses),
            Table(title="Service", header=("sent", "MiB", "files"), rows=shown),
        ],
        targets=[
            Target(name="what should not be", figure=len(outcome.faults), limit=0),
            Target(
                name="sound requests answered with the same bytes",
                figure=outcome.good,
                limit=expected_good,
                at_most=False,
            ),
            Target(name="growth of memory, MiB", figure=growth_mib, limit=_GROWTH_MIB),
            Target(
                name="growth of open files",
                figure=states[-1]["files"] - states[0]["files"],
                limit=0,
            ),
            Target(name="exit code after SIGTERM", figure=code, limit=0),
        ],
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Whether a service stands hostile requests.")
    parser.add_argument("run", type=Path, help="a completed run")
    parser.add_argument("image", type=Path, help="an image that it can predict")
    parser.add_argument("--requests", type=int, default=10_000, help="how many are sent")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
