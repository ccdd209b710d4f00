from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from cxr.errors import RecordError
from cxr.records.ledger import LedgerWriter, digest_part, read_ledger
from cxr.records.run_directory import LEDGER
from cxr.records.tensor_digests import STORED_BYTES, read_tensor_digests
from properties.strategies import examples, step_parts

steps = st.lists(step_parts, min_size=1, max_size=4)


def write(directory, parts):
    with LedgerWriter(Path(directory)) as ledger:
        for step, found in enumerate(parts):
            ledger.append(step, 0, found)
        return ledger.head


def is_whole(directory, head):
    """Say whether a ledger reads to its end and ends at ``head``."""
    try:
        chains = [record.chain for record in read_ledger(Path(directory))]
    except RecordError:
        return False
    return chains[-1:] == [head]


@given(steps)
@examples(max_examples=50)
def test_what_is_written_is_read_again(parts):
    with tempfile.TemporaryDirectory() as directory:
        head = write(directory, parts)
        records = list(read_ledger(Path(directory)))
        assert is_whole(directory, head)
        assert [record.step for record in records] == list(range(len(parts)))
        for step, found in enumerate(parts):
            assert records[step].parts == {name: digest_part(found[name]) for name in found}
            assert read_tensor_digests(Path(directory), step) == {
                f"{part}/{name}": digest[:STORED_BYTES]
                for part, tensors in found.items()
                for name, digest in tensors.items()
            }


@given(steps, st.data())
@examples(max_examples=150)
def test_a_replaced_byte_is_found(parts, data):
    with tempfile.TemporaryDirectory() as directory:
        head = write(directory, parts)
        content = bytearray((Path(directory) / LEDGER).read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        byte = data.draw(st.integers(0, 255))
        assume(content[position] != byte)
        content[position] = byte
        (Path(directory) / LEDGER).write_bytes(content)
        assert not is_whole(directory, head)


@given(steps, st.data())
@examples(max_examples=100)
def test_a_removed_byte_is_found(parts, data):
    with tempfile.TemporaryDirectory() as directory:
        head = write(directory, parts)
        content = bytearray((Path(directory) / LEDGER).read_bytes())
        del content[data.draw(st.integers(0, len(content) - 1))]
        (Path(directory) / LEDGER).write_bytes(content)
        assert not is_whole(directory, head)


@given(steps, st.data())
@examples(max_examples=150)
def test_an_added_byte_is_found(parts, data):
    with tempfile.TemporaryDirectory() as directory:
        head = write(directory, parts)
        content = bytearray((Path(directory) / LEDGER).read_bytes())
        byte = data.draw(st.sampled_from(b' \n\t0-"{,:') | st.integers(0, 255))
        content.insert(data.draw(st.integers(0, len(content))), byte)
        (Path(directory) / LEDGER).write_bytes(content)
        assert not is_whole(directory, head)


@given(steps, st.data())
@examples(max_examples=50)
def test_lines_in_another_order_are_found(parts, data):
    with tempfile.TemporaryDirectory() as directory:
        head = write(directory, parts)
        lines = (Path(directory) / LEDGER).read_bytes().splitlines(keepends=True)
        chosen = data.draw(st.lists(st.sampled_from(range(len(lines))), max_size=len(lines) + 1))
        assume(chosen != list(range(len(lines))))
        (Path(directory) / LEDGER).write_bytes(b"".join(lines[number] for number in chosen))
        assert not is_whole(directory, head)
