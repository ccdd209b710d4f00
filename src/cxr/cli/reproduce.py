"""``cxr reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note, print_table, shorten, shown_progress
from cxr.cli.diff import parse_tolerances, show_diff
from cxr.errors import ExitCode, UsageError
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.reproduce.plan import Plan
    from cxr.reproduce.prepare import Request
    from cxr.reproduce.run import Reproduction

_SUFFIX: Final = ".cxr.zip"


def reproduce(
    record: Annotated[
        Path,
        typer.Argument(
            metavar="RECORD",
            help="A run directory, a packed run, or a manifest.json.",
            show_default=False,
        ),
    ],
    data: options.Data = None,
    weights: Annotated[
        Path | None, typer.Option(help="File of the initial weights, where it is another here.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key of the pseudonyms, where it is another here."),
    ] = None,
    repository: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A checkout of cxr to take commits from.")
    ] = None,
    tolerance: options.Tolerance = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Directory to write, or with --pack the file."),
    ] = None,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only tell what differs here.")] = False,
    sync: Annotated[
        bool, typer.Option("--sync", help="Build the recorded packages aside, and run there.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run although something is in the way.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that came with a packed run.")
    ] = False,
    pack: Annotated[
        bool, typer.Option("--pack", help="Write a run into one file, without its images.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a recorded run again, and compare.

    First, environment, code and data are held against the record. What can be put right is: its
    variables, its sources in a scratch checkout, and with --sync its packages.

    Example: cxr reproduce runs/a --data /data/chest
    """
    if pack and (plan or sync or force or trust or tolerance or data or key):
        raise UsageError(
            "--pack goes with --out, --weights and --repository alone",
            where="cxr reproduce",
            hint="cxr reproduce --pack RUN --out FILE",
        )
    tolerances = parse_tolerances(tolerance or [])
    import tempfile

    with tempfile.TemporaryDirectory(prefix="cxr-reproduce-") as place:
        scratch = Path(place)
        if pack:
            _pack(record, weights, repository, out, scratch, json=json, quiet=quiet)
            return
        from cxr.reproduce.prepare import Request

        request = Request(
            path=record,
            root=data,
            weights=weights,
            key=key,
            repository=repository,
            sync=sync,
            trust=trust,
        )
        reproduction = _reproduce(
            request, scratch, out, tolerances, only_plan=plan, force=force, quiet=quiet
        )
    if json:
        print_json(reproduction.to_json())
    else:
        show_reproduction(reproduction, quiet=quiet)
    if plan:
        raise typer.Exit(ExitCode.DIFFERS if reproduction.plan.in_the_way else ExitCode.OK)
    codes = {"different": ExitCode.DIFFERS, "blocked": ExitCode.UNCHECKED}
    raise typer.Exit(codes.get(reproduction.verdict, ExitCode.OK))


def _reproduce(
    request: Request,
    scratch: Path,
    out: Path | None,
    tolerances: dict[str, float],
    *,
    only_plan: bool,
    force: bool,
    quiet: bool,
) -> Reproduction:
    """Prepare the run, and train it unless something is in the way."""
    from cxr.interruption import held
    from cxr.records.free_place import require_free, require_writable
    from cxr.records.run_directory import RUNS
    from cxr.reproduce.known_errors import accept_known_errors
    from cxr.reproduce.plan import is_stopped
    from cxr.reproduce.prepare import prepare_reproduction
    from cxr.reproduce.run import Reproduction, run_reproduction

    if out is not None:
        require_free(out, what="reproduction")
    if not only_plan:
        require_writable(out or RUNS)
    with shown_progress(quiet=quiet) as progress:
        prepared = prepare_reproduction(request, scratch=scratch, progress=progress)
    stopped = is_stopped(prepared.plan, force=force)
    if only_plan or stopped:
        return Reproduction(verdict="blocked" if stopped else "possible", plan=prepared.plan)
    with shown_progress(quiet=quiet) as progress:
        prepared = accept_known_errors(prepared, progress=progress)
    if not quiet:
        print_note(f"training again; code: {show_plainly(prepared.plan.sources.origin)}")
    with held():
        return run_reproduction(prepared, out=out, tolerances=tolerances, quiet=quiet)


def _pack(
    run: Path,
    weights: Path | None,
    repository: Path | None,
    out: Path | None,
    scratch: Path,
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Write a packed run."""
    from cxr.interruption import held
    from cxr.reproduce.pack import pack_run

    target = out or Path(f"{run.resolve().name}{_SUFFIX}")
    with held():
        packed = pack_run(run, target, weights=weights, repository=repository, scratch=scratch)
    if json:
        print_json(
            {
                "path": str(packed.path),
                "bytes": packed.size_bytes,
                "entries": list(packed.entries),
                "code": packed.code,
                "weights": packed.weights,
            }
        )
    elif not quiet:
        print_line(f"packed: {packed.path}, {packed.size_bytes:,} bytes")
        print_line(f"  code     {show_plainly(packed.code)}")
        if packed.weights is not None:
            print_line(f"  weights  {packed.weights}")
        print_line("  images are not in it: name them with cxr reproduce FILE --data DIR")


def show_reproduction(reproduction: Reproduction, *, quiet: bool) -> None:
    """Print what differs here, and what came of the run."""
    if not quiet or reproduction.report is None:
        show_plan(reproduction.plan)
    if reproduction.report is None:
        return
    if quiet:
        print_line(reproduction.verdict)
    else:
        print_line()
        print_line("recorded (a) against reproduced (b):")
        show_diff(reproduction.report)
        print_line(f"records: {reproduction.directory}")


def show_plan(plan: Plan) -> None:
    """Print every difference, and what to do about those in the way."""
    from cxr.reports import reproduction_text

    print_line(reproduction_text.describe_plan(plan))
    print_line(f"  code  {show_plainly(plan.sources.origin)}")
    if plan.items:
        rows = reproduction_text.list_rows(plan)
        print_line()
        print_table(
            "other here than recorded",
            ["what", "recorded", "here", "effect"],
            [[show_plainly(shorten(cell)) for cell in row] for row in rows],
        )
        if rest := reproduction_text.describe_rest(plan):
            print_line(rest)
    if advice := reproduction_text.list_advice(plan):
        print_line("do:")
        for line in advice:
            print_line(f"  {show_plainly(line)}")
        if command := reproduction_text.describe_command(plan):
            print_line(f"  by hand: {show_plainly(command)}")
        if all(item.can_be_forced for item in plan.in_the_way):
            print_line("  or run it all the same with --force")
