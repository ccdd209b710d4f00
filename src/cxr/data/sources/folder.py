"""Finding images and labels in folders: ``<root>/<split>/<class>/<file>``, as on Kaggle.

Or ``<root>/<class>/<file>``, where the splits are cxr's to make.
"""

from __future__ import annotations

import fnmatch
import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cxr.config.data_section import DataConfig
from cxr.data.groups import derive_group
from cxr.data.sources.assignment import assign_by_group
from cxr.data.sources.image_files import ImageFiles
from cxr.data.sources.listing import list_images, name_below
from cxr.data.sources.source import IMAGE_SUFFIXES, SPLITS, FoundImage, Stray
from cxr.data.sources.strays import find_strays
from cxr.errors import DataError

_HELD: Final = {"splits": "train, val and test", "classes": "a folder for each class"}


class FolderSource(ImageFiles):
    """Image files below a directory, their labels in the names of folders and files."""

    def __init__(self, config: DataConfig) -> None:
        self.root = find_root(config)
        self.classes = config.classes
        self._config = config

    def find(self) -> list[FoundImage]:
        """Find and label every image, without reading any; see `find_images`."""
        return find_images(self.root, self._config)

    def find_strays(self) -> list[Stray]:
        """Find what is passed over; see `find_strays`."""
        return find_strays(self.root, SPLITS if self._config.layout == "splits" else ())


def find_root(config: DataConfig) -> Path:
    """Return the data set's root.

    Raises:
        DataError: It does not exist or is no directory.
    """
    root = Path(config.root or "")
    if not root.is_dir():
        raise DataError(
            "the data set's root is not a directory" if root.exists() else "no such data set",
            where=str(root),
            hint=f"set data.root to the directory that holds {_HELD[config.layout]}",
        )
    return root


def find_images(root: Path, config: DataConfig) -> list[FoundImage]:
    """Find and label every image, without reading any.

    Raises:
        DataError: There is none, a class has none, a file belongs to no class or to two, or a
            directory cannot be listed.
    """
    globs = config.class_globs or {name: f"{glob.escape(name)}/*" for name in config.classes}
    has_splits = config.layout == "splits"
    found: list[FoundImage] = []
    # Without folders of their own, all images are first of the one pool that is divided.
    places = [(name, root / name) for name in SPLITS] if has_splits else [("train", root)]
    for split, directory in places:
        for file in list_images(directory):
            label = _find_class(name_below(directory, file), globs, where=str(file))
            path = name_below(root, file)
            # Without a pattern each file is a patient of its own: two may have one name.
            pattern = config.group_pattern
            group = path if pattern is None else derive_group(file.name, pattern, where=str(file))
            found.append(FoundImage(file, path, label, group, split))
    if not has_splits:
        found = assign_by_group(found, config, pool=SPLITS)
    elif config.validation_fraction:
        found = assign_by_group(found, config, pool=("train", "val"))
    _require_classes(found, root, config)
    return sorted(found, key=lambda image: (image.split, image.file.name, image.path))


def _find_class(place: str, globs: dict[str, str], *, where: str) -> str:
    """Return the one class whose glob matches ``<folder>/<file>``."""
    matching = [name for name, rule in globs.items() if fnmatch.fnmatchcase(place, rule)]
    if len(matching) == 1:
        return matching[0]
    raise DataError(
        f"a file belongs to {'no class' if not matching else ' and '.join(matching)}",
        where=where,
        hint="name its folder in data.classes, or set data.class_globs so that one glob matches",
    )


def _require_classes(found: Sequence[FoundImage], root: Path, config: DataConfig) -> None:
    """Refuse a set without images, or with a class that has none to learn from."""
    has_splits = config.layout == "splits"
    if not found:
        place = "below train, val or test" if has_splits else "below it"
        raise DataError(
            f"no images ({', '.join(sorted(IMAGE_SUFFIXES))}) {place}",
            where=str(root),
            hint=f"set data.root to the directory that holds {_HELD[config.layout]}",
        )
    labels = {image.label for image in found if image.split == "train"}
    if missing := [name for name in config.classes if name not in labels]:
        raise DataError(
            f"no training image of the class {' and '.join(missing)}",
            where=str(root / "train" if has_splits else root),
            hint="add images, or correct data.classes or data.class_globs",
        )
