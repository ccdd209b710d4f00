"""One image file as a sample: read, inspected and decoded alike, whoever found it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.image_file import read_image
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ImageFiles:
    """What sources have in common whose samples are files of their own."""

    def read(self, image: FoundImage) -> bytes:
        """Return the bytes of an image's file; see `read_image`."""
        return read_image(image.file)

    def inspect(
        self, samples: Sequence[tuple[FoundImage, bytes]], by: InspectFiles = inspect_files
    ) -> list[Look]:
        """Inspect the files of images; see `inspect_files`."""
        return by([(content, str(image.file)) for image, content in samples])

    def decode(self, image: FoundImage, content: bytes, plan: DecodePlan) -> NDArray[np.uint8]:
        """Decode an image's file; see `decode_image`."""
        return decode_image(content, plan, where=str(image.file))
