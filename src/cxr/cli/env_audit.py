"""``cxr env audit``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note, print_table, shown_progress
from cxr.errors import ExitCode, RecordError, UsageError
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.audit.audit import AuditReport, Candidate
    from cxr.progress import Progress

_EXIT_CODES = {
    "clean": ExitCode.OK,
    "vulnerable": ExitCode.DIFFERS,
    "unchecked": ExitCode.UNCHECKED,
}


class ServiceName(StrEnum):
    """Services that know vulnerabilities."""

    PYPI = "pypi"
    OSV = "osv"


def audit(
    *,
    locked: Annotated[
        bool, typer.Option("--locked", help="What uv.lock asks for here, not what is installed.")
    ] = False,
    lock: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The lock, for --locked.")
    ] = None,
    advisories: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="OSV records to look in, and nowhere else."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A package that need not be looked up."),
    ] = None,
    service: Annotated[
        ServiceName | None, typer.Option(help="The service to ask; pypi unless told.")
    ] = None,
    osv_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the service osv is, if elsewhere.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Look every package up for known vulnerabilities.

    Each package that could not be looked up is named, and ends in exit code 3 unless it is allowed
    by name. A known vulnerability ends in exit code 1.

    Example: cxr env audit --allow cxr
    """
    if advisories and (service is not None or osv_url is not None):
        raise UsageError(
            "with --advisories no service is asked",
            where="--service, --osv-url",
            hint="leave out one or the other",
        )
    if osv_url is not None and service is ServiceName.PYPI:
        raise UsageError(
            "--osv-url goes with the service osv", where="--service", hint="give --service osv"
        )
    chosen = ServiceName.OSV if osv_url is not None else service or ServiceName.PYPI
    names = allow or []
    with shown_progress(quiet=quiet) as progress:
        candidates, source = _list_candidates(lock, locked=locked or lock is not None)
        if advisories:
            report = _look_in_files(candidates, advisories, names, source, progress)
        else:
            report = _ask(candidates, chosen, osv_url, names, source, progress)
    _name_unknown(names, candidates)
    if json:
        print_json({**report.describe(), "source": source})
    else:
        show_audit(report, source, quiet=quiet)
    raise typer.Exit(_EXIT_CODES[report.verdict])


def _list_candidates(lock: Path | None, *, locked: bool) -> tuple[list[Candidate], dict[str, Any]]:
    """Return the packages to look up, and where they are listed."""
    from cxr.audit.audit import list_installed, list_locked
    from cxr.environment.lock_file import find_lock_file, load_lock

    if not locked:
        return list_installed(), {"packages": "installed", "lock": None}
    path = lock or find_lock_file()
    if path is None:
        raise RecordError(
            "there is no lock file beside this environment",
            where="uv.lock",
            hint="name it with --lock FILE; uv lock writes one",
        )
    loaded = load_lock(path)
    return list_locked(loaded), {"packages": "locked", "lock": loaded.digest}


def _look_in_files(
    candidates: list[Candidate],
    paths: list[Path],
    allowed: list[str],
    source: dict[str, Any],
    progress: Progress,
) -> AuditReport:
    """Look packages up in files, and say in ``source`` in which."""
    from cxr.audit.advisories import find_vulnerabilities, load_advisories
    from cxr.audit.audit import audit_packages

    known = load_advisories(paths, progress)
    source |= {"service": None, "advisories": known.num, "advisories_digest": known.digest}
    return audit_packages(
        candidates,
        lambda packages: find_vulnerabilities(known, packages),
        allowed=allowed,
        publish=False,
    )


def _ask(
    candidates: list[Candidate],
    service: ServiceName,
    address: str | None,
    allowed: list[str],
    source: dict[str, Any],
    progress: Progress,
) -> AuditReport:
    """Look packages up at a service, and say in ``source`` at which."""
    from cxr.audit.audit import audit_packages
    from cxr.audit.vulnerability_service import ask_service

    source |= {"service": service.value, "advisories": None, "advisories_digest": None}
    return audit_packages(
        candidates,
        lambda packages: ask_service(
            packages, service=service.value, address=address, progress=progress
        ),
        allowed=allowed,
        publish=True,
    )


def _name_unknown(allowed: list[str], candidates: list[Candidate]) -> None:
    """Say which names that were allowed are those of no package."""
    from cxr.environment.packages import normalise_name

    names = {one.name for one in candidates}
    unknown = [name for name in allowed if normalise_name(name) not in names]
    if unknown:
        print_note(f"note: --allow names no package here: {show_plainly(', '.join(unknown))}")


def show_audit(report: AuditReport, source: dict[str, Any], *, quiet: bool) -> None:
    """Print what was found, what was not looked up, and in one line what came of it."""
    if report.vulnerabilities:
        print_table(
            "known vulnerabilities",
            ["package", "version", "id", "also", "fixed in", "what"],
            [
                [
                    show_plainly(text)
                    for text in (
                        one.package,
                        one.version,
                        one.id,
                        ", ".join(one.aliases),
                        ", ".join(one.fixed_in) or "nowhere",
                        one.summary,
                    )
                ]
                for one in report.vulnerabilities
            ],
        )
    named = [one for one in report.unchecked if not (quiet and one.allowed)]
    if named:
        print_table(
            "not looked up",
            ["package", "version", "why", "allowed"],
            [
                [
                    *map(show_plainly, (one.package, one.version, one.reason)),
                    "yes" if one.allowed else "no",
                ]
                for one in named
            ],
        )
    print_line(f"{report.verdict}: {_count(report)}")
    if source["service"] is None:
        print_line(f"looked in  only these advisories: {source['advisories']:,}")
        print_line(f"           {source['advisories_digest']}")
    elif not quiet:
        print_line(f"asked      {source['service']}, about {source['packages']} packages")
    if source["lock"] is not None and not quiet:
        print_line(f"lock       {source['lock']}")


def _count(report: AuditReport) -> str:
    """Return the numbers in words."""
    words = [f"{report.num_audited} of {report.num_packages} packages looked up"]
    if report.vulnerabilities:
        affected = {one.package for one in report.vulnerabilities}
        num = len(report.vulnerabilities)
        what = "vulnerability" if num == 1 else "vulnerabilities"
        where = "package" if len(affected) == 1 else "packages"
        words.append(f"{num} {what} in {len(affected)} {where}")
    blocking = sum(not one.allowed for one in report.unchecked)
    if blocking:
        words.append(f"{blocking} neither looked up nor allowed")
    return ", ".join(words)
