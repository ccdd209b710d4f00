"""``cxr verify``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line
from cxr.errors import ExitCode, UsageError
from cxr.plain_text import count, show_plainly

if TYPE_CHECKING:
    from cxr.compare.verify_findings import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """Which signature was asked for.

    Attributes:
        attestation: The envelope.
        keyid: Fingerprint of the key whose signature it must have.
        num_files: How many files of the run it names.
        unsigned: Files of an export that nobody signed.
    """

    attestation: Path
    keyid: str
    num_files: int
    unsigned: tuple[str, ...] = ()


def verify(
    run: options.Run,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Public key whose signature the run must have."),
    ] = None,
    attestation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="By default RUN.attestation.json.")
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check a run, or a repeat with its runs, against its own records.

    Every edit is named. Without a signature this shows consistency, not who wrote it; with --key
    the signature of cxr attest is checked as well.

    Example: cxr verify runs/sample-20261121T120000Z-0123abcd --key signer.pem.pub
    """
    if key is None:
        if attestation is not None:
            raise UsageError(
                "an attestation is checked with a key",
                where="cxr verify --attestation",
                hint="name with --key the public key of whoever signed it",
            )
        from cxr.repeat.verify_record import verify_record

        found, signed = verify_record(run), None
    else:
        found, signed = _verify_signed(run, key, attestation)
    if json:
        print_json(_describe(run, found, signed))
    elif not quiet or found.findings:
        _show(run, found, signed)
    if found.findings:
        raise typer.Exit(ExitCode.DIFFERS)


def _verify_signed(run: Path, key: Path, attestation: Path | None) -> tuple[Verification, _Signed]:
    """Check a run and its attestation."""
    from cxr.attestation.keys import derive_keyid, load_public_key
    from cxr.attestation.place import find_place
    from cxr.attestation.verify_attestation import verify_attestation
    from cxr.compare.verify_run import verify_run
    from cxr.records.exported import is_export
    from cxr.records.manifest import require_manifest

    if is_export(run):
        return _verify_signed_export(run, key, attestation)
    # Ahead of the key: what is no record at all has no wrong kind of key.
    require_manifest(run)
    public = load_public_key(key)
    place = find_place(run) if attestation is None else attestation
    # A repeat has no signature of its own: its runs have.
    found = verify_run(run)
    more = verify_attestation(run, place, public, is_consistent=not found.findings)
    found = replace(found, findings=[*found.findings, *more.findings])
    keyid = derive_keyid(public)
    return found, _Signed(attestation=place, keyid=keyid, num_files=more.num_signed)


def _verify_signed_export(
    directory: Path, key: Path, attestation: Path | None
) -> tuple[Verification, _Signed]:
    """Check an export and the signatures that it was published with."""
    from cxr.attestation.export_keys import load_export_public_key
    from cxr.attestation.export_signatures import (
        name_signature,
        require_library,
        verify_export_signatures,
    )
    from cxr.attestation.keys import derive_keyid
    from cxr.release.verify_export import verify_export

    if attestation is not None:
        raise UsageError(
            "an export has its signatures in its directory",
            where=f"cxr verify --attestation {attestation}",
            hint="leave out --attestation",
        )
    public = load_export_public_key(key)
    require_library(public)
    found, signed, unsigned = verify_export(directory), list[str](), list[str]()
    if not found.findings:
        more = verify_export_signatures(directory, public)
        found = replace(found, findings=more.findings, unchecked=more.unchecked)
        signed, unsigned = more.signed, more.unsigned
    return found, _Signed(
        attestation=directory / name_signature(public),
        keyid=derive_keyid(public),
        num_files=len(signed),
        unsigned=tuple(unsigned),
    )


def _describe(run: Path, found: Verification, signed: _Signed | None) -> dict[str, Any]:
    """Return the answer of ``--json``."""
    is_whole = signed is not None and not signed.unsigned
    agreed = "authenticated" if is_whole else "consistent"
    answer = {
        "run": str(run),
        "verdict": "differs" if found.findings else agreed,
        "authenticated": is_whole and not found.findings,
        "status": found.status,
        "files": found.num_files,
        "evaluations": found.num_evaluations,
        "findings": [finding.to_json() for finding in found.findings],
    }
    if found.unchecked:
        answer["unchecked"] = [one.to_json() for one in found.unchecked]
    if signed:
        answer |= {
            "signed_files": signed.num_files,
            "keyid": signed.keyid,
            "attestation": str(signed.attestation),
        }
        if signed.unsigned:
            answer["unsigned_files"] = list(signed.unsigned)
    return answer


def _show(run: Path, found: Verification, signed: _Signed | None) -> None:
    """Print what was found."""
    if found.findings:
        print_line(f"differs: {count(len(found.findings), 'finding')} in {run}")
        for finding in found.findings:
            print_line(f"  {show_plainly(finding.path)}: {show_plainly(finding.problem)}")
    else:
        _show_agreement(found, signed)
    for one in found.unchecked:
        print_line(f"  not checked: {show_plainly(one.path)}: {show_plainly(one.problem)}")


def _show_agreement(found: Verification, signed: _Signed | None) -> None:
    """Print that all agrees, and whose signature says so."""
    num_later = found.num_evaluations
    agree = f"all digests agree; status {show_plainly(found.status)}"
    if signed is None:
        later = f" with those of {num_later} evaluations" if num_later else ""
        print_line(f"consistent, not authenticated: {found.num_files} files{later}, {agree}")
        return
    word = "authenticated in part" if signed.unsigned else "authenticated"
    print_line(f"{word}: {signed.num_files} files, {agree}")
    if signed.unsigned:
        print_line(f"not signed   {', '.join(signed.unsigned)}")
    print_line(f"signed with  {signed.keyid}")
    if num_later:
        print_line(f"not signed   later evaluations: {num_later}, consistent with the run")
