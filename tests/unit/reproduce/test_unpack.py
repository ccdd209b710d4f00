from __future__ import annotations

import json
import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from cxr.digests.canonical import digest_bytes
from cxr.errors import RecordError, StorageError
from cxr.reproduce import unpack
from cxr.reproduce.record import open_record
from cxr.reproduce.unpack import unpack_run

CONTENT = b"one line\n"


def write_pack(path: Path, entries: dict[str, bytes], **stated: dict[str, object]) -> Path:
    """Write a packed run whose entries are stated as they are, but for ``stated``."""
    index = {
        name: {"bytes": len(content), "sha256": digest_bytes(content)}
        for name, content in entries.items()
    }
    for name, changes in stated.items():
        index[name] |= changes
    head = json.dumps({"schema": "cxr.pack/1", "entries": index})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack.json", head)
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def refuse(path: Path, place: Path) -> str:
    """Return why a packed run is refused, once nothing is left of it."""
    with pytest.raises(RecordError) as caught:
        unpack_run(path, place)
    assert not place.exists()
    assert caught.value.where == str(path)
    return caught.value.problem


def test_everything_is_written_as_it_was(tmp_path: Path):
    entries = {"manifest.json": b"{}", "source/cxr/__init__.py": CONTENT, "metrics.jsonl": b""}
    unpack_run(write_pack(tmp_path / "a.zip", entries), tmp_path / "out")
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    index = json.loads(written.pop("pack.json"))
    assert index["entries"].keys() == entries.keys()
    assert written == entries


def test_an_index_that_names_another_manifest_is_refused(tmp_path: Path):
    manifest = json.dumps({"manifest_digest": "sha256:0"}).encode()
    path = write_pack(tmp_path / "a.zip", {"manifest.json": manifest})
    assert "names another manifest" in refuse(path, tmp_path / "out")
    path = write_pack(tmp_path / "b.zip", {"metrics.jsonl": b""})
    assert "holds no manifest" in refuse(path, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no end", b"no archive"])
def test_an_archive_that_was_cut_short_is_said_to_be_damaged(tmp_path: Path, content: bytes):
    path = tmp_path / "a.cxr.zip"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="it is damaged"):
        open_record(path, place=tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "inner/../../outside",
        "/outside",
        "//outside",
        "C:/outside",
        "c:outside",
        "..\\outside",
        "inner\\..\\..\\outside",
        "./plain",
        "inner//plain",
        "inner/",
        "a\nb",
        "a\x1b[2Jb",
    ],
)
def test_a_name_that_is_not_plain_is_refused(tmp_path: Path, name: str):
    (tmp_path / "deep").mkdir()
    path = write_pack(tmp_path / "a.zip", {name: CONTENT})
    problem = refuse(path, tmp_path / "deep" / "out")
    assert "would leave the directory" in problem or "no regular file" in problem
    assert {entry.name for entry in tmp_path.rglob("*")} == {"a.zip", "deep"}
    assert problem.isprintable()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_a_link_or_a_device_is_refused(tmp_path: Path, kind: int):
    path = tmp_path / "a.zip"
    entry = zipfile.ZipInfo("code.patch")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    target = b"/etc/passwd"
    head = {"code.patch": {"bytes": len(target), "sha256": digest_bytes(target)}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pack.json", json.dumps({"schema": "cxr.pack/1", "entries": head}))
        archive.writestr(entry, target)
    assert "is a link, or no regular file" in refuse(path, tmp_path / "out")


def test_an_entry_that_grows_beyond_its_stated_size_is_stopped(tmp_path: Path):
    """The archive's own directory lies too, as a bomb's does."""
    path = write_pack(
        tmp_path / "a.zip", {"tensors.bin": os.urandom(50_000)}, **{"tensors.bin": {"bytes": 10}}
    )
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    # Uncompressed size, in the last entry of the central directory.
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    problem = refuse(path, tmp_path / "out")
    assert problem.startswith("the packed run is refused: ")


def test_reading_stops_at_the_stated_size(tmp_path: Path):
    class Endless:
        num_read = 0

        def read(self, size: int) -> bytes:
            self.num_read += size
            return bytes(size)

    source = Endless()
    with (tmp_path / "out").open("wb") as stream, pytest.raises(RecordError) as caught:
        unpack._copy(source, stream, 3_000_000, "bomb", tmp_path / "a.zip")
    assert "grows beyond its stated size" in caught.value.problem
    assert source.num_read <= 4_000_000


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"bytes": 8}, "is not of the size that it states"),
        ({"bytes": 10}, "is not of the size that it states"),
        ({"sha256": "sha256:0"}, "has another digest than it states"),
        ({"bytes": True}, "states no sizes and digests"),
        ({"bytes": -1}, "states no sizes and digests"),
        ({"sha256": None}, "states no sizes and digests"),
    ],
)
def test_an_entry_that_is_not_as_stated_is_refused(tmp_path: Path, stated, problem):
    path = write_pack(tmp_path / "a.zip", {"ledger.jsonl": CONTENT}, **{"ledger.jsonl": stated})
    assert problem in refuse(path, tmp_path / "out")


