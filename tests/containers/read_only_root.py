"""Running the command of an image as an engine would that was told to be strict.

Like ``docker run --read-only --network none --cap-drop ALL --security-opt no-new-privileges``, with
``--tmpfs /tmp``: Linux's own namespaces do it, so that no engine is needed. What an engine does
besides, seccomp and limits of memory and time, is not done.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

DEADLINE_S: Final = 600

_ENTER: Final = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"
for device in null zero full random urandom; do
  mount --bind "/dev/$device" "$root/dev/$device"
done
ip link set lo up
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  mount -o "remount,bind,$3" "$root$2"
  shift 3
done
shift
exec chroot "$root" "$@"
"""
"""Arguments: the root; source, target and mode of each more mount; ``--`` and a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """An image's files, and how to run something in them.

    Attributes:
        root: The files of the image.
        config: What the image says of itself; see `ImageStore.read_config`.
        volumes: Directories outside, by where they appear inside; all else is read-only.
        inputs: Likewise, but these are read-only as well.
        user: User and group, as numbers; that of the image if empty.
    """

    root: Path
    config: Mapping[str, Any]
    volumes: Mapping[str, Path] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    user: str = ""

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its two streams come back together.

        Args:
            command: What is run, in the place of the image's own.
            variables: More environment variables than the image has.
        """
        return subprocess.run(
            self._enter(command, variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    @contextmanager
    def started(self, *command: str) -> Iterator[Service]:
        """Start a command; it is killed at the end, if it has not been stopped before."""
        with tempfile.NamedTemporaryFile() as log:
            # A session of its own: what is sent to it reaches nobody else.
            process = subprocess.Popen(
                self._enter(command, {}), stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield Service(process=process, container=self, log=Path(log.name))
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def drop_privileges(self, command: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        """Return the command line that runs a command inside as the user, without any privilege."""
        user, _, group = (self.user or self.config["User"]).partition(":")
        told = [*self.config["Env"], *(f"{name}={value}" for name, value in variables.items())]
        return [
            *("/usr/bin/setpriv", "--reuid", user, "--regid", group or user, "--clear-groups"),
            *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
            *("/usr/bin/env", "--ignore-environment", f"--chdir={self.config['WorkingDir']}"),
            *(*told, *command),
        ]

    def _enter(self, command: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        for inside in (*self.volumes, *self.inputs):
            # Engines make these as well, before anything is read-only.
            (self.root / inside.removeprefix("/")).mkdir(exist_ok=True)
        mounts = [
            str(word)
            for places, mode in ((self.volumes, "rw"), (self.inputs, "ro"))
            for inside, outside in places.items()
            for word in (outside, inside, mode)
        ]
        return [
            *("unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"),
            *("sh", "-c", _ENTER, "sh", str(self.root), *mounts, "--"),
            *self.drop_privileges(command, variables),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process that runs in a container, the first of its namespace.

    Whatever is asked of one that has ended raises ProcessLookupError.

    Attributes:
        process: That which waits for it outside.
        container: What it runs in.
        log: The file with what it says.
    """

    process: subprocess.Popen[bytes]
    container: Container
    log: Path

    def ask(self, *command: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command beside it, in its namespaces and as its user, as a health check is."""
        return subprocess.run(
            [
                *("nsenter", "--target", str(self._find()), "--all", "--root", "--wd"),
                *self.container.drop_privileges(command, {}),
            ],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )

    def wait_until(self, *command: str, deadline_s: float = 120) -> bool:
        """Repeat a command beside it until that ends with 0; False if it never does."""
        end = time.monotonic() + deadline_s
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < end:
                if self.ask(*command).returncode == 0:
                    return True
                time.sleep(1)
        return False

    def read_log(self) -> str:
        """Return what it has said up to now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def read_peak_bytes(self) -> int:
        """Return how much memory it has used at most."""
        status = Path(f"/proc/{self._find()}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def stop(self, deadline_s: float = 30) -> int:
        """Ask it to end, as engines do, and return its exit code.

        Raises:
            TimeoutExpired: It goes on nonetheless.
        """
        os.kill(self._find(), signal.SIGTERM)
        return self.process.wait(deadline_s)

    def _find(self) -> int:
        """Return the number of the first process in the namespace, as it is seen from outside."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        while self.process.poll() is None:
            if found := children.read_text(encoding="ascii").split():
                return int(found[0])
            time.sleep(0.05)
        raise ProcessLookupError(pid)
