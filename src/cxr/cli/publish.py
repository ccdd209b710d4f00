"""``cxr publish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, shown_progress
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.publication.publish_run import Publication


def publish(
    run: options.Run,
    repo: Annotated[
        str,
        typer.Argument(metavar="REPO", help="On the hub, as OWNER/NAME.", show_default=False),
    ],
    tag: Annotated[
        str, typer.Option(metavar="NAME", help="The release, as v1.0.0.", show_default=False)
    ],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send it. Without this it is only shown.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="An export of the run; by default one is made."),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Publish model.onnx too; needs the extra onnx.")
    ] = False,
    license_name: Annotated[
        str | None,
        typer.Option("--license", metavar="ID", help="The licence that the card names."),
    ] = None,
    changed_code: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="What was changed in the code; goes into the card."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Private key that signs every file.")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see a new repository.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The release record; by default RUN.release.json."),
    ] = None,
    data: options.Data = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Publish a run's export on a model hub. Without --yes it only shows what would be sent.

    The hub is that of HF_ENDPOINT; who you are is what hf auth login or HF_TOKEN say.

    Example: cxr publish runs/sample-20261121T120000Z-0123abcd me/sample --tag v1.0.0
    """
    from cxr.publication.publish_run import Wishes, publish_run

    private = None
    if key is not None:
        from cxr.cli.signing_keys import load_export_key

        private = load_export_key(key)
    wishes = Wishes(
        export=export,
        license_name=license_name,
        onnx=onnx,
        root=data,
        changed_code=changed_code,
        key=private,
        is_public=public,
        release=record,
        is_meant=yes,
    )
    with shown_progress(quiet=quiet) as progress:
        found = publish_run(run, repo, tag, wishes, progress=progress)
    if json:
        print_json(_describe(run, found))
    elif not quiet:
        _show(found, is_public=public)


def _describe(run: Path, found: Publication) -> dict[str, Any]:
    return {
        "run": str(run),
        "verdict": _judge(found),
        **found.plan.to_json(),
        "commit": found.commit,
        "export_digest": found.export["export_digest"],
        "outcome_digest": found.export["run"]["outcome_digest"],
        "release": str(found.release) if found.release is not None else None,
    }


def _judge(found: Publication) -> str:
    if found.is_sent:
        return "published"
    return "already published" if found.plan.is_done else "not sent"


def _show(found: Publication, *, is_public: bool) -> None:
    plan = found.plan
    for one in plan.files:
        print_line(f"{one.change:<8}{one.name}, {one.size_bytes:,} bytes")
        print_line(f"        {one.digest}")
    for name in plan.removed:
        print_line(f"removed {show_plainly(name)}")
    if plan.exists:
        there = f"there, at {plan.parent}" if plan.parent is not None else "there, and empty"
    else:
        there = f"new, {'for everybody to see' if is_public else 'private'}"
    print_line(f"hub         {show_plainly(plan.endpoint)}")
    print_line(f"repository  {plan.repo} ({there})")
    print_line(f"tag         {plan.tag}")
    print_line(f"outcome     {found.export['run']['outcome_digest']}")
    print_line(f"export      {found.export['export_digest']}")
    if found.is_sent:
        print_line(f"published: {plan.repo}@{plan.tag}, commit {found.commit}")
    elif plan.is_done:
        print_line(f"already published, nothing to do: commit {found.commit}")
    else:
        said = f"{plan.num_bytes:,} bytes" if plan.needs_commit else "the tag alone"
        print_line(f"nothing was sent; --yes sends {said}")
    if found.release is not None:
        print_line(f"record      {show_plainly(str(found.release))}")
