"""Weights in and out, as safetensors: no pickle is read or written anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from cxr.config.schema import FileWeights, HubWeights
from cxr.digests.files import digest_file
from cxr.digests.tensors import digest_weights
from cxr.errors import ConfigError, WeightsError
from cxr.records.atomic import write_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialWeights:
    """A checked weights file.

    Attributes:
        path: The safetensors file.
        content_digest: Digest of its tensors, whatever their layout in the file.
        origin: What the manifest says of where they come from.
    """

    path: Path
    content_digest: str
    origin: dict[str, str]

    def load_into(self, network: nn.Module) -> None:
        """Load every tensor into ``network``.

        Raises:
            WeightsError: Names or shapes are not those of the network.
        """
        try:
            network.load_state_dict(load_tensors(self.path))
        except RuntimeError as error:
            raise WeightsError(
                f"the weights do not fit the model: {' '.join(str(error).split())[:200]}",
                where=str(self.path),
                hint="give weights of the same model with the same classes and channels",
            ) from error

    def describe_for_timm(self, pretrained: Any) -> dict[str, Any]:
        """Return timm's description of the file: where it is, and how many classes it has.

        timm drops a classifier whose number of classes is not the one asked for, and judges by
        this description rather than by the file.
        """
        described: dict[str, Any] = {"file": str(self.path)}
        classifier = getattr(pretrained, "classifier", None)
        if isinstance(classifier, str):
            with safetensors.safe_open(self.path, framework="pt") as file:
                if f"{classifier}.weight" in file.keys():  # noqa: SIM118 - it is no mapping
                    shape = file.get_slice(f"{classifier}.weight").get_shape()
                    described["num_classes"] = shape[0]
        return described


def find_weights(config: FileWeights | HubWeights) -> InitialWeights:
    """Find and check the weights that a config names.

    Raises:
        ConfigError: A hub's revision is not given.
        WeightsError: They are missing, unreachable, damaged, or have another digest.
    """
    wanted: str | None = config.sha256
    if isinstance(config, FileWeights):
        path = Path(config.path)
        origin = {"source": "file", "sha256": config.sha256}
    else:
        path = _download(config)
        origin = {"source": "hub", "repo": config.repo, "revision": config.revision or ""}
    if not path.is_file():
        raise WeightsError(
            "no such weights file",
            where=str(path),
            hint="correct model.weights.path, or set model.weights to null",
        )
    found = digest_file(path)
    if wanted is not None and found != wanted:
        raise WeightsError(
            f"the weights file has another digest: {found}",
            where=f"{path}, wanted {wanted}",
            hint="get the file that the recipe names, or correct model.weights.sha256",
        )
    digest = digest_weights(load_tensors(path))
    return InitialWeights(path=path, content_digest=digest, origin={**origin, "file_sha256": found})


def _download(config: HubWeights) -> Path:
    """Fetch a file at one commit from the model hub, through its own cache."""
    where = f"model.weights: {config.repo}"
    if config.revision is None:
        raise ConfigError(
            "the weights' revision is not set, and a branch may move",
            where=where,
            hint="set model.weights.revision to the full commit that you looked at on the hub",
        )
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        found = huggingface_hub.hf_hub_download(config.repo, config.file, revision=config.revision)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise WeightsError(
            f"cannot fetch the weights: {' '.join(str(error).split())[:200]}",
            where=f"{where} at {config.revision}, file {config.file}",
            hint="go online, or fetch the file yourself and use model.weights.source: file",
        ) from error
    return Path(found)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read every tensor of a safetensors file.

    Raises:
        WeightsError: The file is missing, damaged or of another format.
    """
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"cannot read the tensors: {' '.join(str(error).split())[:200]}",
            where=str(path),
            hint="the file is damaged or not safetensors; restore it",
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], *, kind: str) -> None:
    """Write tensors as safetensors, atomically, with one metadata key.

    Two or more metadata keys would make the file's bytes depend on a hash order.

    Raises:
        StorageError: The file cannot be written.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors.torch.save(plain, metadata={"cxr": kind}))


def copy_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of a network's parameters and buffers on the CPU, by name."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