def test_an_entry_that_nobody_states_is_refused(tmp_path: Path):
    path = write_pack(tmp_path / "a.zip", {"ledger.jsonl": CONTENT})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("uv.lock", CONTENT)
    assert "its entries are not those that it states: 'uv.lock'" in refuse(path, tmp_path / "out")


def test_two_entries_of_one_name_are_refused(tmp_path: Path):
    path = write_pack(tmp_path / "a.zip", {"ledger.jsonl": CONTENT})
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("ledger.jsonl", b"another\n")
    assert "two entries have one name" in refuse(path, tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "LEDGER.jsonl",
        "source/cxr/__pycache__/a.cpython-313.pyc",
        "source/cxr/a.so",
        "source/other/a.py",
        "source/cxr/a b.py",
        "checkpoints/step-1.safetensors",
        "sitecustomize.py",
    ],
)
def test_an_entry_that_no_packed_run_has_is_refused(tmp_path: Path, name: str):
    """Python would take bytecode or a compiled module before the source that is digested."""
    path = write_pack(tmp_path / "a.zip", {name: CONTENT})
    assert f"the entry {name!r} belongs to no packed run" in refuse(path, tmp_path / "out")


def test_an_entry_that_was_made_to_grow_is_refused_before_it_does(tmp_path: Path):
    path = write_pack(tmp_path / "a.zip", {"tensors.bin": bytes(5_000_000)})
    assert "would grow more than 100-fold" in refuse(path, tmp_path / "out")


def test_a_damaged_archive_is_refused(tmp_path: Path):
    path = write_pack(tmp_path / "a.zip", {"ledger.jsonl": bytes(range(256)) * 64})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") - 40] ^= 0xFF
    path.write_bytes(content)
    assert "the packed run is refused" in refuse(path, tmp_path / "out")


@pytest.mark.parametrize("head", [b"", b"[]", b"{", b'{"schema": "cxr.pack/2"}'])
def test_an_index_that_cannot_be_read_is_refused(tmp_path: Path, head: bytes):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pack.json", head)
    assert refuse(path, tmp_path / "out")


def test_a_zip_file_of_something_else_is_refused(tmp_path: Path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", CONTENT)
    assert refuse(path, tmp_path / "out") == "not a packed run: it holds no pack.json"


def test_what_the_disk_cannot_hold_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_pack(tmp_path / "a.zip", {"ledger.jsonl": CONTENT})
    usage = type("Usage", (), {"free": 3})
    monkeypatch.setattr(unpack.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="states 9 bytes, and 3 are free") as caught:
        unpack_run(path, tmp_path / "out")
    # It is unpacked beside nothing that an option names.
    assert "TMPDIR" in caught.value.hint
    assert not (tmp_path / "out").exists()
