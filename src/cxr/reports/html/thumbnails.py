"""Small pictures of a data set's images, once each is known to be the one that the run used."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from cxr.bounded_file import read_bounded
from cxr.config.data_section import DataConfig
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError, UsageError
from cxr.records.data_lock import Sample
from cxr.reports.html.blocks import Picture

SIZE_PX: Final = 144
"""Height and width of a picture."""

_MAX_BYTES: Final = 256 * 2**20
_SOURCES: Final = ("folder", "csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnails:
    """Draws images of one data set as the model sees them: the same channels, square.

    Attributes:
        root: The directory below which the samples' paths are.
        config: How the run read its images.
    """

    root: Path
    config: DataConfig

    def draw(self, sample: Sample, caption: str) -> Picture:
        """Return the picture of a sample.

        Args:
            sample: Of the run's lock.
            caption: What stands below it.

        Raises:
            DataError: The file is missing, is another one, or cannot be decoded.
        """
        from PIL import Image

        from cxr.data.decoding.decode import DecodePlan, decode_image
        from cxr.data.decoding.window import derive_window

        plan = DecodePlan(
            size_px=SIZE_PX,
            channels=self.config.channels,
            resample=self.config.resample,
            window=derive_window(self.config.window),
        )
        pixels = decode_image(self._read(sample), plan, where=sample.path)
        image = Image.fromarray(pixels[..., 0] if plan.channels == 1 else pixels)
        content = io.BytesIO()
        image.save(content, format="PNG")
        return Picture(
            png=content.getvalue(),
            width_px=SIZE_PX,
            height_px=SIZE_PX,
            description=f"Radiograph {sample.path}, label {sample.label}",
            caption=caption,
        )

    def _read(self, sample: Sample) -> bytes:
        """Return the bytes that the lock names.

        Raises:
            DataError: They are not there.
        """
        path = PurePosixPath(sample.path)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(
                "a sample's path leads out of the data set",
                where=sample.path,
                hint="the record was edited; restore it, or leave --data out",
            )
        try:
            content = read_bounded(self.root / path, max_bytes=_MAX_BYTES)
        except OSError as error:
            raise DataError(
                f"cannot read an image of the run: {error.strerror or error}",
                where=str(self.root / path),
                hint="say with --data which directory the run's paths are below",
            ) from error
        if digest_bytes(content) != sample.sha256:
            raise DataError(
                "an image is not the one that the run used",
                where=str(self.root / path),
                hint="cxr data verify DIR --lock RUN/data.lock.json names what differs",
            )
        return content


def open_thumbnails(root: Path, config: DataConfig) -> Thumbnails:
    """Return what draws the images below a root.

    Raises:
        UsageError: There is no such directory, or the run's images are no files.
    """
    if config.source not in _SOURCES:
        raise UsageError(
            f"images of the source {config.source} are no files that could be shown",
            where=f"--data {root}",
            hint="leave --data out: the report is made from the records alone",
        )
    if not root.is_dir():
        raise UsageError(
            "there is no such directory",
            where=f"--data {root}",
            hint="name the directory that the run's paths are below",
        )
    return Thumbnails(root=root, config=config)
