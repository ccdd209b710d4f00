"""The record of a training loop that belongs to somebody else: Lightning's, a Trainer's, your own.

It has the ledger of a run of cxr, and a manifest that claims less: there is no level, since nobody
set the switches, and no data lock, since nobody looked at the images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxr.atomic import write_bytes
from cxr.determinism.controls import Controls
from cxr.digests.canonical import canonical_json, digest_json
from cxr.environment.checkout import Checkout
from cxr.environment.facts import Capture
from cxr.records.foreign_record import ForeignRecord
from cxr.records.manifest import LOOP_SCHEMA, Manifest
from cxr.records.run_directory import LOOP_CONFIG


@dataclass(kw_only=True)
class LoopRecord(ForeignRecord):
    """The manifest of somebody else's training while it is being written."""

    def begin(
        self,
        *,
        name: str,
        framework: Mapping[str, str],
        config: Mapping[str, Any],
        seed: int | None,
        environment: Capture,
        checkout: Checkout,
        controls: Controls,
        unlike_strict: list[str],
        not_recorded: Mapping[str, str],
    ) -> None:
        """Write a manifest whose status is ``running``, and the inputs.

        Args:
            name: Of the record.
            framework: ``name`` and ``version`` of whose loop it is.
            config: Hyperparameters by dotted name, as values that JSON can hold.
            seed: The root seed that `cxr.seed_everything` was given; None if it was not called.
            environment: Of this process.
            checkout: The code of the program.
            controls: Every switch as read back.
            unlike_strict: A line for each switch that is not as ``strict`` would have it.
            not_recorded: What the framework does not give, by part, and why.

        Raises:
            StorageError: They cannot be written.
        """
        self.open_with_inputs(
            {
                "schema": LOOP_SCHEMA,
                "name": name,
                "framework": dict(framework),
                "config": {"recipe": dict(config)},
                "controls": controls,
                "controls_unlike_strict": unlike_strict,
                "not_recorded": dict(not_recorded),
            },
            {"config_digest": digest_json(dict(config)), "seed": seed},
            environment=environment,
            checkout=checkout,
        )
        write_bytes(self.directory / LOOP_CONFIG, canonical_json(dict(config)) + b"\n")

    def end(
        self,
        status: str,
        error: BaseException | None = None,
        *,
        trace: Mapping[str, Any],
        outcome: Mapping[str, str] | None,
        metrics: Mapping[str, float | None],
        not_recorded: Mapping[str, str],
    ) -> Manifest:
        """Seal the manifest.

        Args:
            status: ``completed``, ``failed`` or ``interrupted``.
            error: What ended it early.
            trace: As the ledger describes it.
            outcome: ``weights_digest``; None where it did not complete.
            metrics: The framework's own figures, by name.
            not_recorded: What was found out about that since `begin`.

        Raises:
            StorageError: It cannot be written.
        """
        self.note_failure(error)
        self.manifest |= {"trace": dict(trace), "trace_digest": digest_json(dict(trace))}
        self.manifest["not_recorded"] = {**self.manifest["not_recorded"], **not_recorded}
        self.manifest["metrics"] = dict(metrics)
        if outcome is not None:
            self.manifest |= {
                "outcome": dict(outcome),
                "outcome_digest": digest_json(dict(outcome)),
            }
        return self.seal(status)
