"""No byte of an envelope or of a signed file can be another one without being noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.attestation.attest import attest_run
from cxr.attestation.verify_attestation import verify_attestation
from cxr.errors import CxrError
from properties.strategies import examples
from support.attesting import SIGNER, find_problems
from support.fabricated_runs import Fabricated

FILES = (
    "config.yaml",
    "data.lock.json",
    "env.json",
    "ledger.jsonl",
    "manifest.json",
    "metrics.jsonl",
    "model.safetensors",
    "predictions.csv",
    "tensors.bin",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Fabricated(computed=True).write(tmp_path_factory.mktemp("signed") / "run")


@pytest.fixture(scope="module")
def envelope(run: Path) -> Path:
    return attest_run(run, SIGNER).path


def is_authentic(run: Path, envelope: Path) -> bool:
    try:
        return find_problems(run, envelope) == []
    except CxrError:
        return False


def is_authentic_without(path: Path, content: bytes, run: Path, envelope: Path) -> bool:
    """Say whether a run passes with other bytes in one file, which then has its own again."""
    before = path.read_bytes()
    assert before != content
    path.write_bytes(content)
    try:
        return is_authentic(run, envelope)
    finally:
        path.write_bytes(before)


def test_a_bit_of_each_byte_around_the_payload_counts(run: Path, envelope: Path):
    content = envelope.read_bytes()
    key = SIGNER.public_key()
    other = envelope.with_name("other.json")
    assert {one.name for one in run.iterdir()} == set(FILES)
    assert is_authentic(run, envelope)
    begin, end = content.index(b'"payload":"') + 11, content.index(b'","payloadType"')
    assert end - begin > len(content) // 2
    for place in (*range(begin), *range(begin, end, 32), *range(end, len(content))):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        other.write_bytes(changed)
        assert verify_attestation(run, other, key, is_consistent=True).findings, place


@examples(max_examples=50)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_another_byte_in_the_envelope_is_noticed(
    run: Path, envelope: Path, place: float, byte: int
):
    content = bytearray(envelope.read_bytes())
    content[int(place * len(content))] ^= byte
    assert not is_authentic_without(envelope, bytes(content), run, envelope)


@examples(max_examples=15)
@given(cut=st.floats(0, 1, exclude_max=True), more=st.binary(max_size=8))
def test_a_cut_or_longer_envelope_is_noticed(run: Path, envelope: Path, cut: float, more: bytes):
    content = envelope.read_bytes()
    assert not is_authentic_without(envelope, content[: int(cut * len(content))], run, envelope)
    assert not is_authentic_without(envelope, content + b" " + more, run, envelope)


@examples(max_examples=50)
@given(
    name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255)
)
def test_another_byte_in_a_signed_file_is_noticed(
    run: Path, envelope: Path, name: str, place: float, byte: int
):
    content = bytearray((run / name).read_bytes())
    content[int(place * len(content))] ^= byte
    assert not is_authentic_without(run / name, bytes(content), run, envelope)


def test_the_run_is_authentic_again_after_all_of_that(run: Path, envelope: Path):
    assert is_authentic(run, envelope)
