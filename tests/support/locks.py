"""Small lock files, in uv's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

INDEX = "https://packages.invalid/simple"
HASH = f"sha256:{'a' * 64}"


def write_lock(
    path: Path,
    packages: Mapping[str, str],
    *,
    needs: Sequence[str] | None = None,
    more: str = "",
) -> Path:
    """Write the lock of a project ``mine`` and return its path.

    Args:
        path: The file.
        packages: Versions by name, all from an index.
        needs: Lines of the project's dependencies; None: all packages.
        more: Further text, in TOML: first of the project's table, then of other packages.
    """
    wanted = [f'{{ name = "{name}" }}' for name in packages] if needs is None else needs
    text = (
        'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n'
        '[[package]]\nname = "mine"\nversion = "0.1.0"\nsource = { editable = "." }\n'
        f"dependencies = [{', '.join(wanted)}]\n{more}\n"
    )
    for name, version in packages.items():
        text += (
            f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n'
            f'source = {{ registry = "{INDEX}" }}\n'
            f'wheels = [{{ url = "{INDEX}/{name}.whl", hash = "{HASH}" }}]\n'
        )
    path.write_text(text, encoding="utf-8")
    return path
