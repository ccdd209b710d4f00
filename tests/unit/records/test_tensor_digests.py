from __future__ import annotations

import struct

import pytest

from cxr.errors import StorageError
from cxr.records.run_directory import TENSORS
from cxr.records.tensor_digests import (
    TensorDigestWriter,
    drop_partial_frame,
    read_tensor_digests,
)

STEPS = {
    -1: {"buffers": {}, "parameters": {"w": b"0" * 16, "b": b"1" * 16}},
    0: {"loss": {"loss": b"2" * 16}, "parameters": {"w": b"3" * 16, "b": b"4" * 16}},
    1: {"loss": {"loss": b"5" * 16}, "parameters": {"w": b"6" * 16, "b": b"7" * 16}},
    2: {"loss": {"loss": b"8" * 16}, "parameters": {"w": b"9" * 16, "b": b"a" * 16}},
    3: {"predictions": {"logits": b"bcdefghijklmnopq"}},
}


@pytest.fixture
def run(tmp_path):
    """A directory with a side file of five steps."""
    write(tmp_path, STEPS)
    return tmp_path


def write(directory, steps, mode="xb"):
    writer = TensorDigestWriter(directory)
    writer.open(mode)
    for step, parts in steps.items():
        writer.append(step, parts)
    writer.close()


def list_kinds(directory):
    content, position, kinds = (directory / TENSORS).read_bytes(), 0, b""
    while position < len(content):
        kind, size = struct.unpack_from("<cI", content, position)
        kinds += kind
        position += 5 + size
    return kinds


def test_tensors_of_a_step_are_read_by_part_and_name(run):
    assert read_tensor_digests(run, -1) == {"parameters/w": b"0" * 8, "parameters/b": b"1" * 8}
    found = read_tensor_digests(run, 1)
    assert found == {"loss/loss": b"5" * 8, "parameters/w": b"6" * 8, "parameters/b": b"7" * 8}
    assert list(found) == ["loss/loss", "parameters/w", "parameters/b"]
    assert read_tensor_digests(run, 3) == {"predictions/logits": b"bcdefghi"}


def test_the_file_is_what_the_format_says(tmp_path):
    write(tmp_path, {7: {"loss": {"loss": b"0123456789abcdef"}}})
    assert (tmp_path / TENSORS).read_bytes() == (
        b'L\x0d\0\0\0["loss/loss"]' + b"R\x10\0\0\0" + struct.pack("<q", 7) + b"01234567"
    )


def test_names_are_written_only_where_they_change(run):
    assert list_kinds(run) == b"LRLRRRLR"


def test_a_file_that_goes_on_says_its_names_again(run):
    write(run, {4: STEPS[3]}, mode="ab")
    assert list_kinds(run) == b"LRLRRRLRLR"
    assert read_tensor_digests(run, 4) == read_tensor_digests(run, 3)


def test_a_file_that_is_there_is_not_written_over(run):
    before = (run / TENSORS).read_bytes()
    with pytest.raises(StorageError, match="cannot write: File exists"):
        write(run, STEPS)
    assert (run / TENSORS).read_bytes() == before


def test_a_step_that_is_not_there_has_no_digests(run):
    assert read_tensor_digests(run, 4) is None
    (run / TENSORS).unlink()
    assert read_tensor_digests(run, 1) is None


def test_of_a_step_that_was_written_twice_the_last_counts(tmp_path):
    write(tmp_path, {0: {"loss": {"loss": b"a" * 16}}})
    write(tmp_path, {0: {"loss": {"loss": b"b" * 16}}}, mode="ab")
    assert read_tensor_digests(tmp_path, 0) == {"loss/loss": b"b" * 8}


def test_a_file_that_was_cut_gives_the_steps_before_the_cut_and_can_go_on(run):
    content = (run / TENSORS).read_bytes()
    whole = {step: read_tensor_digests(run, step) for step in STEPS}
    for size in range(0, len(content), 3):
        (run / TENSORS).write_bytes(content[:size])
        found = [step for step in whole if read_tensor_digests(run, step) is not None]
        assert found == list(whole)[: len(found)]
        assert all(read_tensor_digests(run, step) == whole[step] for step in found)
        drop_partial_frame(run)
        kept = (run / TENSORS).read_bytes()
        assert content.startswith(kept)
        assert [step for step in whole if read_tensor_digests(run, step) is not None] == found
        list_kinds(run)


def test_a_whole_file_and_a_missing_one_are_left_as_they_are(run, tmp_path):
    before = (run / TENSORS).read_bytes()
    drop_partial_frame(run)
    assert (run / TENSORS).read_bytes() == before
    drop_partial_frame(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("kind", "content"),
    [(b"L", b"5"), (b"L", b'{"a":1}'), (b"L", b"[1]"), (b"L", b"not json"), (b"R", b"\0\0")],
)
def test_frames_that_make_no_sense_give_no_digests(tmp_path, kind, content):
    row = struct.pack("<q", 0) + b"d" * 8
    frames = struct.pack("<cI", kind, len(content)) + content
    frames += struct.pack("<cI", b"R", len(row)) + row
    (tmp_path / TENSORS).write_bytes(frames)
    assert read_tensor_digests(tmp_path, 0) is None
