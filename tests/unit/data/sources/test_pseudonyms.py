from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.config.data_section import DataConfig
from cxr.data.dataset import load_dataset
from cxr.data.decoding.decode import DecodePlan
from cxr.data.sources import pseudonyms
from cxr.data.sources.open import open_source
from cxr.data.sources.pseudonyms import derive_path_pseudonym, derive_pseudonym
from cxr.errors import ConfigError, DataError

SECRET = hashlib.sha256(b"a secret of this test").hexdigest()
NAMES = ("train/A/miller_jane-1.png", "train/B/miller_jane-2.png", "train/B/smith_john-1.png")


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(NAMES):
        file = tmp_path / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 10 + number, dtype=np.uint8)).save(file)
    return tmp_path / "images"


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    return file


def describe(root, key, **fields):
    return DataConfig(
        source="folder",
        root=str(root),
        classes=("A", "B"),
        group_pattern=r"^([a-z_]+)-",
        image_size=8,
        cache_dir=str(Path(root).parent / "cache"),
        pseudonym_key=str(key) if key else None,
        **fields,
    )


class Notes:
    def __init__(self):
        self.heard = []

    def note(self, text):
        self.heard.append(text)

    def advance(self, what, done, total):
        pass


def test_a_name_is_the_keyed_digest_that_openssl_gives():
    wanted = hmac.new(SECRET.encode(), b"path:train/A/x.PNG", "sha256").hexdigest()[:16]
    assert derive_path_pseudonym(SECRET.encode(), "train/A/x.PNG") == f"{wanted}.png"
    if openssl := shutil.which("openssl"):
        said = subprocess.run(
            [openssl, "dgst", "-sha256", "-hmac", SECRET],
            input=b"path:train/A/x.PNG",
            capture_output=True,
            check=True,
        )
        assert wanted.encode() in said.stdout


@pytest.mark.parametrize("path", ["a/1.2.840.113619.2.5.1762583153", "a/x.Smith", "a/x", "a/x."])
def test_a_suffix_that_may_be_a_name_or_a_number_is_not_kept(path):
    assert "." not in derive_path_pseudonym(SECRET.encode(), path)


def test_path_and_patient_of_one_name_have_two_pseudonyms():
    key = SECRET.encode()
    assert derive_pseudonym(key, "path", "x") != derive_pseudonym(key, "group", "x")


def test_nothing_that_a_lock_holds_is_a_real_name(root, key):
    plain = load_dataset(describe(root, None))
    named = load_dataset(describe(root, key))
    text = repr(named.lock)
    assert not any(part in text for part in ("miller", "jane", "smith", "john", "train/"))
    real = {s.sha256: s for s in plain.lock.samples}
    for sample in named.lock.samples:
        was = real[sample.sha256]
        assert (sample.label, sample.split, sample.bytes) == (was.label, was.split, was.bytes)
    groups = [sample.group for sample in sorted(named.lock.samples, key=lambda s: s.sha256)]
    reals = [sample.group for sample in sorted(plain.lock.samples, key=lambda s: s.sha256)]
    assert [groups.index(g) for g in groups] == [reals.index(g) for g in reals]


def test_pixels_stay_with_their_names_and_the_order_is_that_of_the_names(root, key):
    named = load_dataset(describe(root, key))
    paths = [sample.path for sample in named.lock.samples]
    assert paths == sorted(paths)
    source = open_source(describe(root, key))
    plan = DecodePlan(size_px=8, channels=1, resample="bilinear")
    for image, pixels in zip(source.find(), named.images_NHWC, strict=True):
        number = NAMES.index(image.file.relative_to(root).as_posix())
        assert set(np.unique(pixels)) == {10 + number}
        content = source.read(image)
        assert np.array_equal(source.decode(image, content, plan), pixels)
        assert source.inspect([(image, content)])[0].sha256


def test_the_same_key_gives_the_same_names_elsewhere_and_another_key_others(root, key, tmp_path):
    moved = shutil.copytree(root, tmp_path / "elsewhere" / "set")
    other = tmp_path / "other"
    other.write_text(SECRET[::-1])
    names = [
        [image.path for image in open_source(describe(where, what)).find()]
        for where, what in ((root, key), (moved, key), (root, other))
    ]
    assert names[0] == names[1]
    assert not set(names[0]) & set(names[2])


def test_splits_are_those_of_the_real_patients(root, key):
    fields = {"validation_fraction": 0.5, "split_seed": 3}
    plain, named = (
        {image.file: image.split for image in open_source(describe(root, k, **fields)).find()}
        for k in (None, key)
    )
    assert plain == named


def test_two_images_of_one_pseudonym_are_refused(root, key, monkeypatch):
    monkeypatch.setattr(pseudonyms, "NUM_HEX", 0)
    with pytest.raises(DataError, match="two images have the same pseudonym"):
        open_source(describe(root, key)).find()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has 0 bytes"),
        (b"short secret", "has 12 bytes"),
        (b" " * 40, "has 0 bytes"),
        (b"0" * 64, "repeats a few bytes"),
        (b"x" * 5000, "larger"),
    ],
)
def test_a_key_that_can_be_guessed_is_refused(root, key, content, said):
    key.write_bytes(content)
    with pytest.raises((ConfigError, DataError), match=said) as caught:
        open_source(describe(root, key))
    assert caught.value.where == str(key)


def test_a_key_that_is_not_there_is_an_error(root, key):
    key.unlink()
    with pytest.raises(DataError, match="cannot read the key of the pseudonyms: No such file"):
        open_source(describe(root, key))


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such bits")
def test_a_key_that_everybody_can_read_is_worth_a_note(root, key):
    notes = Notes()
    open_source(describe(root, key), progress=notes)
    assert notes.heard == []
    key.chmod(0o644)
    open_source(describe(root, key), progress=notes)
    assert len(notes.heard) == 1
    assert SECRET not in notes.heard[0]


def test_an_image_that_is_a_patient_of_its_own_is_called_by_one_name(root, key):
    config = describe(root, key).model_copy(update={"group_pattern": None})
    found = open_source(config).find()
    assert all(image.group == image.path for image in found)
