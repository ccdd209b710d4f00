"""Keys are made whole, for their owner alone, and never over anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cxr.attestation.export_keys import load_export_private_key, load_export_public_key
from cxr.attestation.keys import is_open_to_others, load_private_key, load_public_key
from cxr.attestation.new_key import create_key, create_p256_key
from cxr.errors import (
    CxrError,
    ExitCode,
    RecordError,
    RunDirectoryTakenError,
    StorageError,
    UsageError,
)


def ask_nobody(_: Path) -> None:
    """Stand for a process without a terminal."""


def list_modes(directory: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in directory.iterdir()}


def test_a_new_key_is_its_owners_alone_from_the_first_byte_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    modes = []
    link = os.link

    def noted_link(before: Path, after: Path) -> None:
        modes.append((after.name, stat.S_IMODE(before.stat().st_mode)))
        link(before, after)

    monkeypatch.setattr(os, "link", noted_link)
    umask = os.umask(0)
    try:
        key = create_key(tmp_path / "signer.pem", None)
    finally:
        os.umask(umask)
    assert modes == [("signer.pem.pub", 0o644), ("signer.pem", 0o600)]
    assert list_modes(tmp_path) == dict(modes)
    assert not is_open_to_others(tmp_path / "signer.pem")
    read = load_private_key(tmp_path / "signer.pem", ask_nobody)
    assert read.private_bytes_raw() == key.private_bytes_raw()
    public = load_public_key(tmp_path / "signer.pem.pub")
    assert public.public_bytes_raw() == key.public_key().public_bytes_raw()


def test_no_two_new_keys_are_the_same(tmp_path: Path):
    keys = {create_key(tmp_path / name, None).private_bytes_raw() for name in "abc"}
    assert len(keys) == 3


@pytest.mark.parametrize("taken", ["signer.pem", "signer.pem.pub"])
@pytest.mark.parametrize("by", ["file", "directory", "link", "dangling link"])
def test_a_key_is_never_written_over_anything(tmp_path: Path, taken: str, by: str):
    place, elsewhere = tmp_path / taken, tmp_path / "elsewhere"
    if by == "file":
        place.write_bytes(b"mine")
    elif by == "directory":
        place.mkdir()
    else:
        if by == "link":
            elsewhere.write_bytes(b"mine")
        place.symlink_to(elsewhere)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match="something stands where the key would be written"):
        create_key(tmp_path / "signer.pem", None)
    assert sorted(tmp_path.iterdir()) == before
    if by in ("file", "link"):
        assert place.read_bytes() == b"mine"


@pytest.mark.parametrize("fault", [OSError, KeyboardInterrupt])
def test_no_half_of_a_pair_is_left_whatever_stops_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
):
    link = os.link

    def link_public(before: Path, after: Path) -> None:
        if after.suffix != ".pub":
            raise fault
        link(before, after)

    monkeypatch.setattr(os, "link", link_public)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        create_key(tmp_path / "signer.pem", None)
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_not_made_inside_a_record(tmp_path: Path):
    (tmp_path / "manifest.json").touch()
    (tmp_path / "env.json").touch()
    with pytest.raises(RunDirectoryTakenError, match="into another record"):
        create_key(tmp_path / "signer.pem", None)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_key_with_a_password_opens_with_it_alone(tmp_path: Path):
    path = tmp_path / "signer.pem"
    key = create_key(path, b"right")
    assert b"ENCRYPTED" in path.read_bytes()
    assert load_private_key(path, lambda _: b"right").private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(UsageError, match="the password does not open this key"):
        load_private_key(path, lambda _: b"wrong")
    with pytest.raises(UsageError, match="the password does not open this key"):
        load_private_key(path, lambda _: b"")
    with pytest.raises(RecordError, match="no terminal to ask") as caught:
        load_private_key(path, ask_nobody)
    assert caught.value.exit_code is ExitCode.UNCHECKED
    assert "CXR_KEY_PASSWORD" in caught.value.hint


def test_where_no_key_can_be_made_its_own_option_is_named(tmp_path):
    for name in ("manifest.json", "env.json"):
        (tmp_path / name).write_bytes(b"{}")
    for place in (tmp_path / "signer.pem", tmp_path.parent / "nothing" / "signer.pem"):
        with pytest.raises(CxrError) as caught:
            create_key(place, None)
        assert "--new-key" in caught.value.hint
        assert "--out" not in caught.value.hint


@pytest.mark.parametrize("password", [None, b"right"])
def test_a_new_key_on_p256_is_its_owners_and_signs_exports_alone(
    tmp_path: Path, password: bytes | None
):
    path = tmp_path / "signer.pem"
    key = create_p256_key(path, password)
    assert (key.curve.name, stat.S_IMODE(path.stat().st_mode)) == ("secp256r1", 0o600)
    assert (b"ENCRYPTED" in path.read_bytes()) is (password is not None)
    assert load_export_private_key(path, lambda _: password).public_key() == key.public_key()
    assert load_export_public_key(tmp_path / "signer.pem.pub") == key.public_key()
    with pytest.raises(UsageError, match="a private key of another kind than Ed25519"):
        load_private_key(path, lambda _: password)
    with pytest.raises(UsageError, match="something stands where the key would be written"):
        create_p256_key(path, password)
