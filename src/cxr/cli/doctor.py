"""``cxr doctor``."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note, print_table, shown_progress
from cxr.errors import ExitCode, InstallationError, UsageError
from cxr.interruption import held
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.selftest.health import Health

_COLUMNS: Final = 80


def doctor(
    *,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Plant faults and see that each is found.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write the self-test's record to.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say what this machine can promise, what is missing, and what mends it.

    With --selftest, tiny runs are trained here with one fault planted in each, and the evidence
    must show every one of them, at its place. The record can be filed.

    Example: cxr doctor --selftest --out selftest.json
    """
    if selftest:
        record = _run(out, quiet=quiet)
        if json:
            print_json(record)
        else:
            show_selftest(record, quiet=quiet)
        sound = all(case["caught"] for case in record["cases"])
    elif out is not None:
        raise UsageError(
            "--out goes with --selftest",
            where="cxr doctor",
            hint="cxr doctor --selftest --out FILE, or cxr env capture --out FILE",
        )
    else:
        from cxr.selftest.health import check_installation

        with shown_progress(quiet=quiet) as progress:
            health = check_installation(progress)
        sound = all(check.ok for check in health.checks)
        if json:
            print_json({"verdict": "healthy" if sound else "warnings", **asdict(health)})
        else:
            show_health(health, quiet=quiet)
    if not sound:
        raise typer.Exit(ExitCode.DIFFERS)


def show_health(health: Health, *, quiet: bool) -> None:
    """Print what can be promised here, then what was looked at; ``quiet``: warnings alone."""
    if not quiet:
        for name, promise in health.promises.items():
            mark = "yes" if promise.holds else "no"
            _print_folded(f"{name:<9}{mark:<13}", promise.why)
        print_line()
    for check in health.checks:
        if check.ok and quiet:
            continue
        mark = "ok" if check.ok else "warning"
        _print_folded(f"{mark:<9}{check.name:<12} ", check.found)
        if check.mend is not None:
            # A command is copied whole: it is not folded.
            print_line(f"{'':<9}{'do:':<13}{show_plainly(check.mend)}")


def _print_folded(label: str, text: str) -> None:
    """Print a text behind its label, folded so that 80 columns hold it."""
    indent = " " * len(label)
    for line in textwrap.wrap(
        show_plainly(text), _COLUMNS, initial_indent=label, subsequent_indent=indent
    ):
        print_line(line)


def _run(out: Path | None, *, quiet: bool) -> dict[str, Any]:
    """Run the self-test, and write its record where one is asked for."""
    from cxr.atomic import write_output
    from cxr.digests.canonical import canonical_json

    if out is not None:
        _require_place(out)
    try:
        from cxr.selftest.run import run_selftest
    except (ImportError, OSError) as error:
        raise InstallationError(
            f"a library cannot be imported: {' '.join(str(error).split())}",
            where="cxr doctor --selftest",
            hint="install cxr again; cxr doctor names what is wrong",
        ) from error
    with shown_progress(quiet=quiet) as progress:
        record = run_selftest(progress)
    if out is not None:
        with held():
            write_output(out, canonical_json(record) + b"\n")
        if not quiet:
            print_note(f"written: {out}")
    return record


def _require_place(out: Path) -> None:
    """Refuse, before anything is trained, a file that could not be written in the end."""
    from cxr.atomic import make_directory
    from cxr.records.free_place import require_outside_records, require_writable

    require_outside_records(out, what="record of the self-test")
    if out.is_dir():
        raise UsageError(
            "a directory stands where the record would be written",
            where=str(out),
            hint="name a file with --out",
        )
    make_directory(out.parent, option="--out")
    require_writable(out.parent)


def show_selftest(record: dict[str, Any], *, quiet: bool) -> None:
    """Print each case with what was found, and in full what was not caught."""
    cases, seconds = record["cases"], record["volatile"]["cases_s"]
    if not quiet:
        print_table(
            "planted on this machine",
            ["case", "found", "caught", "s"],
            [
                [
                    case["name"],
                    describe_found(case["found"], short=True),
                    "yes" if case["caught"] else "NO",
                    f"{seconds[case['name']]:.1f}",
                ]
                for case in cases
            ],
        )
    missed = [case for case in cases if not case["caught"]]
    for case in missed:
        print_line(f"not caught: {case['name']}")
        print_line(f"  planted   {case['planted']}")
        print_line(f"  expected  {describe_found(case['expected'])}")
        print_line(f"  found     {describe_found(case['found'])}")
    print_line(f"{record['verdict']}: {len(cases) - len(missed)} of {len(cases)} cases")
    if not quiet:
        print_line(f"machine  {record['environment_digest']}")
        print_line(f"code     {record['cxr']['code_digest']}")
        print_line(f"record   {record['manifest_digest']}")


def describe_found(found: dict[str, Any], *, short: bool = False) -> str:
    """Return in one line what the evidence says, or must say; ``short`` of findings the last."""
    words = [str(found["verdict"])] if "verdict" in found else []
    if found.get("step") is not None:
        place = "initial state" if found["step"] < 0 else f"step {found['step']}"
        words.append(f"{place}, {found['part']} ({found['tensor']})")
    words += [str(found[name]) for name in ("at", "problem") if found.get(name)]
    words += [f"op {found['op']}"] if found.get("op") else []
    words += [f"op {op}, calls: {num}" for op, num in found.get("ops", {}).items()]
    words += found.get("fields", [])
    findings = found.get("findings", [])
    words += findings[-1:] if short else findings
    return show_plainly("; ".join(words))
