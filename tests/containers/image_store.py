"""Images in a store of their own: a base of Debian, the project's images, and their files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BASE_NAME: Final = "docker.io/library/python"
BASE_TAG: Final = "3.13-slim"
"""What the base is called here, as in the documentation. It is Debian's Python, not Docker's."""

_PACKAGES: Final = "python3,python3-venv,python3-pip,ca-certificates"
_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


class BuildError(Exception):
    """A command that had to succeed did not; the text is the end of what it said."""


def call(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        BuildError: It ended with another code than 0.
    """
    ended = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(env or {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ended.returncode:
        said = "\n".join(ended.stdout.splitlines()[-20:])
        raise BuildError(f"{' '.join(map(str, command))}: exit code {ended.returncode}\n{said}")
    return ended.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStore:
    """A place for images that nothing else on the machine sees.

    Attributes:
        place: A directory whose file system carries overlays.
        certificates: The bundle that the network's proxy is trusted by; None for the base's own.
    """

    place: Path
    certificates: Path | None = None

    def buildah(self, *arguments: str | Path) -> str:
        """Run buildah in this store and return what it printed."""
        temporary = self.place / "tmp"
        temporary.mkdir(exist_ok=True)
        store = ("--root", self.place / "root", "--runroot", self.place / "run")
        return call(
            *("buildah", *store, "--storage-driver", "overlay", *arguments),
            # Its caches of packages lie there as well, and go with the store.
            env={"TMPDIR": str(temporary)},
        )

    def make_base(self, suite: str, mirror: str) -> str:
        """Make the base from Debian's packages and return its reference by digest.

        Args:
            suite: Debian's name of a release.
            mirror: Where its packages are.
        """
        container = self.buildah("from", "scratch").strip()
        with self._mounted_container(container) as root:
            call("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, root, mirror)
        # As Docker's own images of Python have it.
        self.buildah("config", "--env", f"PATH={_PATH}", "--cmd", "python3", container)
        name = f"{BASE_NAME}:{BASE_TAG}"
        self.buildah("commit", "--format", "docker", "--quiet", container, name)
        self.buildah("rm", container)
        return f"{BASE_NAME}@{self.read_digest(name)}"

    def build(self, target: str, context: Path, arguments: Mapping[str, str]) -> str:
        """Build a stage of the project's Dockerfile and return the image's name.

        Args:
            target: The stage.
            context: The directory that is sent to the build.
            arguments: Build arguments by name.

        Raises:
            BuildError: The build failed.
        """
        name = f"localhost/cxr-{target}"
        options = [
            word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")
        ]
        if self.certificates:
            options += ["--secret", f"id=ca.crt,src={self.certificates}"]
        self.buildah(
            *("build", "--isolation", "chroot", "--format", "docker", "--layers"),
            # Only Docker's format has health checks. What is not in the store is not looked for.
            *("--pull-never", "--target", target, "--tag", name, *options, context),
        )
        return name

    def read_digest(self, name: str) -> str:
        """Return the digest of an image's manifest: ``sha256:<hex>``."""
        return str(self._inspect(name)["FromImageDigest"])

    def read_config(self, name: str) -> dict[str, Any]:
        """Return what an image says of itself: its user, labels, variables and health check."""
        config: dict[str, Any] = self._inspect(name)["Docker"]["config"]
        return config

    def read_size_bytes(self, name: str) -> int:
        """Return how many bytes the files of an image have."""
        with self.mounted(name) as root:
            return int(call("du", "--summarize", "--bytes", root).split()[0])

    @contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """Give the files of an image, in a container that is removed afterwards."""
        container = self.buildah("from", "--pull-never", name).strip()
        try:
            with self._mounted_container(container) as root:
                yield root
        finally:
            self.buildah("rm", container)

    def run(self, name: str, command: Sequence[str]) -> str:
        """Run a command in a new container as the image's own user, and return what it printed."""
        container = self.buildah("from", "--pull-never", name).strip()
        try:
            return self.buildah("run", "--isolation", "chroot", container, "--", *command)
        finally:
            self.buildah("rm", container)

    def remove(self) -> None:
        """Remove the store and all that is in it."""
        for words in (("umount", "--all"), ("rm", "--all"), ("rmi", "--all", "--force")):
            try:
                self.buildah(*words)
            except BuildError as error:
                sys.stderr.write(f"while cleaning up: {error}\n")
        shutil.rmtree(self.place)

    def _inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", name))
        return found

    @contextmanager
    def _mounted_container(self, container: str) -> Iterator[Path]:
        root = Path(self.buildah("mount", container).strip())
        try:
            yield root
        finally:
            self.buildah("umount", container)
