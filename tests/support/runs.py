"""Finished runs: trained once in a test session, however many tests and workers look at them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from cxr.records.manifest import digest_files, load_manifest, write_manifest
from cxr.records.run_directory import ENVIRONMENT
from support.program import Finished, read_answer, run_cxr
from support.recipes import Recipe, write_recipe

DEEPER = Path("deeper") / "down"
HEAVY = ("torch", "timm", "torchvision", "numpy")
"""What reading records must work without."""


@dataclass(frozen=True)
class Run:
    """A run directory and what the process that wrote it said."""

    directory: Path
    config: Path
    process: Finished[str]

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.directory / "manifest.json").read_bytes())

    @property
    def digests(self) -> tuple[str, str]:
        manifest = self.manifest
        return manifest["outcome_digest"], manifest["trace_digest"]

    @property
    def ledger(self) -> list[dict[str, Any]]:
        lines = (self.directory / "ledger.jsonl").read_text(encoding="ascii").splitlines()
        return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class FinishedRuns:
    """Trains what is asked for, unless it already was.

    Attributes:
        place: A directory that all workers of the session share.
    """

    place: Path

    def __call__(
        self,
        recipe: Recipe,
        *,
        tag: str = "",
        code: int = 0,
        overrides: Sequence[str] = (),
        through_link: bool = False,
        **options: Any,
    ) -> Run:
        """Return the run of a recipe.

        Args:
            recipe: The recipe.
            tag: Tells runs apart that are asked for in the same way.
            code: The exit code that it must have.
            overrides: Values for ``--set``.
            through_link: Whether ``--out`` goes through a symbolic link to a place deeper down.
            options: Of `run_cxr`.
        """
        changed = [text for override in overrides for text in ("--set", override)]
        asked = json.dumps([recipe, tag, changed, through_link, options], default=str)
        key = hashlib.sha256(asked.encode()).hexdigest()[:16]
        home = self.place / "runs" / key
        home.mkdir(parents=True, exist_ok=True)
        answer = home / "process.json"
        with filelock.FileLock(self.place / f"{key}.lock"):
            config = write_recipe(home / "recipe.yaml", recipe)
            if not answer.exists():
                out = _link_down(home) / "run" if through_link else home / "run"
                process = run_cxr(
                    "train", "--config", config, "--out", out, "--json", *changed, **options
                )
                answer.write_text(json.dumps(vars(process)), encoding="utf-8")
        process = Finished(**json.loads(answer.read_text(encoding="utf-8")))
        assert process.returncode == code, process.stderr
        return Run(home / DEEPER / "run" if through_link else home / "run", config, process)


def _link_down(home: Path) -> Path:
    """Make a symbolic link to a directory deeper down and return it."""
    (home / DEEPER).mkdir(parents=True)
    link = home / "link"
    link.symlink_to(home / DEEPER)
    return link


def diff(a: Run | Path, b: Run | Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and JSON answer of ``cxr diff``."""
    places = [run.directory if isinstance(run, Run) else run for run in (a, b)]
    finished = run_cxr("diff", *places, "--json", *options, blocked=HEAVY)
    return finished.returncode, read_answer(finished)


def copy_run(run: Run, destination: Path) -> Path:
    """Copy a run directory to edit it."""
    shutil.copytree(run.directory, destination)
    return destination


def edit_facts(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the environment of a copied run, as if it had been trained there."""
    path = run / ENVIRONMENT
    facts = json.loads(path.read_bytes())
    change(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")
    manifest = load_manifest(run)
    write_manifest(run, {**manifest, "files": digest_files(run)})
