"""``model.onnx``: the exported model as one graph, from a picture's bytes to logits."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import torch
from torch import nn

from cxr.atomic import write_bytes
from cxr.config.data_section import DataConfig
from cxr.data.normalise import derive_pixel_table
from cxr.errors import IMPORT_FAULTS, InstallationError, WeightsError
from cxr.release.exported_network import Loaded
from cxr.release.layout import ONNX
from cxr.release.pillow_resize import PillowResize, find_pass_order

INPUT: Final = "image"
OUTPUT: Final = "logits"
LIBRARIES: Final = ("onnx", "onnxscript", "onnxruntime")

_MAX_BYTES: Final = 2**31 - 1
"""Of a model in one file. Source: the limit of protocol buffers."""
_EXAMPLE_PX: Final = (53, 41)
"""Of the picture that the graph is traced with: neither its size nor square."""
_EXPORT_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Whole(nn.Module):
    """From the bytes of one picture to its logits."""

    def __init__(self, network: nn.Module, resize: PillowResize, data: DataConfig) -> None:
        super().__init__()
        self.resize = resize
        self.network = network
        self.register_buffer("table", torch.from_numpy(derive_pixel_table(data.mean, data.std)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (1, classes) for a picture of shape (H, W, C), dtype uint8."""
        table: Any = self.table
        values_HWC = table[self.resize(image).to(torch.int64)]  # noqa: N806 - names the axes
        logits: torch.Tensor = self.network(values_HWC.permute(2, 0, 1).unsqueeze(0))
        return logits


def import_onnx() -> tuple[ModuleType, ModuleType]:
    """Return onnx and onnxruntime, once all that an export needs is known to be there.

    Raises:
        InstallationError: The extra is not installed, or cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import onnx
            import onnxruntime
            import onnxscript  # noqa: F401 - torch's exporter is written in it
    except IMPORT_FAULTS as error:
        raise InstallationError(
            "--onnx needs onnx, onnxscript and onnxruntime, which are not installed or cannot be "
            "imported",
            where="cxr export --onnx",
            hint="uv sync --extra onnx, or pip install 'cxr[onnx]'",
        ) from error
    return onnx, onnxruntime


def write_onnx(directory: Path, loaded: Loaded) -> dict[str, Any]:
    """Write the graph of an exported model, for a picture of any size, and describe it.

    Args:
        directory: The export.
        loaded: The exported model.

    Returns:
        ``opset``, ``ir_version``, ``producer``, ``input``, ``output`` and ``vertical_pass_first``.

    Raises:
        WeightsError: torch cannot express the model in ONNX, or it is too large for one file.
        StorageError: It cannot be written.
    """
    data = loaded.config.data
    tall_first = find_pass_order()
    resize = PillowResize(data.image_size, data.resample, tall_first=tall_first)
    whole = _Whole(loaded.network.cpu(), resize, data).eval()
    example = torch.zeros((*_EXAMPLE_PX, data.channels), dtype=torch.uint8)
    any_size = torch.export.Dim.DYNAMIC
    try:
        with _silence():
            program = torch.onnx.export(
                whole,
                (example,),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={"image": {0: any_size, 1: any_size}},
            )
            model: Any = program.model_proto  # type: ignore[union-attr] # dynamo returns a program
    except _EXPORT_ERRORS as error:
        said = " ".join(str(error).split())[:200]
        raise _refuse(f"torch cannot express the model in ONNX: {said}", loaded) from error
    loaded.network.to(loaded.config.device)
    _name_sizes(model)
    _forget_sources(model)
    if model.ByteSize() > _MAX_BYTES:
        raise _refuse("the model is too large for one ONNX file: more than 2 GiB", loaded)
    write_bytes(directory / ONNX, model.SerializeToString(deterministic=True))
    return {
        "opset": max(one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}),
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}",
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["height", "width", data.channels],
            "holds": "one upright 8-bit picture of any size; resizing and normalisation are inside",
        },
        "output": {"name": OUTPUT, "dtype": "float32", "shape": [1, len(loaded.classes)]},
        "vertical_pass_first": tall_first,
    }


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter from talking: on stdout nothing but the answer may stand."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _name_sizes(model: Any) -> None:
    """Name the free axes: the exporter's own names count what was traced before."""
    (found,) = model.graph.input
    names = [axis.dim_param for axis in found.type.tensor_type.shape.dim[:2]]
    wanted = dict(zip(names, ("height", "width"), strict=True))
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in wanted:
                axis.dim_param = wanted[axis.dim_param]
    # What lies between speaks of the old names, and a runtime works it out by itself.
    del model.graph.value_info[:]


def _forget_sources(message: Any) -> None:
    """Remove where each node came from: lines of source files, with their paths on this machine."""
    for descriptor, value in message.ListFields():
        if descriptor.name in {"metadata_props", "doc_string"}:
            message.ClearField(descriptor.name)
        elif descriptor.message_type is not None:
            # A field that may be repeated has a length; a message has none.
            for one in value if hasattr(value, "__len__") else [value]:
                _forget_sources(one)


def _refuse(problem: str, loaded: Loaded) -> WeightsError:
    return WeightsError(
        problem,
        where=f"cxr export --onnx, model.name: {loaded.config.model.name}",
        hint="nothing was exported; export without --onnx",
    )
