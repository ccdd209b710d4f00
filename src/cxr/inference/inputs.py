"""Finding the images that somebody names: files, folders, and the arrays of an npz file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cxr.config.data_section import DataConfig
from cxr.data.decoding.decode import DecodePlan
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.inspection.look import Look
from cxr.data.sources.image_files import ImageFiles
from cxr.data.sources.listing import list_images
from cxr.data.sources.npz import NpzSource
from cxr.data.sources.source import FoundImage, Stray
from cxr.data.sources.strays import find_strays
from cxr.errors import DataError, UsageError
from cxr.inference.answers import NO_IMAGES, UNREADABLE, Refusal
from cxr.plain_text import is_plain_text, list_first

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NPZ: Final = ".npz"
_NAMED: Final = 5


class ImageReader(Protocol):
    """What reads, inspects and decodes an image: the part of a source that needs no set."""

    def read(self, image: FoundImage) -> bytes:
        """Return the bytes that stand for an image; see `Source.read`."""

    def inspect(
        self, samples: Sequence[tuple[FoundImage, bytes]], by: InspectFiles = inspect_files
    ) -> list[Look]:
        """Say what images are, and what is wrong with them; see `Source.inspect`."""

    def decode(self, image: FoundImage, content: bytes, plan: DecodePlan) -> NDArray[np.uint8]:
        """Return the pixels of what `read` returned; see `Source.decode`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One image to be predicted.

    Attributes:
        path: What the answer calls it: as it was named, or found below what was.
        image: The image, as its reader knows it; it has no label.
        reader: Reads it.
    """

    path: str
    image: FoundImage
    reader: ImageReader


@dataclass(slots=True, kw_only=True)
class Inputs:
    """What was found behind the names.

    Attributes:
        images: In the order in which they were named, those of a folder sorted by path.
        refused: Names behind which no image can be found.
        passed_over: What lies in folders and is not read; see `find_strays`.
        num_repeated: Images that were named more than once; each is answered once.
    """

    images: list[Input] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    passed_over: list[Stray] = field(default_factory=list)
    num_repeated: int = 0


def find_inputs(names: Sequence[Path], config: DataConfig) -> Inputs:
    """Find the images behind names, without reading any.

    A folder stands for every image below it. Where a run's source is an npz file, such a file
    stands for every row of its arrays. Anything else is taken for an image file, whatever its name.

    Args:
        names: Files and folders.
        config: The run's data section.

    Raises:
        DataError: There is no image behind any of them.
    """
    inputs, seen = Inputs(), set[tuple[str, str]]()
    for name in names:
        try:
            for found in _find_behind(name, config, inputs):
                # By its place and not by what a link leads to: two names are two answers.
                key = (os.path.abspath(found.image.file), found.image.path)  # noqa: PTH100 - a text
                own = key if isinstance(found.reader, NpzSource) else (key[0], "")
                if own in seen:
                    inputs.num_repeated += 1
                    continue
                seen.add(own)
                inputs.images.append(found)
        except DataError as error:
            inputs.refused.append(Refusal(path=str(name), kind=UNREADABLE, detail=error.problem))
    if not inputs.images:
        said = [f"{one.path}: {one.detail}" for one in inputs.refused]
        raise DataError(
            "there is no image to predict",
            where="\n         ".join(list_first(said, _NAMED)),
            hint="name image files, or folders that hold some",
        )
    return inputs


def require_no_input(path: Path, names: Sequence[Path], inputs: Inputs) -> None:
    """Refuse to write over what is to be read.

    Args:
        path: What would be written; links are followed.
        names: Files and folders, as they were named.
        inputs: What was found behind them.

    Raises:
        UsageError: It is one of them.
    """
    taken = _identify(path)
    if taken is None:
        return
    # Rows of an npz file share one: it is asked for once.
    files = dict.fromkeys([*names, *(one.image.file for one in inputs.images)])
    for file in files:
        if _identify(file) == taken:
            raise UsageError(
                "the table would be written over one of the images",
                where=f"{path}, which is {file}" if path != file else str(path),
                hint="name another file with --csv",
            )


def _identify(path: Path) -> tuple[int, int] | None:
    """Return what two names of one file share; None where there is none that can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _find_behind(name: Path, config: DataConfig, inputs: Inputs) -> Iterator[Input]:
    """Yield the images behind one name.

    Raises:
        DataError: It is a folder that cannot be listed, an npz file that cannot be read, or its
            name is no plain text.
    """
    if not is_plain_text(str(name)):
        raise DataError(
            "a name holds control characters or is not Unicode",
            where=ascii(str(name)),
            hint="rename the file or folder",
        )
    if os.path.isdir(name):  # noqa: PTH112 - pathlib's raises where a parent cannot be searched
        yield from _find_below(name, inputs)
    elif config.source == "npz" and name.suffix.lower() == _NPZ:
        source = NpzSource(config.model_copy(update={"root": str(name)}))
        for image in source.find():
            yield Input(path=f"{name}#{image.path}", image=image, reader=source)
    else:
        yield describe_file(name)


def _find_below(folder: Path, inputs: Inputs) -> Iterator[Input]:
    """Yield the images below a folder, and note what is passed over there."""
    files = list_images(folder)
    strays = find_strays(folder, ())
    inputs.passed_over += [(str(folder / path), kind, said) for path, kind, said in strays]
    if not files:
        detail = "no image below it, by suffix"
        inputs.refused.append(Refusal(path=str(folder), kind=NO_IMAGES, detail=detail))
    yield from map(describe_file, files)


def describe_file(file: Path) -> Input:
    """Return one image file as an input; it is not looked at."""
    path = str(file)
    image = FoundImage(file=file, path=path, label="", group=path, split="")
    return Input(path=path, image=image, reader=ImageFiles())
