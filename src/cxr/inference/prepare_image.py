"""From the bytes of one image to what the model is given, or to why training would refuse it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr.config.data_section import DataConfig
from cxr.data.checks.kinds import DataProblem
from cxr.data.checks.single_image import judge_image
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.normalise import normalise_images
from cxr.data.preprocessing import derive_decode_plan
from cxr.errors import DataError
from cxr.inference.answers import UNREADABLE, Refusal
from cxr.inference.inputs import Input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImage:
    """An image as the model takes it.

    Attributes:
        path: What the answer calls it.
        images_BCHW: Shape (1, channels, size_px, size_px), dtype float32.
        remarks: What is odd about the image, though it is not refused.
    """

    path: str
    images_BCHW: NDArray[np.float32]  # noqa: N815 - the suffix names the axes
    remarks: tuple[DataProblem, ...]


def prepare_image(
    wanted: Input,
    config: DataConfig,
    table: NDArray[np.float32],
    *,
    content: bytes | None = None,
    by: InspectFiles = inspect_files,
) -> PreparedImage | Refusal:
    """Read, inspect, judge and decode one image as training does.

    Args:
        wanted: The image.
        config: The run's data section.
        table: See `cxr.data.normalise.derive_pixel_table`.
        content: Its bytes, where somebody has them already.
        by: What inspects the bytes of files.
    """
    try:
        if content is None:
            content = wanted.reader.read(wanted.image)
        (look,) = wanted.reader.inspect([(wanted.image, content)], by)
    except DataError as error:
        return Refusal(path=wanted.path, kind=UNREADABLE, detail=error.problem)
    problems = judge_image(wanted.image, look, config)
    first = problems[0] if problems else None
    # What is no image at all is refused too: in a folder it would be passed over.
    has_no_pixels = not look.pixels and first is not None and first.kind not in config.accept
    if first is not None and (first.severity == "error" or has_no_pixels):
        return Refusal(path=wanted.path, kind=first.kind, detail=first.detail)
    try:
        pixels = wanted.reader.decode(wanted.image, content, derive_decode_plan(config))
    except DataError as error:
        # An error that the config accepts, and that cannot be decoded for all that.
        kind = first.kind if first is not None else "damaged"
        return Refusal(path=wanted.path, kind=kind, detail=error.problem)
    return PreparedImage(
        path=wanted.path,
        images_BCHW=normalise_images(pixels[None], table),
        remarks=tuple(problems),
    )
