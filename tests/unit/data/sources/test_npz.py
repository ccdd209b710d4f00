from __future__ import annotations

import contextlib
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cxr.config.data_section import DataConfig
from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.labels import require_known_labels
from cxr.data.sources import npz, npz_arrays
from cxr.data.sources.npz import NpzSource
from cxr.data.sources.scan import hash_samples
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError

CLASSES = ("normal", "pneumonia")
HEAD = b"8 8 |u1\n"
PLAN = DecodePlan(size_px=8, channels=1, resample="bilinear")


def draw(**changes):
    """Return arrays in MedMNIST's layout: 6, 2 and 3 images of 8 x 8."""
    generator = np.random.default_rng(0)
    arrays = {}
    for split, num in (("train", 6), ("val", 2), ("test", 3)):
        arrays[f"{split}_images"] = generator.integers(0, 256, (num, 8, 8)).astype(np.uint8)
        arrays[f"{split}_labels"] = (np.arange(num)[:, None] % 2).astype(np.uint8)
    return {**arrays, **changes}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "set.npz"


def open_npz(file, classes=CLASSES):
    return NpzSource(DataConfig(source="npz", root=str(file), classes=classes))


def use(file, classes):
    """Find, read and decode everything."""
    source = open_npz(file, classes)
    found = source.find()
    require_known_labels(found, classes)
    for image in found:
        source.decode(image, source.read(image), PLAN)


def refuse(file, classes=CLASSES):
    """Return the error of using a file."""
    with pytest.raises(DataError) as caught:
        use(file, classes)
    assert caught.value.where
    return caught.value.problem


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_row_is_a_sample_with_its_pixels_and_label(file, save):
    arrays = draw()
    save(file, **arrays)
    source = open_npz(file)
    found = source.find()
    assert [image.path for image in found[:4]] == [
        "test/0000000",
        "test/0000001",
        "test/0000002",
        "train/0000000",
    ]
    assert found == sorted(found, key=lambda image: (image.split, image.path))
    for image in found:
        row = int(image.path.rpartition("/")[2])
        pixels = arrays[f"{image.split}_images"][row]
        content = source.read(image)
        assert content == HEAD + pixels.tobytes()
        assert np.array_equal(source.decode(image, content, PLAN)[:, :, 0], pixels)
        assert image.label == CLASSES[row % 2]
        assert image.group == image.path


def test_colour_becomes_grey_and_another_size_as_it_does_from_a_file(file):
    images = np.random.default_rng(1).integers(0, 256, (6, 20, 12, 3)).astype(np.uint8)
    np.savez(file, **draw(train_images=images))
    source = open_npz(file)
    image = next(one for one in source.find() if one.path == "train/0000004")
    buffer = io.BytesIO()
    Image.fromarray(images[4]).save(buffer, format="PNG")
    for channels in (1, 3):
        plan = DecodePlan(size_px=16, channels=channels, resample="bicubic")
        found = source.decode(image, source.read(image), plan)
        assert np.array_equal(found, decode_image(buffer.getvalue(), plan, where="x"))


def test_a_last_axis_of_one_is_grey(file):
    arrays = draw()
    np.savez(file, **{**arrays, "train_images": arrays["train_images"][..., None]})
    source = open_npz(file)
    image = source.find()[3]
    assert source.inspect([(image, source.read(image))])[0].mode == "L"
    decoded = source.decode(image, source.read(image), PLAN)
    assert np.array_equal(decoded[:, :, 0], arrays["train_images"][0])


@pytest.mark.parametrize("shape", [(4, 16), (16, 4)])
def test_the_same_bytes_in_another_shape_are_other_bytes_for_records(file, shape):
    arrays = draw()
    np.savez(file, **arrays)
    source = open_npz(file)
    image = source.find()[3]
    as_it_was = source.read(image)
    np.savez(file, **{**arrays, "train_images": arrays["train_images"].reshape(-1, *shape)})
    other = open_npz(file)
    content = other.read(image)
    assert content != as_it_was
    (look,) = other.inspect([(image, content)])
    (before,) = source.inspect([(image, as_it_was)])
    assert (look.height, look.width) == shape
    assert look.sha256 == digest_bytes(content) != before.sha256
    assert hash_samples(other, [image]).samples[0].sha256 == look.sha256


def test_colours_and_a_last_axis_of_one_are_told_apart_from_grey(file):
    values = np.random.default_rng(3).integers(0, 256, (6, 6, 8)).astype(np.uint8)
    heads = {}
    for shape in ((6, 8), (6, 8, 1), (2, 8, 3)):
        np.savez(file, **draw(train_images=values.reshape(6, *shape)))
        source = open_npz(file)
        heads[shape] = source.read(source.find()[3]).partition(b"\n")[0]
    assert list(heads.values()) == [b"6 8 |u1", b"6 8 |u1", b"2 8 3 |u1"]


def test_a_look_says_size_and_digests_and_that_a_picture_is_constant(file):
    arrays = draw()
    arrays["train_images"][0] = 7
    np.savez(file, **arrays)
    source = open_npz(file)
    looks = source.inspect([(image, source.read(image)) for image in source.find()])
    assert {(look.width, look.height, look.mode, look.num_bytes) for look in looks} == {
        (8, 8, "L", len(HEAD) + 64)
    }
    assert [look.findings for look in looks].count((("constant", "every value is 7"),)) == 1
    assert looks[3].findings
    assert len({look.pixels for look in looks}) == len(looks)


