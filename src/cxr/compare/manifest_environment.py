"""What a manifest without its directory tells about the environment of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cxr.digests.canonical import digest_json
from cxr.environment.facts import SCHEMA, Capture
from cxr.errors import RecordError
from cxr.records.manifest import Manifest

_GROUPS: Final = (
    *("python", "os", "cpu", "gpu", "numerics", "switches"),
    *("variables", "packages", "origins", "imported", "installed", "arithmetic", "images"),
)
"""Groups with facts that affect bits: only those are in a manifest."""

_ALWAYS: Final = "images.canaries"
"""A fact that affects bits at every level, and that every capture has."""

_CPU_CAPABILITY: Final = "torch.cpu_capability"


def read_manifest_environment(manifest: Manifest, path: Path) -> Capture:
    """Return the facts about an environment that a manifest holds, as a capture.

    Args:
        manifest: It, sealed.
        path: From which file.

    Raises:
        RecordError: It lacks them, or they are not those of its own digest.
    """
    libraries, controls = manifest.get("libraries"), manifest.get("controls")
    if not isinstance(libraries, dict) or not isinstance(controls, dict):
        raise _refuse("the manifest lacks libraries or controls", path)
    facts = _read_controls(controls)
    if "environment" in manifest:
        facts = manifest["environment"]
        if not isinstance(facts, dict) or _ALWAYS not in facts:
            raise _refuse("the manifest holds no environment", path)
        if digest_json(facts) != manifest.get("environment_digest"):
            raise _refuse("the manifest's environment is not the one of its digest", path)
    capture = _unflatten(facts, path)
    if any(libraries.get(name) != found for name, found in capture.get("packages", {}).items()):
        raise _refuse("the manifest's environment has other packages than its libraries", path)
    capture["packages"] = libraries
    return capture


def _read_controls(controls: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that are among the switches as read back, where no others are recorded."""
    facts = {f"variables.{name}": value for name, value in controls.items() if name.isupper()}
    if _CPU_CAPABILITY in controls:
        facts["numerics.cpu_capability"] = controls[_CPU_CAPABILITY]
    return facts


def _unflatten(facts: Mapping[str, Any], path: Path) -> Capture:
    """Return facts by ``group.fact`` as a capture; without a variable there is none."""
    capture: Capture = {"schema": SCHEMA, "variables": {}}
    for dotted, value in facts.items():
        group, _, name = dotted.partition(".")
        if group not in _GROUPS or not name:
            raise _refuse(f"the manifest's environment has no fact {ascii(dotted)[:60]}", path)
        capture.setdefault(group, {})[name] = value
    return capture


def _refuse(problem: str, path: Path) -> RecordError:
    return RecordError(problem, where=str(path), hint="restore it; cxr verify says more")
