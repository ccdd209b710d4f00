"""How fast data sets are hashed, looked at, looked at again, and read: ratios in one run.

Sets are made in a scratch directory and removed. Every pair of figures is taken in turns, in this
run, on warm files; each side counts with its fastest time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from result import Result, Table, Target

PARTS: Final = ("bytes", "look", "again", "linear", "reading")
KIB: Final = 1024
CXR: Final = (sys.executable, "-m", "cxr")


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="Smaller sets, fewer rounds.")
    parser.add_argument("--scratch", type=Path, help="Where sets are made; needs 5 GB.")
    parser.add_argument("--dvc", type=Path, help="The dvc program; default: the one beside Python.")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    result = Result(benchmark="data_speed", settings={"only": asked.only, "quick": asked.quick})
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        scratch = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
        # As where cxr is installed: its bytecode is there from the second start on.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for part in asked.only:
            MEASURES[part](result, scratch, asked)
    result.show(asked.json)


def measure_bytes(result: Result, scratch: Path, asked: argparse.Namespace) -> None:
    """Hash a gigabyte or more: `--bytes-only` against sha256sum on as many cores."""
    num, size = (1_500, 180 * KIB) if asked.quick else (6_000, 180 * KIB)
    root = write_noise(scratch / "noise", num, size)
    threads = str(os.cpu_count())
    list_files = f"find '{root}' -type f -print0"
    times = take_turns(
        {
            "xargs -P sha256sum": shell(f"{list_files} | xargs -0 -P {threads} sha256sum"),
            "xargs -P -n 64 sha256sum": shell(
                f"{list_files} | xargs -0 -n 64 -P {threads} sha256sum"
            ),
            "reading and hashing of cxr": lambda: hash_all(root),
            "cxr data verify --bytes-only": program(*CXR, "data", "verify", root, "--bytes-only"),
        },
        rounds=3 if asked.quick else 5,
    )
    total = num * size
    fastest = min(seconds for name, seconds in times.items() if name.startswith("xargs"))
    add_times(result, f"bytes: {num:,} files, {total / 1e9:.2f} GB", times, per=(total / 1e9, "GB"))
    ratio = fastest / times["reading and hashing of cxr"]
    result.targets.append(
        Target(name="speed of hashing against sha256sum", figure=ratio, limit=0.9, at_most=False)
    )
    shutil.rmtree(root)


def measure_look(result: Result, scratch: Path, asked: argparse.Namespace) -> None:
    """Look at every image for the first time, against ``dvc add`` of the same set."""
    root = draw_set(scratch, 600 if asked.quick else 5_856)
    dvc = find_dvc(asked)
    project = scratch / "project"

    def prepare_dvc() -> None:
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(root, project / "images")
        run(["git", "init", "-q", project])
        run([dvc, "init", "-q"], cwd=project)

    sides: dict[str, Callable[[], float]] = {
        "cxr data verify --full": program(*CXR, "data", "verify", root, "--full")
    }
    if dvc is not None:

        def add() -> float:
            prepare_dvc()
            return program(dvc, "add", "-q", "images", cwd=project)()

        sides["dvc add"] = add
    times = take_turns(sides, rounds=2)
    add_times(result, f"look: {count(root):,} images", times, per=(count(root), "images"))
    if dvc is not None:
        ratio = times["cxr data verify --full"] / times["dvc add"]
        result.targets.append(Target(name="a full look against dvc add", figure=ratio, limit=1))


def measure_again(result: Result, scratch: Path, asked: argparse.Namespace) -> None:
    """Look at an unchanged set again, against ``dvc status`` and ``git status``."""
    root = draw_set(scratch, 600 if asked.quick else 5_856)
    dvc = find_dvc(asked)
    project = scratch / "tracked"
    shutil.copytree(root, project / "images")
    run(["git", "init", "-q", project])
    sides: dict[str, Callable[[], float]] = {}
    if dvc is not None:
        run([dvc, "init", "-q"], cwd=project)
        run([dvc, "add", "-q", "images"], cwd=project)
        sides["dvc status"] = program(dvc, "status", "-q", cwd=project)
    tracked = scratch / "in-git"
    shutil.copytree(root, tracked / "images")
    run(["git", "init", "-q", tracked])
    run(["git", "add", "."], cwd=tracked)
    sides["git status"] = program("git", "status", "--short", cwd=tracked)
    sides["cxr data verify"] = program(*CXR, "data", "verify", root)
    time.sleep(3)  # what changed only now is not trusted
    for _ in range(2):
        sides["cxr data verify"]()
    times = take_turns(sides, rounds=5 if asked.quick else 15)
    add_times(result, f"again: {count(root):,} images", times)
    result.targets.append(
        Target(name="a second verify in s", figure=times["cxr data verify"], limit=0.3)
    )


def measure_linear(result: Result, scratch: Path, asked: argparse.Namespace) -> None:
    """Verify 5,000, 50,000 and 500,000 small files, and hash them alone."""
    rows, per_file = [], []
    for num in (500, 5_000, 50_000) if asked.quick else (5_000, 50_000, 500_000):
        root = write_small(scratch / "small", num)
        cells = [f"{num:,}"]
        for options in (["--bytes-only"], ["--full"], [], []):
            seconds, peak_bytes = measure_peak([*CXR, "data", "verify", root, "--json", *options])
            cells += [f"{seconds:.1f} s", f"{peak_bytes / 2**20:.0f} MiB"]
            per_file.append((num, options, seconds / num))
        rows.append(cells)
        result.figures[f"linear {num}"] = cells[1:]
        shutil.rmtree(root)
    header = ["files", "bytes only", "peak", "full", "peak", "known bytes", "peak", "again", "peak"]
    result.tables.append(Table(title="linear: small PNG files", header=header, rows=rows))
    for options in (["--bytes-only"], ["--full"]):
        some = [seconds for _, used, seconds in per_file if used == options]
        name = f"seconds a file, most files against ten times fewer, {options[0]}"
        result.targets.append(Target(name=name, figure=some[-1] / some[-2], limit=1.5))


def measure_reading(result: Result, scratch: Path, asked: argparse.Namespace) -> None:
    """Read and augment from the decode cache at 64 px, on one core."""
    root = draw_set(scratch, 600 if asked.quick else 5_856)
    # Threads of torch and the affinity belong to a process: this one is for that alone.
    script = Path(__file__).with_name("reading_speed.py")
    said = run(["taskset", "-c", "0", sys.executable, script, root], capture=True)
    names = ("read and augmented", "read alone", "cache checked")
    values = [float(value) for value in said.split()]
    rows = [
        [names[0], f"{values[0]:,.0f} images/s"],
        [names[1], f"{values[1]:,.0f} images/s"],
        [names[2], f"{values[2] * 1e3:.1f} ms"],
    ]
    result.figures["reading"] = dict(zip(names, values, strict=True))
    result.tables.append(
        Table(title="reading: 64 px, one core", header=["what", "figure"], rows=rows)
    )
    result.targets.append(
        Target(name="images a second on one core", figure=values[0], limit=10_000, at_most=False)
    )


MEASURES: Final[dict[str, Callable[[Result, Path, argparse.Namespace], None]]] = {
    "bytes": measure_bytes,
    "look": measure_look,
    "again": measure_again,
    "linear": measure_linear,
    "reading": measure_reading,
}


def take_turns(sides: dict[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """Run every side once to warm up, then in turns; return the fastest time of each in s."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            seconds = side()
            if number:
                times[name].append(seconds)
    return {name: min(some) for name, some in times.items()}


