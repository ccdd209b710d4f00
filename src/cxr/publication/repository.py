"""What a hub says of a repository: its commits, tags and files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cxr.digests.canonical import PREFIX
from cxr.digests.files import digest_file
from cxr.errors import HubError, UsageError
from cxr.publication.answers import get_json
from cxr.publication.hub import Hub

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_MAX_FILES: Final = 100
OWN_FILES: Final = (".gitattributes",)
"""What a hub puts into a repository itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refs:
    """Names of a repository's commits, as the hub tells them.

    Attributes:
        branches: Branch name → commit.
        tags: Tag name → commit, or an object that stands for it.
    """

    branches: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a commit, as the hub lists it.

    Attributes:
        size_bytes: Its size.
        blob: Git's SHA-1 of it, or of the pointer that stands for a large file.
        sha256: Of a large file its SHA-256, in hexadecimal; None of a small one.
    """

    size_bytes: int
    blob: str
    sha256: str | None

    def describes(self, path: Path) -> bool:
        """Say whether a file here is, to the byte, the one that the hub lists."""
        if self.size_bytes != path.stat().st_size:
            return False
        if self.sha256 is not None:
            return digest_file(path) == f"{PREFIX}{self.sha256}"
        # Small files are git's own: it knows them by SHA-1 over a head and the content.
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return blob.hexdigest() == self.blob


def require_repository_name(repo: str) -> None:
    """Refuse what names no repository.

    Raises:
        UsageError: It is not ``OWNER/NAME``.
    """
    parts = repo.split("/")
    # Source: huggingface_hub.utils.validate_repo_id, which hubs have as well.
    is_odd = "--" in repo or any(part.endswith("-") for part in parts)
    if len(parts) != 2 or is_odd or not all(map(_is_name, parts)):  # noqa: PLR2004 - owner and name
        raise UsageError(
            "that is no name of a repository",
            where=repo,
            hint="name it as OWNER/NAME, of letters, digits and single . _ - between them",
        )


def require_tag_name(tag: str) -> None:
    """Refuse a tag that is no plain name, or that would be taken for a commit.

    Raises:
        UsageError: It is one of them.
    """
    if not _is_name(tag) or is_commit(tag):
        raise UsageError(
            "that is no name of a tag", where=tag, hint="name it as v1.0.0, and not as a commit"
        )


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and ".." not in text and not text.endswith((".", ".git"))


def is_commit(text: str) -> bool:
    """Say whether a text is a whole commit, of 40 digits."""
    return bool(_COMMIT.fullmatch(text))


def load_refs(hub: Hub, repo: str) -> Refs | None:
    """Ask for the branches and tags of a repository; None where there is none that is visible.

    Raises:
        HubError: The hub does not say.
    """
    where = describe_place(hub, repo)
    answer = get_json(hub, f"/api/models/{repo}/refs", where=where, absent=True)
    if answer is None:
        return None
    try:
        return Refs(
            branches={str(one["name"]): _read_commit(one) for one in answer["branches"]},
            tags={str(one["name"]): _read_commit(one) for one in answer["tags"]},
        )
    except (KeyError, TypeError, ValueError):
        raise _explain_nonsense(where) from None


def load_commit(hub: Hub, repo: str, revision: str) -> str:
    """Ask which commit a revision is: itself, or the one that an annotated tag's object names.

    Raises:
        HubError: The hub does not say, or does not have it.
    """
    where = f"{repo}@{revision} at {hub.endpoint}"
    path = f"/api/models/{repo}/revision/{quote(revision, safe='')}"
    answer = get_json(hub, path, where=where)
    found = answer.get("sha") if isinstance(answer, dict) else None
    if not isinstance(found, str) or not is_commit(found):
        raise _explain_nonsense(where)
    return found


def load_files(hub: Hub, repo: str, commit: str) -> dict[str, RemoteFile]:
    """Ask for the files of a commit, by their paths in it.

    Raises:
        HubError: The hub does not say, or there are more than a release has.
    """
    where = f"{repo}@{commit} at {hub.endpoint}"
    answer = get_json(hub, f"/api/models/{repo}/tree/{commit}?recursive=true", where=where)
    if not isinstance(answer, list):
        raise _explain_nonsense(where)
    if len(answer) > _MAX_FILES:
        raise HubError(
            f"the repository has more than {_MAX_FILES} files: that is no release of cxr",
            where=where,
            hint="name a repository of its own",
        )
    try:
        return {str(one["path"]): _read_file(one) for one in answer if one["type"] != "directory"}
    except (KeyError, TypeError, ValueError):
        raise _explain_nonsense(where) from None


def describe_place(hub: Hub, repo: str) -> str:
    """Return how errors name a repository."""
    return f"{repo} at {hub.endpoint}"


def _read_commit(ref: dict[str, Any]) -> str:
    commit = ref["targetCommit"]
    if not isinstance(commit, str) or not is_commit(commit):
        raise ValueError(commit)
    return commit


def _read_file(entry: dict[str, Any]) -> RemoteFile:
    large = entry.get("lfs")
    sha256 = large["oid"] if large is not None else None
    size, blob = entry["size"], entry["oid"]
    if type(size) is not int or size < 0 or not isinstance(blob, str):
        raise ValueError(size)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise ValueError(sha256)
    return RemoteFile(size_bytes=size, blob=blob, sha256=sha256)


def _explain_nonsense(where: str) -> HubError:
    return HubError(
        "the hub's answer is not what a hub says of a repository",
        where=where,
        hint="see that HF_ENDPOINT is a model hub; try again",
    )
