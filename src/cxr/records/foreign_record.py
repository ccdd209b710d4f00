"""What every record of others' work has: code, environment and libraries that it ran with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cxr.atomic import write_bytes
from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json, digest_json
from cxr.environment.checkout import Checkout
from cxr.environment.facts import Capture, digest_environment, select_acting_facts
from cxr.records.growing_record import GrowingRecord
from cxr.records.run_directory import ENVIRONMENT, PATCH

NATIVE: Final = Level.STRICT
"""The level whose facts count: whatever is computed, the machine's own kernels do it."""


@dataclass(kw_only=True)
class ForeignRecord(GrowingRecord):
    """The manifest of what cxr does not run itself, while it is being written."""

    def open_with_inputs(
        self,
        content: Mapping[str, Any],
        recipe: Mapping[str, Any],
        *,
        environment: Capture,
        checkout: Checkout,
    ) -> None:
        """Write a manifest whose status is ``running``, the environment and the patch.

        Args:
            content: What this kind of record says besides.
            recipe: Digests of what goes in; that of the code is added.
            environment: Of this process.
            checkout: The code.

        Raises:
            StorageError: They cannot be written.
        """
        whole = {**recipe, "code_digest": checkout.facts["digest"]}
        self.open(
            {
                **content,
                "recipe": whole,
                "recipe_digest": digest_json(whole),
                "code": {**checkout.facts, "patch_withheld": checkout.patch.withheld},
                "recorder": environment["code"],
                "environment": select_acting_facts(environment, NATIVE),
                "environment_digest": digest_environment(environment, NATIVE),
                "libraries": environment["packages"],
            }
        )
        write_bytes(self.directory / ENVIRONMENT, canonical_json(environment) + b"\n")
        if checkout.patch.content is not None:
            write_bytes(self.directory / PATCH, checkout.patch.content)
