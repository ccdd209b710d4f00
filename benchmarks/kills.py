"""Kills training with SIGKILL again and again, goes on, and compares with a run left alone.

Each process is killed once, alone or with its whole process group: at a random time of its life,
or as soon as it makes or writes what was drawn, such as the temporary file of its second manifest.
A run goes on until it comes to its end. It must then have the outcome and trace of the undisturbed
run and the same ledger, byte for byte, and verify. Where a kill really landed is read from what it
left behind. The script exits 1 if a run ends otherwise. It needs Linux.

    uv run python benchmarks/kills.py --kills 100
    uv run python benchmarks/kills.py --kills 20 --seed 7 --json kills.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from inotify import Watch

STEPS_PER_EPOCH = 10
CONFIG = f"""\
name: kills
seed: 3
threads: 1
workers: 2
data:
  source: synthetic
  image_size: 28
  synthetic: {{train: {20 * STEPS_PER_EPOCH}, val: 1500, test: 3000}}
model: {{name: mlp, hidden: [256], drop_rate: 0.2}}
train:
  epochs: 8
  batch_size: 20
  schedule: cosine
  augment: {{pad: 2}}
  monitor: loss
  double_every: 7
"""
"""Few steps, and much else: a checkpoint an epoch, long validation and prediction."""

AIMS = (
    (".manifest.json.*.tmp", 2),
    ("checkpoints/.step-*.tmp", 8),
    ("checkpoints/step-*.safetensors", 4),
    ("checkpoints/step-*.json", 4),
    (".model.safetensors.*.tmp", 1),
    ("model.safetensors", 1),
    (".predictions.csv.*.tmp", 1),
    ("predictions.csv", 1),
    ("tensors.bin", 40),
    ("metrics.jsonl", 4),
)
"""What to wait for: a name that is made, written or taken, and up to how many times."""
AIMS_FROM_THE_START = ((".*.json.*.tmp", 4), (".config.yaml.*.tmp", 1), ("ledger.jsonl", 80))
AIMS_GOING_ON = ((".metrics.jsonl.*.tmp", 1), ("manifest.json", 1), ("tensors.bin", 20))
LONGEST_DELAY_S = 0.1

INPUTS = ("config.yaml", "env.json", "data.lock.json")

Snapshot = dict[str, tuple[int, int]]
"""Modification time and size of each file."""


@dataclass(frozen=True)
class Aim:
    """The n-th time that a file whose name fits is made or written."""

    pattern: str
    number: int


@dataclass
class Campaign:
    """What became of the runs.

    Attributes:
        kills: Processes that were killed.
        alone: Those of them that were killed without their process group.
        moments: Kills by what the run directory showed of the moment.
        runs: Runs that came to their end.
        unbegun: Runs killed before anything could go on, and started afresh.
        mismatches: Runs that did not end as the undisturbed one.
    """

    kills: int = 0
    alone: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    unbegun: int = 0
    mismatches: list[str] = field(default_factory=list)


def main() -> None:
    """Run the campaign and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many at least")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)  # noqa: S311 - nothing is kept secret
    with tempfile.TemporaryDirectory() as place:
        campaign = run_campaign(Path(place), arguments.kills, draw)
    print(
        f"{campaign.kills} kills ({campaign.alone} alone, {campaign.kills - campaign.alone} with "
        f"the process group), {campaign.runs} runs, {len(campaign.mismatches)} mismatches"
    )
    for moment, count in sorted(campaign.moments.items()):
        print(f"  {moment:<48}{count:>5}")
    for mismatch in campaign.mismatches:
        print(f"  MISMATCH {mismatch}")
    if arguments.json:
        arguments.json.write_text(json.dumps(vars(campaign), indent=2) + "\n")
    sys.exit(1 if campaign.mismatches else 0)


def run_campaign(place: Path, kills: int, draw: random.Random) -> Campaign:
    """Kill until ``kills`` processes were killed; each run goes on until it ends."""
    config = place / "kills.yaml"
    config.write_text(CONFIG)
    undisturbed = place / "undisturbed"
    since = time.monotonic()
    if start(["--config", config, "--out", undisturbed]).wait():
        sys.exit("the undisturbed run failed")
    duration_s = time.monotonic() - since
    wanted = describe_end(undisturbed)
    campaign = Campaign()
    while campaign.kills < kills:
        run = place / "run"
        problem = kill_until_it_ends(config, run, duration_s, draw, campaign)
        found = {} if problem else describe_end(run)
        campaign.runs += 1
        if found != wanted:
            wrong = problem or [name for name in wanted if found[name] != wanted[name]]
            campaign.mismatches.append(f"run {campaign.runs}: {wrong}")
        print(f"{campaign.kills} kills, {campaign.runs} runs", file=sys.stderr, flush=True)
        shutil.rmtree(run)
    return campaign


