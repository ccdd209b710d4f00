"""What a service and the process that decodes for it send one another.

Each message is blocks of bytes with their size before them: JSON, a name, a file, or pixels.
Nothing in them is run.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import IO, Final

from cxr.config.data_section import DataConfig
from cxr.data.checks.kinds import DataProblem
from cxr.inference.answers import Refusal
from cxr.inference.prepare_image import DecodedImage

_SIZE: Final = struct.Struct("<Q")
_REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How every image is to be prepared: sent once, before the first.

    Attributes:
        config: The run's data section.
        max_pixels: How many pixels an image may claim.
    """

    config: DataConfig
    max_pixels: int


def write_task(stream: IO[bytes], task: Task) -> None:
    """Send a task."""
    _write(stream, task.config.model_dump_json().encode("utf-8"), b"%d" % task.max_pixels)


def read_task(stream: IO[bytes]) -> Task | None:
    """Return a task; None where the sender ended."""
    config = _read(stream)
    max_pixels = _read(stream)
    if config is None or max_pixels is None:
        return None
    return Task(config=DataConfig.model_validate_json(config), max_pixels=int(max_pixels))


def write_greeting(stream: IO[bytes], digest: str) -> None:
    """Say what preprocessing is done here; see `digest_preprocessing`."""
    _write(stream, digest.encode("ascii"))


def read_greeting(stream: IO[bytes]) -> str | None:
    """Return a greeting; None where the sender ended."""
    content = _read(stream)
    return None if content is None else content.decode("ascii")


def write_image(stream: IO[bytes], name: str, content: bytes) -> None:
    """Send the bytes of an image's file, and what it is called."""
    _write(stream, name.encode("utf-8"), content)


def read_image(stream: IO[bytes]) -> tuple[str, bytes] | None:
    """Return the name and bytes of an image; None where the sender ended."""
    name = _read(stream)
    content = _read(stream)
    return None if name is None or content is None else (name.decode("utf-8"), content)


def write_decoded(stream: IO[bytes], said: DecodedImage | Refusal) -> None:
    """Send what became of an image."""
    if isinstance(said, Refusal):
        _write(stream, json.dumps({_REFUSED: said.to_json()}).encode("ascii"), b"")
        return
    fields = {
        "path": said.path,
        "shape": said.pixels_HWC.shape,
        "remarks": [asdict(one) for one in said.remarks],
    }
    _write(stream, json.dumps(fields).encode("ascii"), said.pixels_HWC.tobytes())


def read_decoded(stream: IO[bytes]) -> DecodedImage | Refusal | None:
    """Return what became of an image, to the bit; None where the sender ended."""
    import numpy as np

    head = _read(stream)
    content = _read(stream)
    if head is None or content is None:
        return None
    fields = json.loads(head)
    if _REFUSED in fields:
        return Refusal(**fields[_REFUSED])
    pixels = np.frombuffer(content, dtype=np.uint8).reshape(fields["shape"])
    remarks = tuple(
        DataProblem(**{**one, "paths": tuple(one["paths"])}) for one in fields["remarks"]
    )
    return DecodedImage(path=fields["path"], pixels_HWC=pixels, remarks=remarks)


def _write(stream: IO[bytes], *blocks: bytes) -> None:
    for block in blocks:
        stream.write(_SIZE.pack(len(block)))
        stream.write(block)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (num_bytes,) = _SIZE.unpack(head)
    content = stream.read(num_bytes)
    return content if len(content) == num_bytes else None
