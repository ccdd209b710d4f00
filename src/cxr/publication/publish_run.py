"""Publishing a run: exported, checked, compared with what the hub has, and only then sent."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.atomic import make_directory, storage_errors
from cxr.attestation.export_signatures import require_current_signatures, sign_export
from cxr.attestation.place import find_place
from cxr.compare.sound_run import load_sound_run
from cxr.errors import RecordError, UsageError
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress
from cxr.publication.changed_code import is_changed, require_told_changes
from cxr.publication.hub import open_hub
from cxr.publication.plan import Plan, make_plan
from cxr.publication.private_names import require_nothing_private
from cxr.publication.release_record import SUFFIX, add_release, describe_release, load_releases
from cxr.publication.repository import require_repository_name, require_tag_name
from cxr.publication.run_attestation import add_attestation
from cxr.publication.send import send
from cxr.records.exported import require_no_export
from cxr.records.free_place import require_outside_records, require_writable
from cxr.records.manifest import Manifest
from cxr.release.export_record import ExportRecord
from cxr.release.export_run import export_run
from cxr.release.layout import RELEASED
from cxr.release.verify_export import load_sound_export

if TYPE_CHECKING:
    from cxr.attestation.keys import ExportPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What was published, or would be.

    Attributes:
        plan: What it changes, or changed, on the hub.
        export: The record of what is published.
        commit: The hub's commit, where it is there.
        release: The release record that names it; None where nothing was to be sent.
        is_sent: Whether anything was changed on the hub.
    """

    plan: Plan
    export: ExportRecord
    commit: str | None
    release: Path | None
    is_sent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a run is published.

    Attributes:
        export: An export of the run that is there already; by default one is made.
        license_name: See `export_run`; so for the next two.
        onnx: Likewise.
        root: Likewise.
        changed_code: The user's words on code that was changed since its commit.
        key: Signs every file that is sent.
        is_public: Whether a new repository is for everybody to see.
        release: Where the release record goes; by default beside the run.
        is_meant: Whether to send; otherwise it is only shown.
    """

    export: Path | None = None
    license_name: str | None = None
    onnx: bool = False
    root: Path | None = None
    changed_code: str | None = None
    key: ExportPrivateKey | None = None
    is_public: bool = False
    release: Path | None = None
    is_meant: bool = False


def publish_run(
    run: Path, repo: str, tag: str, wishes: Wishes, *, progress: Progress = SILENCE
) -> Publication:
    """Publish a completed run, or say what that would change.

    Args:
        run: The run directory.
        repo: The hub's repository, as ``OWNER/NAME``.
        tag: The tag.
        wishes: How.
        progress: Told how far it is.

    Raises:
        CxrError: It cannot be exported (see `export_run`) or sent (see `send`).
        RecordError: The run is not complete or does not verify, or a file holds what is private.
        ReleaseDiffersError: The tag is there with other content.
        UsageError: A name is none, a wish would do nothing, or the code was changed and nobody
            says what.
    """
    require_repository_name(repo)
    require_tag_name(tag)
    _require_fitting_wishes(run, wishes)
    manifest = load_sound_run(run)
    has_export = wishes.export is not None
    require_told_changes(run, manifest, wishes.changed_code, has_export=has_export)
    place = wishes.release or find_place(run, SUFFIX)
    require_outside_records(place, what="release record", option="--record")
    require_writable(place.parent, option="--record")
    load_releases(place)
    hub = open_hub()
    with _temporary_directory() as temporary:
        directory = temporary / "release"
        record = _prepare(run, directory, manifest, wishes, progress)
        require_nothing_private(directory, run)
        require_current_signatures(directory)
        plan = make_plan(hub, directory, repo, tag)
        commit, is_sent = plan.tagged, False
        if wishes.is_meant and not plan.is_done:
            _require_somebody(has_token=hub.has_token, endpoint=hub.endpoint)
            obey("publishing; nothing was sent")
            # Nothing about the machine or the person: the digest says which run it is.
            message = f"{manifest['name']} {tag}: {manifest['outcome_digest']}"
            commit = send(hub, plan, is_public=wishes.is_public, message=message, progress=progress)
            is_sent = True
        if wishes.is_meant and commit is not None:
            add_release(place, describe_release(plan, commit, record))
    return Publication(
        plan=plan,
        export=record,
        commit=commit,
        release=place if wishes.is_meant else None,
        is_sent=is_sent,
    )


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    """Make a directory for what is put together, which goes when the block ends."""
    with contextlib.ExitStack() as stack:
        with storage_errors(Path(os.environ.get("TMPDIR", "/tmp")), option="TMPDIR"):  # noqa: S108
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
        yield Path(temporary)


def _prepare(
    run: Path, directory: Path, manifest: Manifest, wishes: Wishes, progress: Progress
) -> ExportRecord:
    """Put together what is sent: an export, and who signed it.

    Raises:
        CxrError: It cannot be exported.
        RecordError: What is put together is not this run's export, or is signed as something else.
    """
    if wishes.export is None:
        export_run(
            run,
            directory,
            onnx=wishes.onnx,
            license_name=wishes.license_name,
            changed_code=wishes.changed_code if is_changed(run, manifest) else None,
            root=wishes.root,
            progress=progress,
        )
    else:
        _copy_export(wishes.export, directory)
    # Here, where nobody else writes: what is checked now is what is sent later.
    record = load_sound_export(directory)
    if record["run"]["manifest_digest"] != manifest["manifest_digest"]:
        given = wishes.export is not None
        raise RecordError(
            "the export is of another run" if given else "the run was replaced meanwhile",
            where=str(wishes.export or run),
            hint="leave out --export" if given else "publish again",
        )
    add_attestation(run, directory)
    if wishes.key is not None:
        sign_export(directory, wishes.key)
    return record


def _copy_export(export: Path, directory: Path) -> None:
    """Copy the files of an export, and nothing else that may lie beside them.

    What a file manager leaves behind, say, would make a release that nobody can fetch.

    Raises:
        RecordError: It is none, or does not verify.
        StorageError: It cannot be copied.
    """
    load_sound_export(export)
    make_directory(directory, option="TMPDIR")
    with storage_errors(directory, option="TMPDIR"):
        for name in RELEASED:
            if (export / name).exists():
                shutil.copyfile(export / name, directory / name)


def _require_fitting_wishes(run: Path, wishes: Wishes) -> None:
    """Refuse an export in place of the run, and wishes for an export that is there already.

    Raises:
        RecordError: The run is an export.
        UsageError: A wish would come to nothing.
    """
    require_no_export(run, hint="name the run, and its export with --export DIR")
    asked = {"--license": wishes.license_name, "--onnx": wishes.onnx, "--data": wishes.root}
    idle = [option for option, value in asked.items() if value]
    if wishes.export is not None and idle:
        raise UsageError(
            f"an export that is there already is sent as it is: {', '.join(idle)} would do nothing",
            where=f"--export {wishes.export}",
            hint=f"leave out {', '.join(idle)}, or --export",
        )


def _require_somebody(*, has_token: bool, endpoint: str) -> None:
    if not has_token:
        raise UsageError(
            "nobody is logged in at the hub",
            where=endpoint,
            hint="hf auth login, or set HF_TOKEN",
        )
