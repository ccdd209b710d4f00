"""One edit each of what lies on the disk: of an image, of given weights, of a finished record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cxr.models.weights import load_tensors, write_tensors
from cxr.records.run_directory import CHECKPOINTS, LEDGER


def change_pixel(file: Path) -> None:
    """Change the pixel in the middle of a grey PNG by one of 255 steps."""
    with Image.open(file) as image:
        pixels = np.array(image)
    height, width = pixels.shape
    pixels[height // 2, width // 2] ^= 1
    Image.fromarray(pixels).save(file)


def swap_files(a: Path, b: Path) -> None:
    """Exchange two files; each keeps its name and place."""
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)


def swap_folders(a: Path, b: Path) -> None:
    """Move each of two files into the other one's folder, which is its class."""
    folders = a.parent, b.parent
    shutil.move(a, folders[1] / a.name)
    shutil.move(b, folders[0] / b.name)


def change_weight(file: Path, tensor: str) -> None:
    """Change the first number of a tensor by the last bit that it has."""
    tensors = load_tensors(file)
    flat = tensors[tensor].view(-1)
    flat[0] = torch.nextafter(flat[0], torch.tensor(torch.inf))
    write_tensors(file, tensors, kind="weights")


def edit_checkpoint(run: Path) -> None:
    """Change one bit in the tensors of a run's newest checkpoint."""
    file = max((run / CHECKPOINTS).glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def edit_line(run: Path, number: int) -> None:
    """Change one digit of a digest in a line of a run's ledger, counted from 1."""

    def edit(lines: list[bytes]) -> None:
        line = lines[number - 1]
        place = line.index(b'"gradients":"') + len(b'"gradients":"xxh3-128:')
        digit = b"1" if line[place : place + 1] == b"0" else b"0"
        lines[number - 1] = line[:place] + digit + line[place + 1 :]

    _edit_ledger(run, edit)


def remove_line(run: Path, number: int) -> None:
    """Remove a line of a run's ledger, counted from 1."""
    _edit_ledger(run, lambda lines: lines.pop(number - 1))


def swap_lines(run: Path, number: int) -> None:
    """Exchange a line of a run's ledger, counted from 1, with the one behind it."""

    def swap(lines: list[bytes]) -> None:
        lines[number - 1], lines[number] = lines[number], lines[number - 1]

    _edit_ledger(run, swap)


def _edit_ledger(run: Path, edit: Callable[[list[bytes]], object]) -> None:
    lines = (run / LEDGER).read_bytes().splitlines(keepends=True)
    edit(lines)
    (run / LEDGER).write_bytes(b"".join(lines))
