"""The content digest of a safetensors file, read without torch: the same as of its tensors."""

from __future__ import annotations

import hashlib
import json
import operator
import struct
from pathlib import Path
from typing import Any, Final

from cxr.bounded_file import open_regular
from cxr.digests.canonical import PREFIX, canonical_json

# Source: safetensors' format description; names as torch has them.
_DTYPES: Final = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_MAX_HEADER_BYTES: Final = 100_000_000
_BLOCK_BYTES: Final = 1 << 20


def digest_weights_file(path: Path) -> str:
    """Return ``sha256:<hex>`` over name, dtype, shape and bytes of every tensor, in name order.

    Raises:
        OSError: The file cannot be read, or is no regular one.
        ValueError: It is not safetensors, or is cut short.
    """
    state = hashlib.sha256()
    with open_regular(path) as stream:
        size_field = stream.read(8)
        if len(size_field) < 8:  # noqa: PLR2004 - an unsigned 64-bit length
            raise ValueError("the file is cut short")
        (header_size,) = struct.unpack("<Q", size_field)
        if header_size > _MAX_HEADER_BYTES:
            raise ValueError("the header's length is not believable")
        header: Any = json.loads(stream.read(header_size))
        if not isinstance(header, dict):
            raise ValueError("the header is not a JSON object")  # noqa: TRY004 - as of the file
        header.pop("__metadata__", None)
        for name in sorted(header):
            try:
                dtype, shape = _DTYPES[header[name]["dtype"]], header[name]["shape"]
                start, end = header[name]["data_offsets"]
                num_bytes = operator.index(end) - operator.index(start)
            except (KeyError, TypeError) as error:
                raise ValueError(f"the tensor {name!r} is not described") from error
            state.update(canonical_json([name, dtype, shape]) + b"\n")
            stream.seek(8 + header_size + start)
            left = num_bytes
            while left > 0:
                block = stream.read(min(left, _BLOCK_BYTES))
                if not block:
                    raise ValueError("the file is cut short")
                state.update(block)
                left -= len(block)
    return PREFIX + state.hexdigest()
