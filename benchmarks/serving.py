"""What a service on loopback costs: requests a second, how long each takes, and its memory.

A service is started, and asked for the same image again and again by clients that keep their
connection. Clients and service share the cores, so the rates are those of a small machine, and most
of a tiny model's time is HTTP, inspection and decoding. Every answer must be the same to the byte.

    PYTHONPATH=tests uv run python benchmarks/serving.py RUN IMAGE
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from result import Result, Table, Target, format_ms
from support.serving import Service, encode_form, form_type, started_service

_MIB = 1024 * 1024
_GROWTH_MIB = 32


def main() -> int:
    """Measure; 1 where answers differ or memory grows."""
    options = _parse()
    body = encode_form([(options.image.name, options.image.read_bytes())])
    with (
        tempfile.TemporaryDirectory() as scratch,
        started_service(options.run, Path(scratch) / "log", "--quiet") as service,
    ):
        expected = ask(service, body, 1)[1]
        memory = [service.read_memory()]
        times: list[float] = []
        answers = set(expected)
        each = options.requests // 10 // options.clients
        start = time.perf_counter()
        with ThreadPoolExecutor(options.clients) as pool:
            for _ in range(10):
                for took, said in pool.map(
                    lambda _: ask(service, body, each), range(options.clients)
                ):
                    times += took
                    answers |= said
                memory.append(service.read_memory())
        duration_s = time.perf_counter() - start
    times.sort()
    result = describe(options, times, memory, duration_s)
    result.targets.append(Target(name="different answers", figure=len(answers), limit=1))
    result.show(options.json)
    return 0 if all(target.is_met for target in result.targets) else 1


def ask(service: Service, body: bytes, num: int) -> tuple[list[float], set[bytes]]:
    """Send requests on one connection; return how long each took, and the different answers."""
    times, answers = [], set()
    connection = http.client.HTTPConnection(*service.address, timeout=60)
    headers = {"content-type": form_type(), "x-request-id": "benchmark"}
    for _ in range(num):
        start = time.perf_counter()
        connection.request("POST", "/predict", body=body, headers=headers)
        answer = connection.getresponse()
        answers.add(answer.read())
        times.append(time.perf_counter() - start)
        if answer.status != 200:  # noqa: PLR2004 - the status of success
            raise SystemExit(f"status {answer.status}")
    connection.close()
    return times, answers


def describe(
    options: argparse.Namespace, times: list[float], memory: list[int], duration_s: float
) -> Result:
    """Return the figures as tables and targets."""
    quantiles = {name: times[int(len(times) * share)] for name, share in _SHARES.items()}
    figures: dict[str, Any] = {
        "requests": len(times),
        "duration_s": duration_s,
        "per_second": len(times) / duration_s,
        **{f"{name}_s": value for name, value in quantiles.items()},
        "memory_bytes": memory,
    }
    rows = [
        ("requests a second", f"{figures['per_second']:.1f}"),
        *((name, format_ms(value)) for name, value in quantiles.items()),
    ]
    shown = [(str(tenth * 10) + " %", f"{one / _MIB:.1f}") for tenth, one in enumerate(memory)]
    # What is allocated once is allocated in the first tenth.
    growth_mib = (memory[-1] - memory[1]) / _MIB
    return Result(
        benchmark="serving",
        settings={"requests": options.requests, "clients": options.clients},
        figures=figures,
        tables=[
            Table(title=f"{len(times):,} requests", header=("what", "figure"), rows=rows),
            Table(title="Resident memory", header=("sent", "MiB"), rows=shown),
        ],
        targets=[Target(name="growth of memory, MiB", figure=growth_mib, limit=_GROWTH_MIB)],
    )


_SHARES = {"p50": 0.5, "p99": 0.99}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a service on loopback costs.")
    parser.add_argument("run", type=Path, help="a completed run")
    parser.add_argument("image", type=Path, help="an image that it can predict")
    parser.add_argument("--requests", type=int, default=10_000, help="how many are sent")
    parser.add_argument("--clients", type=int, default=4, help="how many send at once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
