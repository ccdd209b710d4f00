"""A directory of images by itself: no config says what its folders and names mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.image_file import read_image
from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.inspection.look import Look
from cxr.data.sources.folder import list_images
from cxr.data.sources.source import SPLITS, FoundImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOP: Final = 2


class DirectorySource:
    """Image files below a directory; split and class are its first two folders, if it has such."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.classes: tuple[str, ...] = ()

    def find(self) -> list[FoundImage]:
        """Find every image, split by split as training does; without splits, whatever there is.

        Raises:
            DataError: A directory cannot be listed, or a name is no plain text.
        """
        in_splits = [file for split in SPLITS for file in list_images(self.root / split)]
        files = sorted(in_splits) or list_images(self.root)
        found = [self._describe(file) for file in files]
        self.classes = tuple(sorted({image.label for image in found}))
        return found

    def _describe(self, file: Path) -> FoundImage:
        parts = file.relative_to(self.root).parts
        split = parts[0] if parts[0] in SPLITS and len(parts) > _TOP else ""
        label = parts[1] if split else ""
        path = file.relative_to(self.root).as_posix()
        return FoundImage(file, path, label, path, split)

    def read(self, image: FoundImage) -> bytes:
        """Return the bytes of an image's file; see `read_image`."""
        return read_image(image.file)

    def inspect(self, image: FoundImage, content: bytes) -> Look:
        """Inspect an image's file; see `inspect_file`."""
        return inspect_file(content, name=image.file.name)

    def decode(self, image: FoundImage, content: bytes, plan: DecodePlan) -> NDArray[np.uint8]:
        """Decode an image's file; see `decode_image`."""
        return decode_image(content, plan, where=str(image.file))
