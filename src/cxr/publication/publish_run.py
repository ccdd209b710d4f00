"""Publishing a run: exported, checked, compared with what the hub has, and only then sent."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.atomic import storage_errors
from cxr.attestation.export_signatures import require_current_signatures, sign_export
from cxr.attestation.place import find_place
from cxr.compare.sound_run import load_sound_run
from cxr.compare.verify_findings import take
from cxr.environment.private_text import find_private_line
from cxr.errors import RecordError, UsageError
from cxr.interruption import obey
from cxr.json_file import load_json_object
from cxr.plain_text import is_plain_text
from cxr.progress import SILENCE, Progress
from cxr.publication.hub import open_hub
from cxr.publication.plan import Plan, make_plan
from cxr.publication.private_names import require_nothing_private
from cxr.publication.release_record import SUFFIX, add_release, describe_release, load_releases
from cxr.publication.repository import require_repository_name, require_tag_name
from cxr.publication.send import send
from cxr.records.free_place import require_outside_records, require_writable
from cxr.records.manifest import Manifest
from cxr.records.run_directory import ENVIRONMENT
from cxr.release.export_record import ExportRecord
from cxr.release.export_run import export_run
from cxr.release.layout import ATTESTATION
from cxr.release.verify_export import load_sound_export

if TYPE_CHECKING:
    from cxr.attestation.keys import ExportPrivateKey

_MAX_WORDS: Final = 500


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
        UsageError: A name is none, or the code was changed and nobody says what.
    """
    require_repository_name(repo)
    require_tag_name(tag)
    manifest = load_sound_run(run)
    _require_told_changes(run, manifest, wishes)
    place = wishes.release or find_place(run, SUFFIX)
    require_outside_records(place, what="release record")
    require_writable(place.parent)
    load_releases(place)
    hub = open_hub()
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "release"
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


def _prepare(
    run: Path, directory: Path, manifest: Manifest, wishes: Wishes, progress: Progress
) -> ExportRecord:
    """Put together what is sent: an export, and who signed it.

    Raises:
        CxrError: It cannot be exported, or the export that is named is not this run's.
    """
    if wishes.export is None:
        record = export_run(
            run,
            directory,
            onnx=wishes.onnx,
            license_name=wishes.license_name,
            changed_code=wishes.changed_code if _is_changed(run, manifest) else None,
            root=wishes.root,
            progress=progress,
        ).record
    else:
        # A copy: what is checked now is what is sent later.
        shutil.copytree(wishes.export, directory, symlinks=True)
        record = load_sound_export(directory)
        if record["run"]["manifest_digest"] != manifest["manifest_digest"]:
            raise RecordError(
                "the export is of another run", where=str(wishes.export), hint="leave out --export"
            )
    attestation = find_place(run)
    if attestation.exists():
        shutil.copyfile(attestation, directory / ATTESTATION)
    if wishes.key is not None:
        sign_export(directory, wishes.key)
    return record


def _require_told_changes(run: Path, manifest: Manifest, wishes: Wishes) -> None:
    """Refuse a run of changed code, unless the card can say what was changed."""
    words = wishes.changed_code
    if words is not None:
        if not words.strip() or len(words) > _MAX_WORDS or not is_plain_text(words):
            raise UsageError(
                f"that is no sentence of 1 to {_MAX_WORDS} letters",
                where="--changed-code",
                hint="say in a line what was changed, and why",
            )
        if (private := find_private_line(words)) is not None:
            raise UsageError(
                f"everybody would read it: {private}",
                where="--changed-code",
                hint="say it otherwise",
            )
    if not _is_changed(run, manifest):
        return
    if words is None or wishes.export is not None:
        raise UsageError(
            "the run was trained by code that was changed since its commit",
            where=f"{run}, commit {_find_code(run, manifest).get('commit')}",
            hint="train from a clean commit, or say what was changed with --changed-code WORDS, "
            "which the card repeats (without --export)",
        )


def _is_changed(run: Path, manifest: Manifest) -> bool:
    return _find_code(run, manifest).get("dirty") is True


def _find_code(run: Path, manifest: Manifest) -> dict[str, Any]:
    """Return what is recorded of the code; manifests of 0.1.0 leave it to the environment."""
    return take(manifest, "code") or take(load_json_object(run / ENVIRONMENT), "code")


def _require_somebody(*, has_token: bool, endpoint: str) -> None:
    if not has_token:
        raise UsageError(
            "nobody is logged in at the hub",
            where=endpoint,
            hint="hf auth login, or set HF_TOKEN",
        )