def kill_until_it_ends(
    config: Path, run: Path, duration_s: float, draw: random.Random, campaign: Campaign
) -> str | None:
    """Start a run, kill it, go on, until it completes; return what was refused, if anything."""
    while status_of(run) != "completed":
        before = snapshot(run)
        goes_on = all((run / name).exists() for name in ("manifest.json", *INPUTS))
        if before and not goes_on:
            # It was killed before its first step: there is nothing to go on with.
            shutil.rmtree(run)
            campaign.unbegun += 1
            before = {}
        aim = draw_aim(draw, goes_on=goes_on)
        watch = Watch(run)
        process = start(["--resume", run] if goes_on else ["--config", config, "--out", run])
        wait_for_moment(process, watch, draw.uniform(0, duration_s), aim)
        # At once, or while what comes next is under way.
        time.sleep(draw.choice([0.0, draw.uniform(0, LONGEST_DELAY_S)]))
        alone = draw.choice([True, False])
        if process.poll() is None:
            (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
        code = process.wait()
        watch.close()
        if code == -signal.SIGKILL:
            campaign.kills += 1
            campaign.alone += alone
            campaign.moments[describe_moment(run, before)] += 1
        elif code:
            return f"exit code {code}"
    return None


def wait_for_moment(
    process: subprocess.Popen[bytes], watch: Watch, deadline_s: float, aim: Aim | None
) -> None:
    """Wait for a time, or until the n-th file that fits is made or written."""
    deadline = time.monotonic() + deadline_s
    left = aim.number if aim else 1
    while process.poll() is None and left > 0:
        names = watch.wait(0.02)
        left -= sum(fnmatch(name, aim.pattern) for name in names) if aim else 0
        if aim is None and time.monotonic() > deadline:
            return


def draw_aim(draw: random.Random, *, goes_on: bool) -> Aim | None:
    """Draw what to wait for; None: a random time."""
    known = AIMS_GOING_ON if goes_on else AIMS_FROM_THE_START
    pattern, most = draw.choice([None, None, *known, *AIMS]) or (None, 0)
    return Aim(pattern, draw.randint(1, most)) if pattern else None


def start(arguments: list[str | Path]) -> subprocess.Popen[bytes]:
    """Start ``cxr train`` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cxr", "train", "-q", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def snapshot(run: Path) -> Snapshot:
    """Return time and size of every file of a run; the process that writes it must be dead."""
    files = [path for path in run.rglob("*") if path.is_file()]
    return {
        path.relative_to(run).as_posix(): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in files
    }


def status_of(run: Path) -> str:
    """Return the status in the manifest, which is always whole."""
    try:
        return str(json.loads((run / "manifest.json").read_bytes())["status"])
    except FileNotFoundError:
        return "not begun"


def describe_moment(run: Path, before: Snapshot) -> str:
    """Say at which moment a process was killed, by what it left and what it had changed."""
    after = snapshot(run)
    changed = {name for name in after if after[name] != before.get(name)} - {"run.lock"}
    temporary = [Path(name).name for name in changed if name.endswith(".tmp")]
    stems = {Path(name).stem for name in changed if name.startswith("checkpoints/")}
    alone = [stem for stem in stems if f"checkpoints/{stem}.json" not in after]
    rules = {
        "before the run directory": not after,
        f"inside {describe_temporary(temporary)}": bool(temporary),
        "before the manifest": "manifest.json" not in after,
        "after the manifest that says completed": status_of(run) == "completed",
        "a resume's start, nothing written": bool(before) and not changed,
        "a resume's start, before its manifest": "manifest.json" not in changed,
        "between the inputs": not all(name in after for name in INPUTS),
        "between a checkpoint's tensors and its JSON": bool(alone),
        "after the predictions, before the manifest": "predictions.csv" in changed,
        "final prediction": "model.safetensors" in changed,
        **describe_lines(run, changed),
    }
    return next(moment for moment, holds in rules.items() if holds)


def describe_temporary(names: list[str]) -> str:
    """Return the kind of file that was being written."""
    kinds = [".".join(name.split(".")[1:-2]) for name in names]
    return "".join(f"checkpoint.{k.split('.')[1]}" if "step-" in k else k for k in kinds[:1])


def describe_lines(run: Path, changed: set[str]) -> dict[str, bool]:
    """Return moments that only the growing files tell apart; the last one always holds."""
    ledger = (run / "ledger.jsonl").read_bytes() if (run / "ledger.jsonl").exists() else b""
    lines = ledger.splitlines(keepends=True)
    metrics = (run / "metrics.jsonl").read_bytes() if (run / "metrics.jsonl").exists() else b""
    epochs, left = divmod(max(0, len(lines) - 1), STEPS_PER_EPOCH)
    figures = metrics.count(b"\n")
    checkpoint = run / "checkpoints" / f"step-{epochs * STEPS_PER_EPOCH:09d}.json"
    return {
        "before the first ledger line": not lines,
        "steps that are run again": "ledger.jsonl" not in changed,
        "inside a ledger line": not ledger.endswith(b"\n"),
        "between a row of tensors.bin and its ledger line": count_rows(run) > len(lines),
        "validation at an epoch's end": not left and figures < epochs,
        "at an epoch's end, before the checkpoint": not left and not checkpoint.exists(),
        "between steps": True,
    }


def count_rows(run: Path) -> int:
    """Return how many steps the rows of ``tensors.bin`` are of, one that is cut short included."""
    path, position, steps = run / "tensors.bin", 0, set[bytes]()
    content = path.read_bytes() if path.exists() else b""
    while position < len(content):
        if content[position : position + 1] == b"R":
            steps.add(content[position + 5 : position + 13])
        position += 5 + int.from_bytes(content[position + 1 : position + 5], "little")
    return len(steps)


def describe_end(run: Path) -> dict[str, Any]:
    """Return what must be equal, and whether the run verifies."""
    manifest = json.loads((run / "manifest.json").read_bytes())
    verified = subprocess.run(
        [sys.executable, "-P", "-m", "cxr", "verify", str(run)],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "status": manifest["status"],
        "outcome_digest": manifest["outcome_digest"],
        "trace_digest": manifest["trace_digest"],
        "doubled_steps": manifest["doubled_steps"],
        "selection": manifest["selection"],
        "ledger": hashlib.sha256((run / "ledger.jsonl").read_bytes()).hexdigest(),
        "metrics": hashlib.sha256((run / "metrics.jsonl").read_bytes()).hexdigest(),
        "verify": (verified.returncode, verified.stderr),
        "left behind": sorted(path.name for path in run.rglob("*.tmp")),
    }


if __name__ == "__main__":
    main()
