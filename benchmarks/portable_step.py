"""A training step at ``portable`` against the native one at ``strict``, and where its time goes.

Both networks start from the same weights and take steps in turns in one process, on the same
threads; each counts with its fastest step. Then portable steps are taken whose ops are timed one by
one. The peak of memory is that of processes of their own, less what the imports took.

    uv run python benchmarks/portable_step.py
    uv run python benchmarks/portable_step.py --only resnet18 --rounds 9 --json step.json
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import timm
import torch
from torch import nn
from torch.nn import functional

from cxr.determinism.portable.exact.backend_choice import NUM_TRIALS
from cxr.determinism.portable.function_mode import FixedFunctions
from cxr.determinism.portable.mode import PortableArithmetic, portable_arithmetic
from cxr.determinism.portable.optimizers import PortableSGD
from cxr.determinism.portable.random.drawing import drawing
from cxr.determinism.portable.random.initialisation import build_portably
from result import Result, Table, Target, format_ms

_BATCH: Final = 8
_SMALL_PX: Final = 64
_LIMITS: Final = {64: 5.0, 224: 3.5}
_MEMORY_LIMIT: Final = 3.0
_WARM_UP: Final = 2 * NUM_TRIALS
"""Steps after which each class of products has its backend."""

_SHOWN_OPS: Final = 12
_OUTSIDE: Final = "optimizer, autograd and the rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model at a size."""

    name: str
    image_size: int

    @property
    def label(self) -> str:
        """What tables call it."""
        return f"{self.name} {self.image_size} px"


CASES: Final = (
    Case(name="resnet18", image_size=64),
    Case(name="resnet18", image_size=224),
    Case(name="convnextv2_atto", image_size=224),
    Case(name="vit_tiny_patch16_224", image_size=224),
)


class TimedArithmetic(PortableArithmetic):
    """The mode, with the time that each op took."""

    def __init__(self) -> None:
        super().__init__(where="a timed step")
        self.seconds: dict[str, float] = defaultdict(float)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compute and take the time."""
        start = time.perf_counter()
        try:
            return super().__torch_dispatch__(func, types, args, kwargs)
        finally:
            self.seconds[str(func)] += time.perf_counter() - start


def build(case: Case) -> nn.Module:
    """Build a network with portable weights."""
    with portable_arithmetic("initialisation"):
        return build_portably(lambda: timm.create_model(case.name, num_classes=2), 7).train()


def make_step(case: Case, network: nn.Module, *, portable: bool) -> Callable[[], None]:
    """Return a function that takes one step with SGD."""
    images = torch.rand(_BATCH, 3, case.image_size, case.image_size)
    labels = torch.arange(_BATCH) % 2
    chosen = PortableSGD if portable else torch.optim.SGD
    options = {} if portable else {"fused": True}
    optimizer = chosen(network.parameters(), lr=1e-3, momentum=0.9, **options)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step


def time_in_turns(case: Case, rounds: int, slices: int) -> tuple[float, float]:
    """Return the seconds of the fastest native and the fastest portable step."""
    network = build(case)
    native = make_step(case, copy.deepcopy(network), portable=False)
    portable = make_step(case, network, portable=True)
    times: dict[str, list[float]] = {"native": [], "portable": []}
    # The first rounds warm up: memory is taken, and the backends of the products are tried.
    for _ in range(rounds + _WARM_UP):
        start = time.perf_counter()
        native()
        times["native"].append(time.perf_counter() - start)
        start = time.perf_counter()
        with portable_arithmetic("step", slices=slices), drawing(7, "draw", 0, 0):
            portable()
        times["portable"].append(time.perf_counter() - start)
    return min(times["native"][_WARM_UP:]), min(times["portable"][_WARM_UP:])


def time_ops(case: Case, rounds: int) -> dict[str, float]:
    """Return the seconds of each op in the fastest step of several."""
    step = make_step(case, build(case), portable=True)
    best: dict[str, float] = {}
    for _ in range(rounds + 1):
        timed = TimedArithmetic()
        start = time.perf_counter()
        with FixedFunctions(where="a timed step"), timed, drawing(7, "draw", 0, 0):
            step()
        seconds = time.perf_counter() - start
        timed.seconds[_OUTSIDE] = seconds - sum(timed.seconds.values())
        if not best or seconds < sum(best.values()):
            best = dict(timed.seconds)
    return best


def measure_memory(case: Case, level: str) -> int:
    """Return the bytes that two steps of a process of its own take above the imports."""
    command = [sys.executable, __file__, "--memory", level, "--only", case.name]
    command += ["--image-size", str(case.image_size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def report_memory(case: Case, level: str) -> None:
    """Print what `measure_memory` reads."""
    before = read_memory("VmRSS")
    network = timm.create_model(case.name, num_classes=2).train()
    portable = level == "portable"
    step = make_step(case, network, portable=portable)
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            if portable:
                stack.enter_context(portable_arithmetic("step"))
                stack.enter_context(drawing(7, "draw", 0, 0))
            step()
    print(read_memory("VmHWM") - before)


def read_memory(name: str) -> int:
    """Return what Linux counts of this process, in bytes.

    ``getrusage`` would begin with the peak of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


def show_ops(case: Case, seconds: dict[str, float]) -> Table:
    """Return the ops that take longest."""
    total = sum(seconds.values())
    ranked = sorted(seconds.items(), key=lambda one: -one[1])
    rows = [(op, format_ms(one), f"{one / total:.0%}") for op, one in ranked[:_SHOWN_OPS]]
    left = sum(one for _, one in ranked[_SHOWN_OPS:])
    rows.append(("all others", format_ms(left), f"{left / total:.0%}"))
    title = f"where a portable step goes: {case.label}, {format_ms(total)}"
    return Table(title=title, header=("op", "time", "share"), rows=rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted({case.name for case in CASES}), help="one model")
    parser.add_argument("--image-size", type=int, help="at one size")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slices", type=int, choices=(1, 2), default=1, help="of each operand")
    parser.add_argument("--memory", choices=("strict", "portable"), help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(mode=True)
    chosen = [
        case
        for case in CASES
        if options.only in (None, case.name) and options.image_size in (None, case.image_size)
    ]
    if options.memory:
        report_memory(chosen[0], options.memory)
        return
    result = Result(
        benchmark="portable_step",
        settings={"batch": _BATCH, "threads": options.threads, "rounds": options.rounds},
    )
    rows, tables = [], []
    for case in chosen:
        native, portable = time_in_turns(case, options.rounds, options.slices)
        memory = [measure_memory(case, level) for level in ("strict", "portable")]
        ops = time_ops(case, options.rounds)
        result.figures[case.label] = {
            "native_s": native,
            "portable_s": portable,
            "memory_bytes": memory,
            "ops_s": ops,
        }
        limit = _LIMITS[case.image_size]
        result.targets += [
            Target(name=f"{case.label}: step", figure=portable / native, limit=limit),
            Target(name=f"{case.label}: memory", figure=memory[1] / memory[0], limit=_MEMORY_LIMIT),
        ]
        rows.append(
            (
                case.label,
                format_ms(native),
                format_ms(portable),
                f"{portable / native:.2f}",
                *(f"{one / 2**20:.0f} MiB" for one in memory),
            )
        )
        tables.append(show_ops(case, ops))
    header = ("step", "strict", "portable", "ratio", "memory, strict", "portable")
    result.tables = [Table(title="a step in turns", header=header, rows=rows), *tables]
    result.show(options.json)


if __name__ == "__main__":
    main()
