"""Kills training with SIGKILL at random moments, goes on, and compares with a run left alone.

Every run is killed again and again until it comes to its end: alone or with its whole process
group, at a moment drawn from the time that the undisturbed run took after its first record. A run
must end with the outcome and trace of the undisturbed one, byte for byte the same ledger, and
verify. The script exits 1 if one does not.

    uv run python benchmarks/kills.py --kills 100
    uv run python benchmarks/kills.py --kills 20 --seed 7 --json kills.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

CONFIG = """\
name: kills
seed: 3
threads: 1
workers: 2
data: {source: synthetic, image_size: 28, synthetic: {train: 400, val: 60, test: 60}}
model: {name: mlp, hidden: [96], drop_rate: 0.2}
train:
  epochs: 12
  batch_size: 20
  optimizer: adamw
  schedule: cosine
  augment: {pad: 2}
  monitor: loss
"""
_FIRST_RECORD_S = 60.0


@dataclass
class Campaign:
    """What became of the runs.

    Attributes:
        kills: Processes that were killed while they trained.
        kills_by_moment: The same, by what the run directory showed.
        runs: Runs that came to their end.
        mismatches: Those that did not end as the undisturbed one.
    """

    kills: int = 0
    kills_by_moment: dict[str, int] = field(default_factory=dict)
    runs: int = 0
    mismatches: list[str] = field(default_factory=list)


def main() -> None:
    """Run the campaign and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many at least")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        campaign = run_campaign(Path(place), arguments.kills, draw)
    print(f"{campaign.kills} kills, {campaign.runs} runs, {len(campaign.mismatches)} mismatches")
    for moment, count in sorted(campaign.kills_by_moment.items()):
        print(f"  {moment:<28}{count:>5}")
    for mismatch in campaign.mismatches:
        print(f"  MISMATCH {mismatch}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(campaign), indent=2) + "\n")
    sys.exit(1 if campaign.mismatches else 0)


def run_campaign(place: Path, kills: int, draw: random.Random) -> Campaign:
    """Kill until ``kills`` processes were killed; each run goes on until it ends."""
    config = place / "kills.yaml"
    config.write_text(CONFIG)
    undisturbed = place / "undisturbed"
    began = start(["--config", config, "--out", undisturbed])
    wait_for_record(undisturbed, began)
    since = time.monotonic()
    began.wait()
    duration_s = time.monotonic() - since
    wanted = describe_end(undisturbed)
    campaign = Campaign()
    while campaign.kills < kills:
        run = place / f"run-{campaign.runs}"
        kill_until_it_ends(config, run, duration_s, draw, campaign)
        found = describe_end(run)
        campaign.runs += 1
        if found != wanted:
            campaign.mismatches.append(f"run {campaign.runs}: {found} instead of {wanted}")
        print(f"{campaign.kills} kills, {campaign.runs} runs", file=sys.stderr)
    return campaign


def kill_until_it_ends(
    config: Path, run: Path, duration_s: float, draw: random.Random, campaign: Campaign
) -> None:
    """Start a run, kill it, go on, until it completes."""
    while status_of(run) != "completed":
        begun = (run / "manifest.json").exists()
        process = start(["--resume", run] if begun else ["--config", config, "--out", run])
        size = ledger_size(run)
        deadline = time.monotonic() + _FIRST_RECORD_S
        # Going on first writes nothing: its start is a moment too.
        while process.poll() is None and ledger_size(run) <= size and time.monotonic() < deadline:
            if begun and draw.random() < 0.0005:
                break
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.6 * duration_s))
        if process.poll() is not None:
            continue
        alone = draw.random() < 0.5
        (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
        process.wait()
        moment = describe_moment(run)
        campaign.kills += 1
        campaign.kills_by_moment[moment] = campaign.kills_by_moment.get(moment, 0) + 1


def start(arguments: list[str | Path]) -> subprocess.Popen[bytes]:
    """Start ``cxr train`` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cxr", "train", "-q", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_record(run: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the ledger holds something."""
    while process.poll() is None and not ledger_size(run):
        time.sleep(0.005)


def ledger_size(run: Path) -> int:
    """Return the bytes of the ledger so far."""
    try:
        return (run / "ledger.jsonl").stat().st_size
    except OSError:
        return 0


def status_of(run: Path) -> str:
    """Return the status in the manifest, which is always whole."""
    try:
        return str(json.loads((run / "manifest.json").read_bytes())["status"])
    except FileNotFoundError:
        return "not begun"


def describe_moment(run: Path) -> str:
    """Say what a run directory shows of the moment at which its process was killed."""
    if not (run / "manifest.json").exists():
        return "before the manifest"
    litter = [path.name for path in run.rglob("*.tmp")]
    if litter:
        return f"while writing {litter[0].split('.')[1].partition('-')[0]}"
    lines = (run / "ledger.jsonl").read_bytes() if ledger_size(run) else b""
    if lines and not lines.endswith(b"\n"):
        return "inside a ledger line"
    if (run / "predictions.csv").exists():
        return "after the predictions"
    if (run / "model.safetensors").exists():
        return "after the weights"
    alone = {path.stem for path in run.glob("checkpoints/*.safetensors")} - {
        path.stem for path in run.glob("checkpoints/*.json")
    }
    return "inside a checkpoint" if alone else "between records"


def describe_end(run: Path) -> list[object]:
    """Return what must be equal, and whether the run verifies."""
    manifest = json.loads((run / "manifest.json").read_bytes())
    verified = subprocess.run(
        [sys.executable, "-P", "-m", "cxr", "verify", str(run)], capture_output=True, text=True
    )
    ledger = (run / "ledger.jsonl").read_bytes()
    return [
        manifest["outcome_digest"],
        manifest["trace_digest"],
        hash(ledger),
        verified.returncode,
        verified.stdout if verified.returncode else "",
    ]


if __name__ == "__main__":
    main()
