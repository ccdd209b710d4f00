"""The container that this process runs in, if any: its kind, and its image where that is known."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from cxr.digests.canonical import PREFIX
from cxr.environment.system_files import ROOT, read_system_file, system_file_exists

IMAGE_VARIABLE: Final = "CXR_IMAGE_DIGEST"
"""Variable in which whoever starts a container can tell the digest of its image."""

_PODMAN: Final = "run/.containerenv"

_MARKS: Final = {
    # Each program leaves its own. Source: podman-run(1) for the second, the user guide of
    # Apptainer, "Environment and Metadata", for the third, the documentation of Kubernetes,
    # "Access the Kubernetes API from a Pod", for the last.
    ".dockerenv": "docker",
    _PODMAN: "podman",
    ".singularity.d": "apptainer",
    "var/run/secrets/kubernetes.io": "kubernetes",
}

# Source: systemd.io, "The Container Interface".
_TOLD: Final = "run/systemd/container"
_TOLD_KINDS: Final = frozenset(
    {"docker", "lxc", "lxc-libvirt", "podman", "proot", "rkt", "systemd-nspawn", "wsl"}
)

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# Source: podman-run(1), "/run/.containerenv": lines of key="value". Names of the container and of
# its image stand there as well, and may be anybody's: nothing else is read.
_PODMAN_IMAGE: Final = re.compile(r'^imageid="?(?:sha256:)?([0-9a-f]{64})"?$', re.MULTILINE)


def find_container(root: Path = ROOT) -> str | None:
    """Name the kind of container, where its marks are seen.

    Args:
        root: Where the file system begins.
    """
    for mark, kind in _MARKS.items():
        if system_file_exists(root / mark):
            return kind
    told = read_system_file(root / _TOLD).strip()
    return told if told in _TOLD_KINDS else None


def find_container_image(root: Path = ROOT) -> str | None:
    """Return the digest of the container's image as ``sha256:<hex>``, where it can be known.

    A process cannot see the image that it runs in. Whoever starts the container can tell it in
    `IMAGE_VARIABLE`, which goes before what podman tells a privileged container.

    Args:
        root: Where the file system begins.
    """
    told = os.environ.get(IMAGE_VARIABLE)
    if told is not None:
        return told if _DIGEST.fullmatch(told) else None
    found = _PODMAN_IMAGE.search(read_system_file(root / _PODMAN))
    return PREFIX + found[1] if found else None


def image_digest_is_refused() -> bool:
    """Say whether `IMAGE_VARIABLE` is set and holds no digest, so that it is not recorded."""
    told = os.environ.get(IMAGE_VARIABLE)
    return told is not None and _DIGEST.fullmatch(told) is None
