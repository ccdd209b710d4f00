from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import io
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

from cxr import interruption
from cxr.data.caches import decoded as cache
from cxr.data.caches import looked_with
from cxr.data.caches.decoded import default_cache_directory, derive_cache_key
from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.window import Window
from cxr.data.sources import image_files
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError, Interrupted, StorageError
from cxr.records.data_lock import DataLock, Sample
from support.data_sets import open_folder

PLAN = DecodePlan(size_px=8, channels=1, resample="bilinear")


def draw(number):
    """Encode a picture of its own for each number."""
    stream = io.BytesIO()
    pixels = (np.arange(64).reshape(8, 8) * (2 * number + 1)).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(5):
        (tmp_path / "images" / f"{number}.png").write_bytes(draw(number))
    return tmp_path / "images"


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def lock(root):
    return lock_all(root)


def lock_all(root):
    return DataLock(
        classes=("a",),
        samples=tuple(
            Sample(
                path=file.name,
                bytes=file.stat().st_size,
                sha256=digest_bytes(file.read_bytes()),
                label="a",
                group=file.name,
                split="train",
            )
            for file in sorted(root.iterdir())
        ),
    )


@pytest.fixture
def decoded(monkeypatch):
    """Count the images that are decoded."""
    counted = []

    def counting(content, plan, *, where):
        counted.append(where)
        return decode_image(content, plan, where=where)

    monkeypatch.setattr(image_files, "decode_image", counting)
    return counted


def place_of(directory, lock):
    return directory / derive_cache_key(lock, PLAN)


def test_pixels_are_those_of_each_image_in_the_order_of_the_lock(root, lock, directory):
    backwards = dataclasses.replace(lock, samples=lock.samples[::-1])
    pixels = open_folder(root, backwards, PLAN, directory)
    assert pixels.shape == (5, 8, 8, 1)
    assert pixels.dtype == np.uint8
    for image, sample in zip(pixels, backwards.samples, strict=True):
        content = (root / sample.path).read_bytes()
        assert np.array_equal(image, decode_image(content, PLAN, where="x"))


def test_pixels_cannot_be_written_to(root, lock, directory):
    pixels = open_folder(root, lock, PLAN, directory)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_images_are_decoded_once(root, lock, directory, decoded):
    first = np.array(open_folder(root, lock, PLAN, directory))
    assert len(decoded) == 5
    assert np.array_equal(open_folder(root, lock, PLAN, directory), first)
    assert len(decoded) == 5


def test_the_cache_serves_without_the_images(root, lock, directory):
    first = np.array(open_folder(root, lock, PLAN, directory))
    for file in root.iterdir():
        file.unlink()
    assert np.array_equal(open_folder(root, lock, PLAN, directory), first)


def flip_a_bit(place):
    content = bytearray((place / "pixels.u8").read_bytes())
    content[100] ^= 1
    (place / "pixels.u8").write_bytes(content)


def cut_pixels(place):
    os.truncate(place / "pixels.u8", 100)


def remove_pixels(place):
    (place / "pixels.u8").unlink()


def remove_index(place):
    (place / "index.json").unlink()


def spoil_index(place):
    (place / "index.json").write_bytes(b'{"pixels":')


def empty_index(place):
    (place / "index.json").write_bytes(b"{}")


@pytest.mark.parametrize(
    "damage", [flip_a_bit, cut_pixels, remove_pixels, remove_index, spoil_index, empty_index]
)
def test_a_damaged_cache_is_never_read_and_made_again(root, lock, directory, decoded, damage):
    first = np.array(open_folder(root, lock, PLAN, directory))
    damage(place_of(directory, lock))
    assert np.array_equal(open_folder(root, lock, PLAN, directory), first)
    assert len(decoded) == 10
    assert np.array_equal(open_folder(root, lock, PLAN, directory), first)
    assert len(decoded) == 10


