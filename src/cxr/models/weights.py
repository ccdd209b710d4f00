"""Weights in and out, as safetensors: no pickle is read or written anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from cxr.atomic import write_bytes
from cxr.bounded_file import read_regular
from cxr.config.schema import FileWeights, HubWeights
from cxr.digests.canonical import digest_bytes
from cxr.digests.tensors import digest_weights
from cxr.errors import WeightsError
from cxr.models.hub import fetch_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialWeights:
    """A weights file that was read once, and checked as it was read.

    Attributes:
        path: The safetensors file, for an error; it may have changed since.
        tensors: What it held.
        content_digest: Digest of the tensors, whatever their layout in the file.
        origin: What the manifest says of where they come from.
    """

    path: Path
    tensors: Mapping[str, torch.Tensor]
    content_digest: str
    origin: dict[str, str]


def find_weights(config: FileWeights | HubWeights) -> InitialWeights:
    """Read the weights that a config names, and check them.

    Raises:
        ConfigError: A hub's revision is not given.
        WeightsError: They are missing, unreachable, damaged, empty, or have another digest.
    """
    wanted: str | None = config.sha256
    if isinstance(config, FileWeights):
        path = Path(config.path)
        origin = {"source": "file"}
    else:
        path = fetch_weights(config)
        origin = {"source": "hub", "repo": config.repo, "revision": config.revision or ""}
    if not path.is_file():
        raise WeightsError(
            "no such weights file",
            where=str(path),
            hint="correct model.weights.path, or set model.weights to null",
        )
    content = _read_file(path)
    found = digest_bytes(content)
    if wanted is not None and found != wanted:
        raise WeightsError(
            f"the weights file has another digest: {found}",
            where=f"{path}, wanted {wanted}",
            hint="get the file that the recipe names, or correct model.weights.sha256",
        )
    tensors = _parse_tensors(content, path)
    if not tensors:
        raise WeightsError(
            "the weights file holds no tensors",
            where=str(path),
            hint="give the weights of a model, or set model.weights to null",
        )
    return InitialWeights(
        path=path,
        tensors=tensors,
        content_digest=digest_weights(tensors),
        origin={**origin, "file_sha256": found},
    )


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read every tensor of a safetensors file.

    Raises:
        WeightsError: The file is missing, damaged or of another format.
    """
    return _parse_tensors(_read_file(path), path)


def _read_file(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise _refuse_file(error, path) from error


def _parse_tensors(content: bytes, path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file's content, which takes as much memory again until it is let go.

    Not load_file: it asks torch for a kind of tensor that no mode can be handed, and what it maps
    changes with the file.
    """
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise _refuse_file(error, path) from error


def _refuse_file(error: Exception, path: Path) -> WeightsError:
    return WeightsError(
        f"cannot read the tensors: {' '.join(str(error).split())[:200]}",
        where=str(path),
        hint="the file is damaged or not safetensors; restore it",
    )


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], *, kind: str) -> None:
    """Write tensors as safetensors, atomically, with one metadata key.

    Two or more metadata keys would make the file's bytes depend on a hash order. Tensors that share
    memory, as tied weights do, are each written whole.

    Raises:
        StorageError: The file cannot be written.
    """
    plain: dict[str, torch.Tensor] = {}
    written: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        place = value.untyped_storage().data_ptr()
        plain[name] = value.clone() if place in written else value
        written.add(place)
    write_bytes(path, safetensors.torch.save(plain, metadata={"cxr": kind}))


def copy_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of a network's parameters and buffers on the CPU, by name."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
