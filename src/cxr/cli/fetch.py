"""``cxr fetch``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, shown_progress
from cxr.errors import ExitCode
from cxr.plain_text import count, show_plainly

if TYPE_CHECKING:
    from cxr.publication.fetch_release import Fetched


def fetch(
    release: Annotated[
        str,
        typer.Argument(
            metavar="REPO@REVISION",
            help="A tag or a whole commit of a repository on the hub.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="By default NAME@REVISION, here."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Public key that must have signed it.")
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fetch a published run from a model hub, and check every file before it can be used.

    What does not agree is named, and nothing is left. cxr predict and cxr verify take the
    directory as they take a run.

    Example: cxr fetch me/sample@v1.0.0 --key signer.pem.pub
    """
    from cxr.publication.fetch_release import fetch_release

    public = None
    if key is not None:
        from cxr.attestation.export_keys import load_export_public_key

        public = load_export_public_key(key)
    with shown_progress(quiet=quiet) as progress:
        found = fetch_release(release, out=out, key=public, progress=progress)
    if json:
        print_json(_describe(found))
    elif not quiet or found.findings:
        _show(found, has_key=public is not None)
    if found.findings:
        raise typer.Exit(ExitCode.DIFFERS)


def _describe(found: Fetched) -> dict[str, Any]:
    run = found.record.get("run", {})
    answer: dict[str, Any] = {
        "endpoint": found.endpoint,
        "repo": found.repo,
        "revision": found.revision,
        "commit": found.commit,
        "verdict": "differs" if found.findings else "fetched",
        "directory": None if found.findings else str(found.directory),
        "authenticated": bool(found.signed) and not found.unsigned and not found.findings,
        "signed": found.signed,
        "unsigned": found.unsigned,
        "files": found.record.get("files", {}),
        "export_digest": found.record.get("export_digest"),
        "outcome_digest": run.get("outcome_digest"),
        "findings": [finding.to_json() for finding in found.findings],
    }
    if found.unchecked:
        answer["unchecked"] = [one.to_json() for one in found.unchecked]
    return answer


def _show(found: Fetched, *, has_key: bool) -> None:
    asked = f"{found.repo}@{found.revision}"
    if found.findings:
        print_line(f"differs: {count(len(found.findings), 'finding')} in {asked}; nothing was kept")
        for finding in found.findings:
            print_line(f"  {show_plainly(finding.path)}: {show_plainly(finding.problem)}")
        return
    print_line(f"fetched: {show_plainly(str(found.directory))}")
    print_line(f"  hub      {show_plainly(found.endpoint)}")
    print_line(f"  commit   {found.commit}")
    print_line(f"  outcome  {found.record['run']['outcome_digest']}")
    print_line(f"  export   {found.record['export_digest']}")
    if not has_key:
        print_line("  consistent, not authenticated: all digests agree")
        return
    if found.unsigned:
        _say("authenticated in part", found.signed)
        _say("not signed", found.unsigned)
    else:
        every = "" if found.unchecked else "all "
        print_line(f"  authenticated: {every}{len(found.signed)} files are signed")
    for one in found.unchecked:
        print_line(f"  not checked: {one.path}: {one.problem}")


def _say(what: str, names: list[str]) -> None:
    """Print names in lines that fit 80 columns."""
    text = textwrap.fill(f"{what}: {', '.join(names)}", 76, subsequent_indent="  ")
    print_line(textwrap.indent(text, "  "))
