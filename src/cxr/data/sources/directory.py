"""A directory of images by itself: no config says what its folders and names mean."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cxr.data.sources.image_files import ImageFiles
from cxr.data.sources.listing import list_images, name_below, sort_paths
from cxr.data.sources.source import SPLITS, FoundImage, Stray
from cxr.data.sources.strays import find_strays

_TOP: Final = 2


class DirectorySource(ImageFiles):
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
        files = sort_paths(in_splits) or list_images(self.root)
        found = [self._describe(file) for file in files]
        self.classes = tuple(sorted({image.label for image in found}))
        return found

    def find_strays(self) -> list[Stray]:
        """Find what is passed over; see `find_strays`."""
        splits = [split for split in SPLITS if (self.root / split).is_dir()]
        return find_strays(self.root, splits)

    def _describe(self, file: Path) -> FoundImage:
        path = name_below(self.root, file)
        parts = path.split("/")
        split = parts[0] if parts[0] in SPLITS and len(parts) > _TOP else ""
        label = parts[1] if split else ""
        return FoundImage(file, path, label, path, split)
