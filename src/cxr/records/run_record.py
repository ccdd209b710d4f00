"""The record of a run of cxr: begun when all inputs are known, sealed however the run ends."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from cxr.atomic import append_whole, storage_errors, write_bytes, write_text
from cxr.config.fields import find_recipe_fields, flatten_config
from cxr.config.load import PATH_FIELDS, dump_config
from cxr.config.schema import RunConfig
from cxr.determinism.controls import Controls
from cxr.determinism.streams import GENERATOR, PURPOSES
from cxr.digests.canonical import canonical_json, digest_json
from cxr.environment.facts import Capture, digest_environment, select_acting_facts
from cxr.environment.kept import Kept
from cxr.records.data_lock import DataLock, write_data_lock
from cxr.records.growing_record import GrowingRecord, tell_time
from cxr.records.manifest import RUN_SCHEMA, Manifest, write_manifest
from cxr.records.recipe import Recipe, digest_recipe
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    LOCK,
    MANIFEST,
    METRICS,
    PACKAGE_LOCK,
    PATCH,
)

_ENDINGS: Final = (
    "doubled_steps",
    "failure",
    "files",
    "manifest_digest",
    "ops_without_deterministic_kernel",
    "trace",
    "trace_digest",
)
"""Fields that a run which was stopped has and one that goes on has not yet."""


@dataclass(kw_only=True)
class RunRecord(GrowingRecord):
    """The manifest of one run while it is being written."""

    def begin(
        self,
        *,
        config: RunConfig,
        lock: DataLock,
        recipe: Recipe,
        weights_origin: dict[str, str] | None,
        environment: Capture,
        patch: Kept,
        package_lock: Kept,
        controls: Controls,
        controls_untaken: list[str],
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a manifest whose status is ``running``, and the inputs.

        Args:
            config: The resolved config.
            lock: The samples.
            recipe: What decides the bits.
            weights_origin: Where given weights come from; None where they were drawn.
            environment: The capture.
            patch: Uncommitted changes of the code, or why they are withheld.
            package_lock: The lock of the packages, likewise.
            controls: Every switch, as read back.
            controls_untaken: A line for each that did not take.
            preprocessing: Fields that say what becomes of an image, with their digest; None or
                empty where no image is decoded.

        Raises:
            StorageError: They cannot be written.
        """
        content = {
            "schema": RUN_SCHEMA,
            "name": config.name,
            "recipe": recipe,
            "recipe_digest": digest_recipe(recipe),
            "config": describe_config(config),
            # The path of the key is left out. That there was one must be known to run it again.
            "pseudonyms": config.data.pseudonym_key is not None,
            "weights_origin": weights_origin,
            **(preprocessing or {}),
            "code": {
                **environment["code"],
                "patch_withheld": patch.withheld,
                "lock_withheld": package_lock.withheld,
            },
            "environment": select_acting_facts(environment, config.determinism),
            "environment_digest": digest_environment(environment, config.determinism),
            "controls": controls,
            "controls_untaken": controls_untaken,
            "libraries": environment["packages"],
            "seeds": _describe_seeds(config),
        }
        self.open(content)
        write_text(self.directory / CONFIG, dump_config(config, self.directory))
        write_bytes(self.directory / ENVIRONMENT, canonical_json(environment) + b"\n")
        write_data_lock(self.directory / DATA_LOCK, lock)
        for name, kept in ((PATCH, patch), (PACKAGE_LOCK, package_lock)):
            if kept.content is not None:
                write_bytes(self.directory / name, kept.content)

    def discard(self) -> None:
        """Remove what `begin` wrote, if anything: a run that never began leaves nothing."""
        for name in (MANIFEST, CONFIG, ENVIRONMENT, DATA_LOCK, PATCH, PACKAGE_LOCK, LOCK):
            (self.directory / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def go_on(self, manifest: Manifest, *, next_step: int) -> None:
        """Take up the manifest of a run that was stopped, and note that it was.

        Raises:
            StorageError: It cannot be written.
        """
        self.manifest = {key: manifest[key] for key in manifest if key not in _ENDINGS}
        before = manifest["volatile"]
        status = manifest["status"]
        stop = {
            "status": status,
            # When a process was killed, nobody wrote down.
            "stopped": before.get("finished") if status != "running" else None,
            "resumed": tell_time(),
            "next_step": next_step,
        }
        stops = [*before.get("interruptions", []), stop]
        self.manifest["status"] = "running"
        ends = {"finished": None, "duration_s": None}
        self.manifest["volatile"] = {**before, **ends, "interruptions": stops}
        write_manifest(self.directory, self.manifest)

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Append an epoch's figures to ``metrics.jsonl``.

        Raises:
            StorageError: They cannot be written.
        """
        path = self.directory / METRICS
        with storage_errors(path), path.open("ab", buffering=0) as stream:
            append_whole(path, cast("io.RawIOBase", stream), canonical_json(line) + b"\n")
            os.fsync(stream.fileno())

    def complete(
        self,
        *,
        outcome: dict[str, str],
        trace: dict[str, Any],
        metrics: dict[str, Any],
        selection: dict[str, Any],
        tally: dict[str, Any],
    ) -> Manifest:
        """Seal the manifest of a run that came to its end.

        Raises:
            StorageError: It cannot be written.
        """
        self.manifest |= {
            "outcome": outcome,
            "outcome_digest": digest_json(outcome),
            "trace": trace,
            "trace_digest": digest_json(trace),
            "metrics": metrics,
            "selection": selection,
            **tally,
        }
        return self.seal("completed")

    def stop(
        self,
        status: str,
        error: BaseException | None,
        *,
        trace: dict[str, Any],
        tally: dict[str, Any],
    ) -> Manifest:
        """Seal the manifest of a run that ended early: ``failed`` or ``interrupted``.

        Raises:
            StorageError: It cannot be written.
        """
        self.note_failure(error)
        self.manifest |= {
            "trace": trace,
            "trace_digest": digest_json(trace),
            **tally,
        }
        return self.seal(status)


def describe_config(config: RunConfig) -> dict[str, dict[str, Any]]:
    """Return every field that is no path, told apart by whether it affects bits at this level."""
    paths = {".".join(map(str, path)) for path in PATH_FIELDS}
    affecting = find_recipe_fields(config)
    flat = {name: value for name, value in flatten_config(config).items() if name not in paths}
    return {
        "recipe": affecting,
        "rest": {name: value for name, value in flat.items() if name not in affecting},
    }


def _describe_seeds(config: RunConfig) -> dict[str, Any]:
    """Return the roots of all streams; those of single ones only where they are given."""
    own = config.list_own_roots()
    described = {"root": config.seed, "generator": GENERATOR, "purposes": PURPOSES}
    return {**described, **({"streams": own} if own else {})}
