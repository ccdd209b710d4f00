"""``cxr replay``, which ``cxr diff`` starts for itself: one step of a run, again, op by op."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr.cli import options
from cxr.cli.console import shown_progress
from cxr.errors import CxrError


def replay(
    run: options.Run,
    step: Annotated[int, typer.Option(min=-1, help="The step; -1 is the initial state.")],
    answer: Annotated[Path, typer.Option(help="File to write the answer to, as JSON.")],
    against: Annotated[
        Path | None, typer.Option(help="Run whose ledger counts; by default its own.")
    ] = None,
    overrides: options.Set = None,
    data: Annotated[Path | None, typer.Option(help="Root of the data set here.")] = None,
    keep: Annotated[int | None, typer.Option(min=0, help="Op whose outputs are kept.")] = None,
    tensors: Annotated[Path | None, typer.Option(help="File for these outputs.")] = None,
    *,
    ops: Annotated[bool, typer.Option("--ops", help="Record the step's ops.")] = False,
) -> None:
    """Run a recorded run again up to a step, for ``cxr diff --replay`` and ``--bisect``.

    Example: cxr replay runs/a --step 7 --ops --answer ops.json
    """
    from cxr.atomic import write_bytes
    from cxr.digests.canonical import canonical_json
    from cxr.training.replay import ReplayPlan, replay_step, write_kept

    plan = ReplayPlan(
        run=run,
        step=step,
        against=against or run,
        overrides=overrides or (),
        root=data,
        trace=ops,
        keep=keep,
    )
    with shown_progress(quiet=True) as progress:
        try:
            found = replay_step(plan, progress=progress)
        except CxrError as error:
            # Whoever started this process tells the user in its own way.
            said = {"problem": error.problem, "where": error.where, "hint": error.hint}
            write_bytes(answer, canonical_json({"error": said}) + b"\n")
            raise
        if tensors is not None:
            write_kept(tensors, found)
        write_bytes(answer, canonical_json(found.to_json()) + b"\n")
