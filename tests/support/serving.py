"""Starting a service in a process of its own, and asking it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.program import DEADLINE_S, build_command, build_environment

BOUNDARY = "cxr-tests-boundary"
WAIT_S = 30
"""An answer that takes longer hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that answers.

    Attributes:
        process: Its process.
        ready: What it printed when it was ready.
        log: The file that its stderr goes to: a pipe that nobody reads would fill.
    """

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.ready["url"].removeprefix("http://").rpartition(":")
        return host, int(port)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send one request on a connection of its own and return its answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=WAIT_S)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return HttpAnswer(status=answer.status, headers=found, body=answer.read())
        finally:
            connection.close()

    def predict(self, *files: tuple[str, bytes], request_id: str = "test") -> HttpAnswer:
        """Ask for predictions of files, each with its name and bytes."""
        headers = {"content-type": form_type(), "x-request-id": request_id}
        return self.ask("POST", "/predict", body=encode_form(files), headers=headers)

    def connect(self) -> socket.socket:
        """Open a connection to send bytes on."""
        return socket.create_connection(self.address, timeout=WAIT_S)

    def read_log(self) -> list[dict[str, Any]]:
        """Return what was logged; every line is a JSON document."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def count_files(self) -> int:
        """Return how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - names are enough

    def find_decoders(self) -> list[int]:
        """Return the processes that it started and that run."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [pid for one in threads for pid in (one / "children").read_text().split()]
        return [int(pid) for pid in children if is_running(int(pid))]

    def read_memory(self) -> int:
        """Return its resident memory in bytes, and that of the process that decodes for it."""
        return sum(_read_memory(pid) for pid in (self.process.pid, *self.find_decoders()))


def is_running(pid: int) -> bool:
    """Say whether a process runs; one that ended and that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def read_variables(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    lines = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
    return dict(line.split("=", maxsplit=1) for line in lines if line)


def _read_memory(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def started_service(
    run: Path,
    log: Path,
    *options: str | Path,
    fault: str = "",
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
) -> Iterator[Service]:
    """Start a service on a free port and wait until it is ready; it is killed after the block.

    Args:
        run: The run directory.
        log: The file that its stderr goes to.
        options: Of ``cxr serve``.
        fault: See `build_command`.
        env: See `build_environment`.
        stderr: A file descriptor instead of ``log``.
    """
    command = build_command("serve", run, "--port", "0", "--json", *options, fault=fault)
    with (
        log.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stream if stderr is None else stderr,
            text=True,
            env=build_environment(env),
        ) as process,
    ):
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            assert lines, log.read_text(encoding="utf-8")
            yield Service(process=process, ready=json.loads("".join(lines)), log=log)
        finally:
            process.kill()
            process.wait(timeout=DEADLINE_S)


def form_type(boundary: str = BOUNDARY) -> str:
    """Return the content-type of a form."""
    return f"multipart/form-data; boundary={boundary}"


def encode_form(
    files: Sequence[tuple[str, bytes]], *, field: str = "image", boundary: str = BOUNDARY
) -> bytes:
    """Return files as the body of a form."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode("utf-8", "surrogateescape")
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def read_answers(
    connection: socket.socket, most: int = 1, *, has_body: bool = True
) -> list[HttpAnswer]:
    """Read answers until there are ``most``, or the connection ends.

    Raises:
        TimeoutError: None came, and it did not end.
        ValueError: What came is no HTTP.
    """
    answers: list[HttpAnswer] = []
    content = b""
    while len(answers) < most:
        while (found := _split_answer(content, has_body=has_body)) is None:
            try:
                piece = connection.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                if content:
                    raise ValueError(content[:200])
                return answers
            content += piece
        answer, content = found
        if answer.status != 100:
            answers.append(answer)
    return answers


def _split_answer(content: bytes, *, has_body: bool) -> tuple[HttpAnswer, bytes] | None:
    """Return the first answer and what stands behind it, None where it is not whole yet."""
    head, separator, rest = content.partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("ascii").split("\r\n")
    if not first.startswith("HTTP/1.1 "):
        raise ValueError(first)
    headers = dict(line.lower().split(": ", 1) for line in lines)
    length = int(headers.get("content-length", "0")) if has_body else 0
    if len(rest) < length:
        return None
    status = int(first.split()[1])
    return HttpAnswer(status=status, headers=headers, body=rest[:length]), rest[length:]
