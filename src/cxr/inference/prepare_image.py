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
class DecodedImage:
    """An image as it was decoded.

    Attributes:
        path: What the answer calls it.
        pixels_HWC: Shape (size_px, size_px, channels), dtype uint8.
        remarks: What is odd about the image, though it is not refused.
    """

    path: str
    pixels_HWC: NDArray[np.uint8]  # noqa: N815 - the suffix names the axes
    remarks: tuple[DataProblem, ...]

    def normalise(self, table: NDArray[np.float32]) -> PreparedImage:
        """Return the image as the model takes it.

        The tensor's strides are as in training too, and not only its values: by them torch chooses
        how it convolves, and so the last bits.

        Args:
            table: See `cxr.data.normalise.derive_pixel_table`.
        """
        images = normalise_images(self.pixels_HWC[None], table)
        return PreparedImage(path=self.path, images_BCHW=images, remarks=self.remarks)


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


def decode_input(
    wanted: Input,
    config: DataConfig,
    *,
    content: bytes | None = None,
    by: InspectFiles = inspect_files,
) -> DecodedImage | Refusal:
    """Read, inspect, judge and decode one image as training does.

    Args:
        wanted: The image.
        config: The run's data section.
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
    return DecodedImage(path=wanted.path, pixels_HWC=pixels, remarks=tuple(problems))
