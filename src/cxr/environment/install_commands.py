"""Commands that install one package again, and leave every other one as it is."""

from __future__ import annotations

import shlex


def derive_pin(name: str, version: object) -> str:
    """Return a package in one version, as an installer's command line names it."""
    return shlex.quote(f"{name}=={version}")


def derive_reinstall(name: str, version: object, *, locked: bool) -> str:
    """Return the command that installs a package again.

    ``--reinstall`` alone would install again, and perhaps in other versions, all that the package
    needs.

    Args:
        name: The package.
        version: The one that is to be there.
        locked: Whether a ``uv.lock`` governs the environment, and has the package in this version.
    """
    if locked:
        return f"uv sync --reinstall-package {shlex.quote(name)}"
    again = f"uv pip install --reinstall-package {shlex.quote(name)} --no-deps"
    return f"{again} {derive_pin(name, version)}"
