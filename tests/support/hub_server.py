"""A model hub on this machine: what huggingface_hub asks one, and what a bad one does.

Two servers, as on the real hub: the hub itself, and a storage for large files, which is another
host to whoever asks (another port) and must not be told who that is.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from support.hub_state import ATTRIBUTES, LARGE, TOKEN, Files, Hub, Repository, digest_blob


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    name: str
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _begin(self) -> bool:
        """Note a request; return whether it is to be answered as usual."""
        hub, line = self.hub, f"{self.command} {self.path}"
        hub.asked.append((self.name, line, self.headers["Authorization"]))
        length = int(self.headers["Content-Length"] or 0)
        self.content = self.rfile.read(length // 2)
        if length:
            hub.on_half(line)
        self.content += self.rfile.read(length - length // 2) if length else self._read_chunks()
        hub.on_answer(line)
        for part, statuses in hub.statuses.items():
            if part in line and statuses:
                self._fail(statuses.pop(0))
                return False
        for part, page in hub.pages.items():
            if part in line:
                self._send(page)
                return False
        return True

    def _read_chunks(self) -> bytes:
        content = b""
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return content

    def _fail(self, status: int, code: str = "") -> None:
        said = f"refused: {self.headers['Authorization']}" if self.hub.echoes else "refused"
        headers = {"X-Error-Message": said, **({"X-Error-Code": code} if code else {})}
        if self.hub.waits:
            headers["Retry-After"] = str(self.hub.waits)
        self._send(json.dumps({"error": said}).encode(), status=status, headers=headers)

    def _send(
        self, content: bytes, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        if content and self.command == "GET":
            self.hub.on_half(f"GET {self.path}")
        self.wfile.write(content[len(content) // 2 :])

    def _send_json(self, value: Any) -> None:
        self._send(json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    def _send_file(self, name: str, content: bytes, headers: dict[str, str]) -> None:
        how = self.hub.bodies.get(name)
        if how == "truncate":
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif how == "endless":
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(OSError):
                for _ in range(100_000):
                    self.wfile.write(content)
        elif how == "silent":
            time.sleep(3)
            self.close_connection = True
        elif how == "html":
            page = b"<html>Log in to this network.</html>"
            self._send(page, headers={**headers, "Content-Type": "text/html"})
        elif how == "packed":
            self._send(gzip.compress(content), headers={**headers, "Content-Encoding": "gzip"})
        elif how == "flip":
            self._send(bytes([content[0] ^ 1]) + content[1:], headers=headers)
        else:
            self._send(content, headers=headers)


class _HubHandler(_Handler):
    name = "hub"

    def do_GET(self) -> None:
        if not self._begin():
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        api = parts[:2] == ["api", "models"]
        parts = parts[2:] if api else parts
        repository = self._find("/".join(parts[:2]))
        if repository is None:
            return
        what, rest = parts[2], parts[3:]
        if what == "refs":
            self._send_json(
                {
                    "branches": _list_refs("heads", repository.branches),
                    "converts": [],
                    "tags": _list_refs("tags", repository.tags),
                }
            )
            return
        commit = repository.find(rest[0])
        if commit is None:
            self._fail(404, "RevisionNotFound")
        elif what == "revision":
            self._send_json({"id": "/".join(parts[:2]), "sha": commit, "siblings": []})
        elif what == "tree":
            files = repository.commits[commit]
            self._send_json([_describe(name, content) for name, content in files.items()])
        else:
            self._resolve(repository.commits[commit], commit, "/".join(rest[1:]))

    def _resolve(self, files: Files, commit: str, name: str) -> None:
        hub = self.hub
        if name not in files:
            self._fail(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest_blob(files[name])}"', **hub.headers}
        if name.endswith(LARGE) or hub.leads:
            oid = hashlib.sha256(files[name]).hexdigest()
            hub.objects[oid] = files[name]
            place = hub.leads or f"{hub.storage}/objects/{oid}/{name}"
            self._send(b"", status=302, headers={**headers, "Location": place})
        else:
            self._send_file(name, files[name], headers)

    def do_POST(self) -> None:
        if not self._begin():
            return
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._fail(401)
            return
        path = urlsplit(self.path).path.strip("/")
        if path == "api/validate-yaml":
            self._send_json({})
        elif path == "api/repos/create":
            self._create(json.loads(self.content))
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._send_json({"transfer": "basic", "objects": list(map(self._accept, self._oids()))})
        else:
            _, _, owner, name, what, revision = path.split("/")
            repository = self._find(f"{owner}/{name}")
            if repository is not None:
                getattr(self, f"_{what}")(repository, revision)

    def _find(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        is_known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not is_known):
            self._fail(404 if is_known else 401, "RepoNotFound")
            return None
        return repository

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repositories:
            self._fail(409)
            return
        repository = Repository(private=asked.get("visibility") == "private")
        repository.add_commit({".gitattributes": ATTRIBUTES})
        self.hub.repositories[name] = repository
        self._send_json({"url": f"{self.hub.address}/{name}"})

    def _oids(self) -> list[dict[str, Any]]:
        asked = json.loads(self.content)
        assert asked["operation"] == "upload"
        assert asked["hash_algo"] == "sha256"
        objects: list[dict[str, Any]] = asked["objects"]
        return objects

    def _accept(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["oid"] in self.hub.objects:
            return one
        place = f"{self.hub.storage}/objects/{one['oid']}"
        # As on the real hub: the storage takes the file, and is asked once more whether it has it.
        return {
            **one,
            "actions": {"upload": {"href": place}, "verify": {"href": f"{place}/verify"}},
        }

    def _preupload(self, repository: Repository, revision: str) -> None:
        known = repository.commits[repository.find(revision) or ""]
        ignored = known.get(".gitignore", b"").decode().split()
        self._send_json(
            {
                "files": [
                    {
                        "path": one["path"],
                        "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": one["path"] in ignored,
                    }
                    for one in json.loads(self.content)["files"]
                ]
            }
        )

    def _commit(self, repository: Repository, revision: str) -> None:
        lines = [json.loads(line) for line in self.content.splitlines()]
        head = lines.pop(0)["value"]
        now = repository.branches[revision]
        if head.get("parentCommit") not in (None, now):
            self._fail(412)
            return
        files = dict(repository.commits[now])
        for line in lines:
            value = line["value"]
            if line["key"] == "deletedFile":
                del files[value["path"]]
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            else:
                assert (line["key"], value["encoding"]) == ("file", "base64")
                files[value["path"]] = base64.b64decode(value["content"])
        commit = repository.add_commit(files)
        name = "/".join(self.path.split("/")[3:5])
        place = f"{self.hub.address}/{name}/commit/{commit}"
        self._send_json({"commitOid": commit, "commitUrl": place})

    def _tag(self, repository: Repository, revision: str) -> None:
        tag, commit = json.loads(self.content)["tag"], repository.find(revision)
        if tag in repository.tags or commit is None:
            self._fail(409)
            return
        repository.tags[tag] = commit
        self._send_json({})


class _StorageHandler(_Handler):
    name = "storage"

    def do_PUT(self) -> None:
        if self._begin():
            oid = self.path.rpartition("/")[2]
            assert hashlib.sha256(self.content).hexdigest() == oid
            self.hub.objects[oid] = self.content
            self._send(b"")

    def do_POST(self) -> None:
        if self._begin():
            self._send_json({})

    def do_GET(self) -> None:
        if self._begin():
            _, _, oid, name = self.path.split("/")
            self._send_file(name, self.hub.objects[oid], {})


class _Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Take little in advance, so that half of a file that was read is about half of it sent."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        super().server_bind()

    def handle_error(self, *_: object) -> None:
        """Say nothing of those who hang up: they do so where an answer is a bad one."""


def _list_refs(kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
        for name, commit in refs.items()
    ]


def _describe(name: str, content: bytes) -> dict[str, Any]:
    found = {"type": "file", "path": name, "size": len(content), "oid": digest_blob(content)}
    if name.endswith(LARGE):
        oid = hashlib.sha256(content).hexdigest()
        found["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
    return found


@contextlib.contextmanager
def running_hub() -> Iterator[Hub]:
    """Run the hub for the block."""
    hub = Hub()
    with contextlib.ExitStack() as stack:
        for name, handler in (("address", _HubHandler), ("storage", _StorageHandler)):
            kind = type("Handler", (handler,), {"hub": hub})
            server = _Server(("127.0.0.1", 0), kind)
            server.daemon_threads = True
            setattr(hub, name, f"http://127.0.0.1:{server.server_port}")
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        yield hub
