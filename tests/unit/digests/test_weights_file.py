from __future__ import annotations

import json
import struct

import pytest
import safetensors.torch
import torch

from cxr.digests.tensors import digest_weights
from cxr.digests.weights_file import digest_weights_file

WEIGHTS = {
    "z.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4),
    "a.bias": torch.tensor([-0.0, 1.0]),
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
    "float16": torch.tensor([1.5], dtype=torch.float16),
    "double": torch.tensor([0.1], dtype=torch.float64),
    "steps": torch.tensor(3),
    "int32": torch.tensor([1], dtype=torch.int32),
    "int16": torch.tensor([1], dtype=torch.int16),
    "int8": torch.tensor([-1], dtype=torch.int8),
    "byte": torch.tensor([255], dtype=torch.uint8),
    "mask": torch.tensor([True, False]),
    "empty": torch.empty(0, 4),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(WEIGHTS, path, metadata={"cxr": "weights"})
    return path


def write(path, header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def test_a_file_has_the_digest_of_its_tensors(file):
    assert digest_weights_file(file) == digest_weights(WEIGHTS)


def test_layout_and_metadata_of_the_file_do_not_matter(file):
    before = digest_weights_file(file)
    content = file.read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = {"cxr": "something else", "more": "keys"}
    body = content[8 + size :]
    last = header["z.weight"]["data_offsets"]
    moved = dict(reversed(header.items()))
    moved["z.weight"] = {**header["z.weight"], "data_offsets": [len(body), len(body) + 48]}
    write(file, moved, body + body[last[0] : last[1]])
    assert digest_weights_file(file) == before


def test_a_tensor_larger_than_a_block_is_read_whole(tmp_path):
    weights = {"x": torch.arange(300_001, dtype=torch.float32)}
    safetensors.torch.save_file(weights, tmp_path / "large.safetensors")
    assert digest_weights_file(tmp_path / "large.safetensors") == digest_weights(weights)


def test_every_cut_is_noticed(file):
    content = file.read_bytes()
    for size in (0, 7, 8, 20, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(ValueError):  # noqa: PT011 - where it is cut decides the message
            digest_weights_file(file)


def test_a_changed_byte_of_a_tensor_changes_the_digest(file):
    before = digest_weights_file(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert digest_weights_file(file) != before


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"not json", id="not JSON"),
        pytest.param(b"\xff\xfe", id="not text"),
        pytest.param([], id="a list"),
        pytest.param(5, id="a number"),
        pytest.param({"x": None}, id="a tensor that is null"),
        pytest.param({"x": {"dtype": "F32", "shape": [1]}}, id="no offsets"),
        pytest.param({"x": {"dtype": "F31", "shape": [1], "data_offsets": [0, 4]}}, id="dtype"),
        pytest.param({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, id="one offset"),
        pytest.param({"x": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}}, id="text"),
        pytest.param(
            {"x": {"dtype": "F32", "shape": [1], "data_offsets": [-900, -896]}}, id="before"
        ),
    ],
)
def test_a_header_that_is_no_description_is_refused(tmp_path, header):
    path = write(tmp_path / "file", header, b"\0" * 4)
    with pytest.raises((ValueError, OSError)):
        digest_weights_file(path)


def test_a_length_that_is_not_believable_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "file").write_bytes(struct.pack("<Q", 2**60))
    with pytest.raises(ValueError, match="length is not believable"):
        digest_weights_file(tmp_path / "file")


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        digest_weights_file(tmp_path / "nothing")
