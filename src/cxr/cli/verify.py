"""``cxr verify``."""

from __future__ import annotations

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line
from cxr.errors import ExitCode
from cxr.plain_text import show_plainly


def verify(run: options.Run, *, json: options.Json = False, quiet: options.Quiet = False) -> None:
    """Check a run, or a repeat with its runs, against its own records.

    Every edit is named. Without a signature this shows consistency, not who wrote it.

    Example: cxr verify runs/sample-20261121T120000Z-0123abcd
    """
    from cxr.repeat.verify_record import verify_record

    found = verify_record(run)
    verdict = "differs" if found.findings else "consistent"
    if json:
        print_json(
            {
                "run": str(run),
                "verdict": verdict,
                "authenticated": False,
                "status": found.status,
                "files": found.num_files,
                "evaluations": found.num_evaluations,
                "findings": [finding.to_json() for finding in found.findings],
                **(
                    {"unchecked": [one.to_json() for one in found.unchecked]}
                    if found.unchecked
                    else {}
                ),
            }
        )
    elif not quiet or found.findings:
        if found.findings:
            print_line(f"differs: {len(found.findings)} findings in {run}")
            for finding in found.findings:
                print_line(f"  {show_plainly(finding.path)}: {show_plainly(finding.problem)}")
        else:
            num_later = found.num_evaluations
            later = f" with those of {num_later} evaluations" if num_later else ""
            print_line(
                f"consistent, not authenticated: {found.num_files} files{later}, "
                f"all digests agree; status {show_plainly(found.status)}"
            )
        for one in found.unchecked:
            print_line(f"  not checked: {show_plainly(one.path)}: {show_plainly(one.problem)}")
    if found.findings:
        raise typer.Exit(ExitCode.DIFFERS)