def add_times(
    result: Result, title: str, times: dict[str, float], per: tuple[float, str] | None = None
) -> None:
    """Add a table of times, and of rates where there is something to count."""
    rows = []
    for name, seconds in times.items():
        rate = [] if per is None else [f"{per[0] / seconds:,.2f} {per[1]}/s"]
        rows.append([name, f"{seconds:.3f} s", *rate])
    header = ["what", "fastest", *([] if per is None else ["rate"])]
    result.tables.append(Table(title=title, header=header, rows=rows))
    result.figures[title] = times


def hash_all(root: Path) -> float:
    """Read and hash every file, as ``--bytes-only`` does, in this process."""
    from cxr.config.data_section import DataConfig
    from cxr.data.sources.folder import FolderSource, list_images
    from cxr.data.sources.scan import hash_images
    from cxr.data.sources.source import FoundImage

    source = FolderSource(DataConfig(source="folder", root=str(root)))
    start = time.perf_counter()
    found = [FoundImage(file, file.name, "", file.name, "") for file in list_images(root)]
    hash_images(source, found)
    return time.perf_counter() - start


def program(*command: str | Path, cwd: Path | None = None) -> Callable[[], float]:
    """Return what runs a program and says how long it took, whatever it answered."""

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(
            command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        return time.perf_counter() - start

    return measure


def shell(command: str) -> Callable[[], float]:
    """Return what runs a line of shell."""
    return program("sh", "-c", command)


def run(command: list[Any], *, cwd: Path | None = None, capture: bool = False) -> str:
    """Run a program that must succeed; return what it says."""
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.PIPE if capture else subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return finished.stdout or ""


def measure_peak(command: list[Any]) -> tuple[float, int]:
    """Run a program; return its time in s and the most memory it had, in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss * KIB


def find_dvc(asked: argparse.Namespace) -> Path | None:
    """Return the dvc program, if it is installed."""
    beside = asked.dvc or Path(sys.executable).with_name("dvc")
    return beside if beside.exists() else None


def write_noise(root: Path, num: int, size: int) -> Path:
    """Write files of random bytes, named as images."""
    (root / "train" / "A").mkdir(parents=True)
    for number in range(num):
        (root / "train" / "A" / f"{number:06}.jpeg").write_bytes(os.urandom(size))
    return root


def write_small(root: Path, num: int) -> Path:
    """Write small PNG files, each with other pixels."""
    from PIL import Image

    for number in range(num):
        folder = root / "train" / f"{number // 5_000:03}"
        if number % 5_000 == 0:
            folder.mkdir(parents=True)
        grey = Image.frombytes("L", (32, 32), number.to_bytes(4, "big") * 256)
        grey.save(folder / f"{number:06}.png")
    return root


def draw_set(scratch: Path, num: int) -> Path:
    """Draw radiographs of 224 px, once for all parts: a tenth to test, and each counted once."""
    root = scratch / "drawn"
    if not root.exists():
        held_out = num // 20
        sizes = {"train": num - 2 * held_out, "val": held_out, "test": held_out}
        options = [text for name, size in sizes.items() for text in (f"--{name}", str(size))]
        run([*CXR, "data", "synth", root, "--size", "224", "-q", *options])
    return root


def count(root: Path) -> int:
    """Return how many images are below a directory."""
    return sum(1 for _ in root.rglob("*.jpeg"))


if __name__ == "__main__":
    main()