def test_several_labels_are_columns_of_zeros_and_ones(file):
    labels = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]])
    others = {"val_labels": np.zeros((2, 3), int), "test_labels": np.zeros((3, 3), int)}
    np.savez(file, **draw(train_labels=np.asfortranarray(labels), **others))
    found = open_npz(file, ("A", "B", "C")).find()
    texts = [image.label for image in found if image.split == "train"]
    assert texts == ["-", "A|C", "B", "A|B|C", "C", "A"]


def test_splits_that_are_not_there_are_empty(file):
    arrays = {name: value for name, value in draw().items() if name.startswith("train")}
    np.savez(file, **arrays)
    assert {image.split for image in open_npz(file).find()} == {"train"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train_images": np.zeros((6, 8, 8))}, "train_images is float64 of shape (6, 8, 8)"),
        ({"train_images": np.zeros((6, 8), np.uint8)}, "train_images is uint8 of shape (6, 8)"),
        (
            {"train_images": np.zeros((6, 8, 8, 8), np.uint8)},
            "train_images is uint8 of shape (6, 8, 8, 8)",
        ),
        ({"train_images": np.zeros((6, 0, 8), np.uint8)}, "an image has from 1 to"),
        ({"train_images": np.zeros((6, 8, 9), np.uint8, order="F")}, "column-major order"),
        ({"val_labels": np.zeros((3, 1), int)}, "2 rows of val_images, 3 of val_labels"),
        ({"val_labels": np.zeros((2, 1))}, "val_labels is float64 of shape (2, 1)"),
        ({"val_labels": np.zeros((2, 3), int)}, "val_labels has 3 labels for each image"),
        ({"val_labels": np.array([["x"], None], dtype=object)}, "holds Python objects"),
        ({"train_labels": np.array([[0], [1], [2], [0], [-1], [0]])}, "the labels of 2 samples"),
        ({"val_labels": np.array([[0, 2], [1, 1]])}, "the labels of 1 samples"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(file, changes, problem):
    np.savez(file, **draw(**changes))
    assert problem in refuse(file)


def test_an_array_that_is_missing_is_named(file):
    arrays = draw()
    np.savez(file, **{name: value for name, value in arrays.items() if name != "val_labels"})
    assert refuse(file) == "the npz file lacks val_labels"
    np.savez(file, **{name: value for name, value in arrays.items() if "val" in name})
    assert refuse(file) == "the npz file has no train_images and train_labels"


def test_what_is_no_file_is_refused(file, tmp_path):
    assert refuse(file) == "no such data set"
    assert refuse(tmp_path) == "the data set is not a file"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keep", [0.3, 0.95, 0.999])
def test_a_file_that_was_cut_short_is_refused(file, save, keep):
    save(file, **draw())
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])
    assert "the npz file cannot be read" in refuse(file)


def test_any_byte_of_an_arrays_head_may_be_another(file):
    np.savez(file, **draw())
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo("train_images.npy")
        start = content.index(b"\x93NUMPY", info.header_offset)
    for place in range(start, start + 128):
        for value in b" ({\x00\\'9":
            changed = bytearray(content)
            changed[place] = value
            file.write_bytes(changed)
            if bytes(changed) != content:
                refuse(file)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ["train_images.npy", "train_labels.npy"])
def test_a_byte_that_changed_is_found(file, save, name):
    # Large enough that reading a header does not read, and check, the values as well.
    images = np.random.default_rng(2).integers(0, 256, (6, 90, 90)).astype(np.uint8)
    save(file, **draw(train_images=images))
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(name)
        later = [
            i.header_offset for i in archive.infolist() if i.header_offset > info.header_offset
        ]
    content = bytearray(file.read_bytes())
    content[min(later) - 20] ^= 1
    file.write_bytes(content)
    assert "the npz file cannot be read" in refuse(file)


def test_a_compressed_array_that_is_too_large_is_not_unpacked(file, monkeypatch):
    np.savez_compressed(file, **draw(train_images=np.zeros((6, 100, 100), np.uint8)))
    monkeypatch.setattr(npz_arrays, "MAX_UNPACKED_BYTES", 59_999)
    assert "train_images unpacks to 60,000 bytes, of which 59,999" in refuse(file)
    monkeypatch.setattr(npz_arrays, "MAX_LOADED_BYTES", 1)
    assert "labels unpacks to" in refuse(file)


@pytest.mark.parametrize("claim", ["(6, 900000, 900000)", "(6, 8, 7)", "(6, 8, 9)"])
def test_a_shape_that_its_values_do_not_fill_is_refused(file, claim):
    arrays = draw()
    np.savez(file, **{name: value for name, value in arrays.items() if name != "train_images"})
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, arrays["train_images"])
    head = b"(6, 8, 8), }" + b" " * 20
    assert head in buffer.getvalue()
    lying = buffer.getvalue().replace(head, f"{claim}, }}".encode().ljust(len(head)))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", lying)
    assert "bytes of its shape" in refuse(file)


def test_threads_that_come_together_unpack_an_array_once(file, monkeypatch):
    arrays = draw()
    np.savez_compressed(file, **arrays)
    source = open_npz(file)
    found = [image for image in source.find() if image.split == "train"]
    together = threading.Barrier(2)
    unpacked = []

    def unpack(header):
        unpacked.append(header.name)
        # Gives another thread every chance to come in as well.
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.2)
        return npz_arrays.map_array(header)

    monkeypatch.setattr(npz, "map_array", unpack)
    with ThreadPoolExecutor(4) as pool:
        contents = list(pool.map(source.read, found))
    assert contents == [HEAD + pixels.tobytes() for pixels in arrays["train_images"]]
    assert unpacked == ["train_images"]
