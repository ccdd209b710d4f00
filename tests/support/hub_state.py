"""What a model hub of this machine holds, what it was asked, and how it misbehaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN = "hf_" + "plantedTokenThatNobodyMaySee0123456789"
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
LARGE = (".safetensors", ".onnx")

Files = dict[str, bytes]


@dataclass
class Repository:
    """A repository of the hub: commits with their files, and names for them.

    An annotated tag is an object of its own, which stands for a commit: ``annotations``.
    """

    private: bool
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    def add_commit(self, files: Files, *, branch: str | None = "main") -> str:
        parent = self.branches.get("main", "")
        blobs = sorted((name, digest_blob(content)) for name, content in files.items())
        commit = digest_blob(json.dumps([parent, len(self.commits), blobs]).encode())
        self.commits[commit] = files
        if branch:
            self.branches[branch] = commit
        return commit

    def find(self, revision: str) -> str | None:
        known = {**self.branches, **self.tags, **{one: one for one in self.commits}}
        found = known.get(revision, revision)
        commit = self.annotations.get(found, found)
        return commit if commit in self.commits else None


@dataclass
class Hub:
    """The hub's state, what it was asked, and how it misbehaves.

    Attributes:
        address: Of the hub.
        storage: Of the storage.
        repositories: By name.
        objects: Large files by SHA-256.
        asked: Each request: ``hub`` or ``storage``, its first line, and its Authorization.
        statuses: Part of a request's first line → statuses that its next answers have.
        on_answer: Called with the first line before it is answered.
        on_half: Called with the first line when half of what is sent, or answered, is through.
        bodies: File name → what is done with an answer's body: ``truncate``, ``endless``,
            ``silent``, ``html``, ``packed``, or ``flip`` a bit of it.
        pages: Part of a request's first line → the content of its answer, whatever was asked.
        headers: Put into answers to downloads.
        waits: Seconds after which an answer of ``statuses`` says to come back.
        echoes: Whether errors repeat the token that they were asked with.
        leads: Where downloads are redirected to, if anywhere.
    """

    address: str = ""
    storage: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: Files = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    on_answer: Callable[[str], None] = lambda _: None
    on_half: Callable[[str], None] = lambda _: None
    bodies: dict[str, str] = field(default_factory=dict)
    pages: Files = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    waits: int = 0
    echoes: bool = False
    leads: str = ""

    def list_asked(self, part: str) -> list[str]:
        """Return the requests with this in their first line."""
        return [line for _, line, _ in self.asked if part in line]

    def forget(self) -> None:
        """Behave again, and forget what was asked."""
        fresh = Hub()
        for name in fresh.__dict__.keys() - {"address", "storage", "repositories", "objects"}:
            setattr(self, name, getattr(fresh, name))

    @property
    def environment(self) -> dict[str, str]:
        """What a process is given so that it speaks to this hub."""
        return {
            "HF_ENDPOINT": self.address,
            "HF_TOKEN": TOKEN,
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


def digest_blob(content: bytes) -> str:
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
