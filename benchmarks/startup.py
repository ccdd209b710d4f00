"""How long the command line takes to start: whole processes, from start to exit.

Compared: ``cxr --help``, ``cxr diff A B``, ``cxr env capture`` and a ``cxr train`` whose data is
not there, against ``python -c pass`` and interpreters that only import typer, or torch and timm.
Every command is run with compiled bytecode, and again with none for cxr's own sources, as where
PYTHONDONTWRITEBYTECODE is set and nothing was compiled at installation. Bytecode is kept in a
temporary directory, so the installation is left as it is. The commands take turns, and the smallest
and the median time of each are shown.

Also checked: none of the first three imports torch, torchvision, timm or numpy.

    uv run --group bench python benchmarks/startup.py
    uv run --group bench python benchmarks/startup.py --runs runs/a runs/b --json startup.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import cxr
from cxr.determinism.variables import FIXED_VARIABLES
from result import Result, Table, Target, format_ms

LIMITS_S: Final = {"cxr --help": 0.2, "cxr diff A B": 0.2, "cxr env capture": 2.0}
HEAVY: Final = ("torch", "torchvision", "timm", "numpy")

_CONFIGS: Final = Path(__file__).parent.parent / "configs"
_LIST_MODULES: Final = """
import json, sys
from cxr.__main__ import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""

Commands = dict[str, list[str]]
Times = dict[str, list[float]]


def main() -> None:
    """Measure, and say whether the commands keep to their limits and import nothing heavy."""
    options = _parse()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        run_a, run_b = options.runs or make_runs(scratch)
        commands = derive_commands(str(run_a), str(run_b))
        compiled, uncompiled = derive_environments(scratch / "bytecode")
        times = time_commands(commands, compiled, options.rounds)
        remove_own_bytecode(scratch / "bytecode")
        times_uncompiled = time_commands(commands, uncompiled, options.rounds)
        heavy = {name: find_heavy_imports(commands[name], compiled) for name in LIMITS_S}

    result = Result(
        benchmark="startup",
        settings={"rounds": options.rounds, "runs": "given" if options.runs else "made"},
        figures={
            "compiled_s": times,
            "own_sources_uncompiled_s": times_uncompiled,
            "heavy_imports": heavy,
        },
        tables=[
            show_times("All bytecode compiled", times),
            show_times("cxr's own sources not compiled", times_uncompiled),
            Table(
                title=f"Imported of {', '.join(HEAVY)}",
                header=("command", "modules"),
                rows=[(name, ", ".join(found) or "none") for name, found in heavy.items()],
            ),
        ],
    )
    for name, limit_s in LIMITS_S.items():
        result.targets += [
            Target(name=f"{name}, s", figure=min(times[name]), limit=limit_s),
            Target(name=f"{name}, heavy imports", figure=len(heavy[name]), limit=0),
        ]
    result.show(options.json)


def make_runs(directory: Path) -> tuple[Path, Path]:
    """Train two small runs that differ by their seed, and return their directories."""
    runs = (directory / "a", directory / "b")
    for seed, run in enumerate(runs):
        overrides = [f"seed={seed}", "train.epochs=2", f"data.cache_dir={directory / 'cache'}"]
        arguments = [part for override in overrides for part in ("--set", override)]
        command = [sys.executable, "-m", "cxr", "train", "-q", "--config"]
        command.append(str(_CONFIGS / "synthetic_mlp.yaml"))
        subprocess.run(
            [*command, "--out", str(run), *arguments], check=True, stdout=subprocess.DEVNULL
        )
    return runs


def derive_commands(run_a: str, run_b: str) -> Commands:
    """Return the argument list of each command; cxr is started as users start it."""
    script = Path(sys.executable).with_name("cxr")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "cxr"]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        'python -c "import typer"': [sys.executable, "-c", "import typer"],
        "cxr --help": [*program, "--help"],
        "cxr diff A B": [*program, "diff", run_a, run_b],
        "cxr env capture": [*program, "env", "capture", "--json"],
        "cxr train, no such data": [
            *(*program, "train", "--config", str(_CONFIGS / "sample.yaml")),
            *("--set", "data.root=no-such-directory"),
        ],
        'python -c "import torch, timm"': [sys.executable, "-c", "import torch, timm"],
    }


def derive_environments(prefix: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return variables that write bytecode below ``prefix``, and ones that only read it."""
    writing = {**os.environ, "PYTHONPYCACHEPREFIX": str(prefix)}
    writing.pop("PYTHONDONTWRITEBYTECODE", None)
    return writing, {**writing, "PYTHONDONTWRITEBYTECODE": "1"}


def remove_own_bytecode(prefix: Path) -> None:
    """Remove the bytecode of cxr's own sources below ``prefix``."""
    sources = Path(cxr.__file__).parent
    shutil.rmtree(prefix / sources.relative_to(sources.anchor))


def time_commands(commands: Commands, variables: dict[str, str], rounds: int) -> Times:
    """Return the times of each command in seconds; one more round goes first, to warm up."""
    times: Times = {name: [] for name in commands}
    for round_index in range(-1, rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(
                command,
                env=variables,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if round_index >= 0:
                times[name].append(time.perf_counter() - start)
    return times


def find_heavy_imports(command: list[str], variables: dict[str, str]) -> list[str]:
    """Return which heavy libraries a cxr command imports."""
    arguments = command[1:] if command[0] != sys.executable else command[3:]
    finished = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *arguments],
        # With these set, cxr has no reason to start itself again.
        env={**variables, **FIXED_VARIABLES},
        check=True,
        capture_output=True,
        text=True,
    )
    modules = json.loads(finished.stderr.splitlines()[-1])
    return [name for name in HEAVY if name in modules]


def show_times(title: str, times: Times) -> Table:
    """Return the smallest and the median time of each command."""
    return Table(
        title=title,
        header=("command", "minimum", "median"),
        rows=[
            (name, format_ms(min(found)), format_ms(statistics.median(found)))
            for name, found in times.items()
        ],
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How long the command line takes to start.")
    parser.add_argument("--runs", nargs=2, type=Path, metavar=("A", "B"), help="runs to diff")
    parser.add_argument("--rounds", type=int, default=15, help="times that each command is run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