def test_a_cache_that_was_never_finished_is_made_again(root, lock, directory, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_decode_sample", stop)
    with pytest.raises(KeyboardInterrupt):
        open_folder(root, lock, PLAN, directory)
    assert list(place_of(directory, lock).iterdir()) == []
    monkeypatch.undo()
    assert open_folder(root, lock, PLAN, directory).shape == (5, 8, 8, 1)


# A cache that somebody else wrote, writes, or stopped writing


def hold(directory, lock):
    """Hold a cache's lock as another process would."""
    place = place_of(directory, lock)
    place.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(f"{place}.lock")
    held.acquire()
    return held


def test_a_sound_cache_needs_no_lock(root, lock, directory):
    first = np.array(open_folder(root, lock, PLAN, directory))
    held = hold(directory, lock)
    try:
        assert np.array_equal(open_folder(root, lock, PLAN, directory), first)
    finally:
        held.release()


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_where_none_can_be_made_the_hint_names_the_field(root, lock, directory, monkeypatch, error):
    def refuse(*_, **__):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(StorageError, match=f"cannot write: {os.strerror(error)}") as caught:
        open_folder(root, lock, PLAN, directory)
    assert caught.value.where == str(place_of(directory, lock))
    assert "data.cache_dir" in caught.value.hint


def test_a_cache_made_while_the_lock_was_waited_for_is_not_made_again(
    root, lock, directory, decoded, monkeypatch
):
    acquire = filelock.FileLock.acquire

    def wait(self, *arguments, **options):
        monkeypatch.undo()
        open_folder(root, lock, PLAN, directory)
        decoded.append("made by somebody else")
        return acquire(self, *arguments, **options)

    monkeypatch.setattr(filelock.FileLock, "acquire", wait)
    open_folder(root, lock, PLAN, directory)
    assert decoded == ["made by somebody else"]


@contextlib.contextmanager
def held_elsewhere(directory, lock):
    """Hold a cache's lock as another process would, for 5 s at most; yield what releases it."""
    place = place_of(directory, lock)
    place.mkdir(parents=True)
    with Path(f"{place}.lock").open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        last = threading.Timer(5, fcntl.flock, [stream, fcntl.LOCK_UN])
        last.start()
        try:
            yield lambda: fcntl.flock(stream, fcntl.LOCK_UN)
        finally:
            last.cancel()


class Waiting:
    """Does something once it is told that a lock is waited for."""

    def __init__(self, act):
        self.act = act
        self.notes = []

    def advance(self, *_):
        pass

    def note(self, text):
        self.notes.append(text)
        self.act()


def test_whoever_waits_for_another_process_is_told_and_goes_on(root, lock, directory, decoded):
    with held_elsewhere(directory, lock) as release:
        waiting = Waiting(release)
        open_folder(root, lock, PLAN, directory, progress=waiting)
    assert waiting.notes == ["another process decodes these images: waiting for it"]
    assert len(decoded) == 5


def test_a_signal_is_obeyed_while_another_process_decodes(root, lock, directory, monkeypatch):
    monkeypatch.setattr(interruption, "_state", interruption._State())
    before = signal.signal(signal.SIGTERM, interruption._receive)
    try:
        with (
            held_elsewhere(directory, lock),
            interruption.held(),
            pytest.raises(Interrupted, match="SIGTERM") as caught,
        ):
            open_folder(root, lock, PLAN, directory, progress=Waiting(send_signal))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.where == "waiting for the process that decodes the images"


def send_signal():
    signal.raise_signal(signal.SIGTERM)


def test_what_a_killed_process_left_is_removed_when_a_cache_is_made(root, lock, directory):
    own, other = place_of(directory, lock), directory / ("0" * 32)
    remains = [own / ".pixels.u8.1.tmp", other / ".pixels.u8.1.tmp", other / ".index.json.1.tmp"]
    kept = [other / "index.json", other / ".notes.tmp", directory / "mine" / ".mine.tmp"]
    for file in (*remains, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    open_folder(root, lock, PLAN, directory)
    assert [file for file in remains if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []
    assert sorted(file.name for file in own.iterdir()) == ["index.json", "pixels.u8"]


def test_what_another_process_is_writing_is_left_alone(root, lock, directory):
    other = dataclasses.replace(lock, samples=lock.samples[1:])
    held = hold(directory, other)
    try:
        (place_of(directory, other) / ".pixels.u8.1.tmp").write_bytes(b"x")
        open_folder(root, lock, PLAN, directory)
        assert (place_of(directory, other) / ".pixels.u8.1.tmp").exists()
    finally:
        held.release()
    open_folder(root, other, PLAN, directory)
    assert not (place_of(directory, other) / ".pixels.u8.1.tmp").exists()


def test_an_interrupt_does_not_wait_for_many_images(root, directory, decoded, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    for number in range(5, 60):
        (root / f"{number}.png").write_bytes(draw(number))

    class Impatient:
        def advance(self, *_):
            raise KeyboardInterrupt

        def note(self, text):
            raise AssertionError(text)

    with pytest.raises(KeyboardInterrupt):
        open_folder(root, lock_all(root), PLAN, directory, progress=Impatient())
    assert len(decoded) < 10


def test_an_image_that_changed_since_it_was_hashed_is_refused(root, lock, directory):
    (root / "2.png").write_bytes(draw(7))
    with pytest.raises(DataError, match="an image changed while it was being read") as caught:
        open_folder(root, lock, PLAN, directory)
    assert caught.value.where == str(root / "2.png")
    assert list(place_of(directory, lock).iterdir()) == []


def test_a_missing_image_is_refused(root, lock, directory):
    (root / "2.png").unlink()
    with pytest.raises(DataError, match="cannot read an image: No such file"):
        open_folder(root, lock, PLAN, directory)


def test_all_bad_images_are_named_at_once_and_nothing_is_kept(root, directory, monkeypatch):
    monkeypatch.setattr(cache, "_MAX_NAMED", 2)
    for number in (1, 3, 4):
        (root / f"{number}.png").write_bytes(b"no image")
    lock = lock_all(root)
    with pytest.raises(DataError, match="3 images cannot be used") as caught:
        open_folder(root, lock, PLAN, directory)
    lines = [line.strip() for line in caught.value.where.splitlines()]
    assert lines[0].startswith(f"{root / '1.png'}: an image cannot be decoded")
    assert lines[1].startswith(f"{root / '3.png'}: ")
    assert lines[2] == "and 1 more"
    assert list(place_of(directory, lock).iterdir()) == []


def test_more_images_than_wait_at_a_time_stay_in_order(root, lock, directory, monkeypatch):
    whole = np.array(open_folder(root, lock, PLAN, directory))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert np.array_equal(open_folder(root, lock, PLAN, directory / "other"), whole)


# What the name of a cache depends on


@pytest.mark.parametrize(
    "change",
    [
        {"size_px": 9},
        {"channels": 3},
        {"resample": "bicubic"},
        {"window": Window(kind="file")},
    ],
    ids=str,
)
def test_another_plan_has_a_cache_of_its_own(lock, change):
    assert derive_cache_key(lock, dataclasses.replace(PLAN, **change)) != derive_cache_key(
        lock, PLAN
    )


def test_other_bytes_another_order_and_fewer_images_have_caches_of_their_own(lock):
    changed = dataclasses.replace(lock.samples[0], sha256="sha256:other")
    keys = {
        derive_cache_key(dataclasses.replace(lock, samples=samples), PLAN)
        for samples in (
            lock.samples,
            lock.samples[::-1],
            lock.samples[1:],
            (changed, *lock.samples[1:]),
        )
    }
    assert len(keys) == 4


def test_labels_and_splits_share_a_cache(lock):
    moved = tuple(dataclasses.replace(sample, label="b", split="val") for sample in lock.samples)
    assert derive_cache_key(dataclasses.replace(lock, samples=moved), PLAN) == derive_cache_key(
        lock, PLAN
    )


def test_a_decoder_that_decodes_otherwise_has_a_cache_of_its_own(lock, monkeypatch):
    before = derive_cache_key(lock, PLAN)
    monkeypatch.setattr(looked_with, "read_canaries", lambda: {"jpeg_grey": "other"})
    assert derive_cache_key(lock, PLAN) != before


def test_another_version_of_a_decoder_has_a_cache_of_its_own(lock, monkeypatch):
    from PIL import features

    before = derive_cache_key(lock, PLAN)
    monkeypatch.setattr(features, "version", lambda name: f"{name} of another version")
    assert derive_cache_key(lock, PLAN) != before


def test_another_decoder_of_dicom_has_a_cache_of_its_own_whatever_files_are_called(
    lock, monkeypatch, tmp_path
):
    # A file is taken for DICOM by its content, so that its name tells nothing.
    assert {Path(sample.path).suffix for sample in lock.samples} == {".png"}
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "packages")])
    keys = set()
    names = ("pydicom-98.0", "pydicom-98.1", "pylibjpeg_openjpeg-98.0", "pyjpegls-98.0")
    for name in (*names, "imagecodecs-98.0"):
        place = tmp_path / "packages" / f"{name}.dist-info"
        place.mkdir(parents=True)
        keys.add(derive_cache_key(lock, PLAN))
        place.rmdir()
    assert len(keys) == 5
    assert derive_cache_key(lock, PLAN) not in keys


def test_other_code_that_decodes_has_a_cache_of_its_own(lock, monkeypatch, tmp_path):
    package = tmp_path / "cxr"
    shutil.copytree(Path(looked_with.cxr.__file__).parent, package)
    monkeypatch.setattr(looked_with.cxr, "__file__", str(package / "__init__.py"))
    before = derive_cache_key(lock, PLAN)
    # What inspects gives no pixels; a mend there need not decode a set again.
    with (package / "data" / "inspection" / "likeness.py").open("a") as stream:
        stream.write("# mended\n")
    assert derive_cache_key(lock, PLAN) == before
    with (package / "data" / "decoding" / "ramp.py").open("a") as stream:
        stream.write("# mended\n")
    assert derive_cache_key(lock, PLAN) != before


def test_the_users_cache_is_where_the_convention_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_directory() == tmp_path / "xdg" / "cxr" / "decoded"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache_directory() == tmp_path / "home" / ".cache" / "cxr" / "decoded"
    assert default_cache_directory() == Path.home() / ".cache" / "cxr" / "decoded"
    # By the convention a relative path does not count.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_directory() == Path.home() / ".cache" / "cxr" / "decoded"


def test_a_user_without_a_home_is_told_of_the_field(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    with pytest.raises(StorageError, match="the user has no home directory") as caught:
        default_cache_directory()
    assert "data.cache_dir" in caught.value.hint
