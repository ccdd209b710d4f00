"""The ledger's page is enough to write one: its program makes files that cxr reads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash

from cxr.records.ledger import LedgerWriter, read_ledger
from cxr.records.run_directory import LEDGER, TENSORS
from cxr.records.tensor_digests import read_tensor_digests

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "ledger.md"


@pytest.fixture(scope="module")
def example() -> tuple[str, str, str]:
    """The page's program, what it is said to print, and the dump of ``tensors.bin``."""
    worked = PAGE.read_text(encoding="utf-8").partition("## A worked example")[2]
    program, printed, dump = re.findall(r"```(?:python|text)\n(.*?)```", worked, flags=re.DOTALL)
    return program, printed, dump


@pytest.fixture(scope="module")
def written(example: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory):
    """The directory that the program wrote, and what it printed."""
    place = tmp_path_factory.mktemp("written")
    finished = subprocess.run(
        [sys.executable, "-c", example[0]],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    return place, finished.stdout


def test_the_program_prints_what_the_page_says(example, written):
    assert written[1] == example[1]


def test_the_dump_on_the_page_is_that_of_the_file(example, written):
    rows = [line.partition(": ")[2].partition("  ")[0] for line in example[2].splitlines()]
    assert bytes.fromhex("".join(rows)) == (written[0] / TENSORS).read_bytes()


def test_cxr_reads_what_the_program_wrote(written):
    records = list(read_ledger(written[0]))
    assert [(record.step, record.epoch, list(record.parts)) for record in records] == [
        (-1, -1, ["parameters"]),
        (0, 0, ["samples", "loss", "parameters"]),
    ]
    assert read_tensor_digests(written[0], -1).keys() == {"parameters/weight", "parameters/bias"}
    found = read_tensor_digests(written[0], 0)
    assert list(found) == [
        "samples/indices",
        "loss/loss",
        "parameters/weight",
        "parameters/bias",
    ]
    # 0.375 and -1 as little-endian float32, digested by hand.
    assert found["parameters/weight"] == xxhash.xxh3_128_digest(b"\0\0\xc0\x3e\0\0\x80\xbf")[:8]


def test_cxr_writes_the_same_bytes(example, written, tmp_path):
    given: dict = {}
    exec(example[0].partition("chain = ")[0], given)  # noqa: S102 - a page of this project
    with LedgerWriter(tmp_path) as ledger:
        ledger.append(-1, -1, given["initial"])
        ledger.append(0, 0, given["step_0"])
    for name in (LEDGER, TENSORS):
        assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes()
