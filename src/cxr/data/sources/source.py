"""What a source of samples is: it finds them, reads their bytes, and decodes these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cxr.data.decoding.decode import DecodePlan
from cxr.data.decoding.file_format import SUFFIXES
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.inspection.look import Look

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS: Final = ("train", "val", "test")
IMAGE_SUFFIXES: Final = frozenset(one for several in SUFFIXES.values() for one in several)
"""What is taken for an image by its name: pictures, and DICOM."""


Stray = tuple[str, str, str]
"""A POSIX path below the root, a key of `cxr.data.checks.kinds.KINDS`, and what was found."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A sample, before anything of it was read.

    Attributes:
        file: Where it lies: a file of its own, or the file that holds all samples.
        path: What records call it: a POSIX path below the data set's root.
        label: Name of its class; of several labels, as `cxr.label_text` writes them.
        group: What must not be split: the patient.
        split: ``train``, ``val`` or ``test``.
    """

    file: Path
    path: str
    label: str
    group: str
    split: str


class Source(Protocol):
    """Where samples come from.

    `read`, `inspect` and `decode` are called from several threads at a time.

    Attributes:
        root: The directory, or the file, that holds the samples.
        classes: Class names in label order.
    """

    root: Path
    classes: tuple[str, ...]

    def find(self) -> list[FoundImage]:
        """Find and label every sample: sorted by split, then file name, then path.

        Raises:
            DataError: There is none, or the config's rules do not fit one.
        """

    def find_strays(self) -> list[Stray]:
        """Find what lies among the samples and is passed over; see `find_strays` of folders.

        Raises:
            DataError: A directory cannot be listed.
        """

    def read(self, image: FoundImage) -> bytes:
        """Return the bytes that stand for a sample: those that the lock's digest is of.

        Raises:
            DataError: They cannot be read.
        """

    def inspect(
        self, samples: Sequence[tuple[FoundImage, bytes]], by: InspectFiles = inspect_files
    ) -> list[Look]:
        """Say what samples are, and what is wrong with them; nothing is an error here.

        Args:
            samples: Each with what `read` returned of it.
            by: What inspects the bytes of files, where they are those of files.
        """

    def decode(self, image: FoundImage, content: bytes, plan: DecodePlan) -> NDArray[np.uint8]:
        """Return the pixels of what `read` returned.

        Returns:
            Shape (size_px, size_px, channels), dtype uint8.

        Raises:
            DataError: The content is no image, is damaged, or needs a choice that is not made.
        """
