"""An edit changes what it says and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cxr.models.weights import load_tensors, write_tensors
from cxr.selftest import edits

LINES = [f'{{"gradients":"xxh3-128:{digit}a","step":{digit}}}\n' for digit in "0123"]


def write_ledger(run: Path) -> Path:
    (run / "ledger.jsonl").write_text("".join(LINES), encoding="ascii")
    return run


def read_ledger(run: Path) -> list[str]:
    return (run / "ledger.jsonl").read_text(encoding="ascii").splitlines(keepends=True)


def test_one_pixel_is_changed_by_one(tmp_path: Path):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    edits.change_pixel(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        changes = np.asarray(image).astype(int) - pixels
    assert np.abs(changes).sum() == 1
    assert changes[4, 4] != 0


def test_files_are_exchanged_and_keep_their_names(tmp_path: Path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("of a")
    b.write_text("of b")
    edits.swap_files(a, b)
    assert (a.read_text(), b.read_text()) == ("of b", "of a")


def test_folders_are_exchanged(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.png").write_text(name)
    edits.swap_folders(tmp_path / "a" / "a.png", tmp_path / "b" / "b.png")
    assert (tmp_path / "a" / "b.png").read_text() == "b"
    assert (tmp_path / "b" / "a.png").read_text() == "a"
    assert len(list(tmp_path.rglob("*.png"))) == 2


def test_one_weight_is_changed_by_its_last_bit(tmp_path: Path):
    file = tmp_path / "w.safetensors"
    weights = {"a": torch.ones(2, 2), "b": torch.ones(2)}
    write_tensors(file, weights, kind="weights")
    edits.change_weight(file, "a")
    changed = load_tensors(file)
    assert torch.equal(changed["b"], weights["b"])
    bits = changed["a"].view(torch.int32) - weights["a"].view(torch.int32)
    assert bits.tolist() == [[1, 0], [0, 0]]


def test_one_bit_of_the_newest_checkpoint_is_changed(tmp_path: Path):
    place = tmp_path / "checkpoints"
    place.mkdir()
    for name in ("step-1", "step-2"):
        (place / f"{name}.safetensors").write_bytes(b"\x00\x00")
    edits.edit_checkpoint(tmp_path)
    assert (place / "step-1.safetensors").read_bytes() == b"\x00\x00"
    assert (place / "step-2.safetensors").read_bytes() == b"\x00\x01"


def test_lines_are_edited_removed_and_exchanged(tmp_path: Path):
    edits.edit_line(write_ledger(tmp_path), 1)
    assert read_ledger(tmp_path) == [LINES[0].replace(":0a", ":1a"), *LINES[1:]]
    edits.edit_line(write_ledger(tmp_path), 3)
    assert read_ledger(tmp_path) == [*LINES[:2], LINES[2].replace(":2a", ":0a"), LINES[3]]
    edits.remove_line(write_ledger(tmp_path), 2)
    assert read_ledger(tmp_path) == [LINES[0], *LINES[2:]]
    edits.swap_lines(write_ledger(tmp_path), 2)
    assert read_ledger(tmp_path) == [LINES[0], LINES[2], LINES[1], LINES[3]]
