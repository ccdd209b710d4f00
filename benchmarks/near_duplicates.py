"""How well a changed copy of a picture is told from other pictures, and how long the search takes.

Some images of a folder are changed as copies are in practice: saved again, resized, brightened,
cropped. Shown for each change is how many of the copies are near their original, in cxr's own hash
and in the difference hash of as many bits (dHash), each at its own distance. That of dHash is the
largest without a false alarm in this folder, which favours it. A false alarm is a pair of different
files within the distance; look at the pairs that are listed, for they may be true.

Then many hashes, each a mixture of two real ones so that they are as alike as real ones, are
searched for close pairs. Without a folder, radiographs are drawn.

    uv run python benchmarks/near_duplicates.py
    uv run python benchmarks/near_duplicates.py --folder DIR --hashes 50000 500000 --json near.json
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from cxr.data.checks.near_search import MAX_DISTANCE, find_clusters, pack_words
from cxr.data.drawing.radiographs import SynthPlan, write_dataset
from cxr.data.inspection.likeness import NUM_BITS, derive_likeness
from cxr.data.prefetch import prefetch
from cxr.data.sources.folder import list_images
from cxr.digests.canonical import digest_bytes
from result import Result, Table

Picture = Image.Image
Hash = Callable[[Picture], int | None]
Hashes = dict[Path, int | None]

BILINEAR: Final = Image.Resampling.BILINEAR
SEED: Final = 1
_SHOWN_PAIRS: Final = 10
_DRAWN: Final = SynthPlan(seed=SEED, size_px=224, train=300, val=50, test=50)


def main() -> None:
    """Measure and show."""
    options = _parse()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder
        if folder is None:
            folder = Path(name) / "drawn"
            write_dataset(folder, _DRAWN)
        files = list_images(folder)
        contents = {digest_bytes(file.read_bytes()): file for file in files}
        distinct = sorted(contents.values())
        rng = np.random.default_rng(SEED)
        chosen = [distinct[place] for place in rng.permutation(len(distinct))[: options.images]]
        hashes, others = derive_all(distinct)
        own, pairs = measure_hash(derive_likeness, hashes, chosen, limit=MAX_DISTANCE)
        other, _ = measure_hash(derive_difference_hash, others, chosen, limit=None)
        searches = time_searches(hashes, options.hashes)
        shown = [
            (str(distance), str(a.relative_to(folder)), str(b.relative_to(folder)))
            for distance, a, b in pairs
        ]

    result = Result(
        benchmark="near_duplicates",
        settings={
            "folder": "given" if options.folder else "drawn",
            "images": len(files),
            "copies": len(chosen),
            "max_distance": MAX_DISTANCE,
        },
        figures={"own": own, "difference_hash": other, "false_alarms": shown, "searches": searches},
        tables=[
            show_recall(own, other),
            Table(
                title=f"Pairs of different files within {MAX_DISTANCE} bits: {len(shown)}",
                header=("bits", "file", "file"),
                rows=shown[:_SHOWN_PAIRS],
            ),
            Table(
                title="Search",
                header=("hashes", "seconds", "near", "peak MiB of this process so far"),
                rows=[
                    (f"{num:,}", f"{seconds:.2f}", f"{near:,}", f"{mib:,}")
                    for num, seconds, near, mib in searches
                ],
            ),
        ],
    )
    result.show(options.json)


def change_copies() -> dict[str, Callable[[Picture], Picture]]:
    """Return what is done to a picture, by name."""
    return {
        "JPEG, quality 60": lambda picture: save_again(picture, "JPEG", quality=60),
        "JPEG, quality 75": lambda picture: save_again(picture, "JPEG", quality=75),
        "JPEG, quality 90": lambda picture: save_again(picture, "JPEG", quality=90),
        "PNG of it": lambda picture: save_again(picture, "PNG"),
        "grey to RGB": lambda picture: picture.convert("L").convert("RGB"),
        "10 % smaller": lambda picture: resize(picture, 0.9),
        "10 % larger": lambda picture: resize(picture, 1.1),
        "5 % brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.05),
        "5 % darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.95),
        "10 % more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.1),
        "a row of pixels less": lambda p: p.crop((0, 0, p.width, p.height - 1)),
        "cropped by 1 %": lambda picture: crop(picture, 0.01),
        "cropped by 2 %": lambda picture: crop(picture, 0.02),
        "cropped by 4 %": lambda picture: crop(picture, 0.04),
        "turned by 1 degree": lambda picture: picture.rotate(1, BILINEAR),
        "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    }


def save_again(picture: Picture, kind: str, **options: int) -> Picture:
    """Return a picture as it is after saving and opening it."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return Image.open(io.BytesIO(stream.getvalue()))


def resize(picture: Picture, factor: float) -> Picture:
    """Return a picture of another size."""
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), BILINEAR)


def crop(picture: Picture, share: float) -> Picture:
    """Return a picture without half the share of its width and height at each side."""
    left, top = round(picture.width * share / 2), round(picture.height * share / 2)
    return picture.crop((left, top, picture.width - left, picture.height - top))


def derive_difference_hash(grey: Picture) -> int:
    """Return the difference hash of 16 x 16 bits.

    Source: N. Krawetz, "Kind of Like That" (2013).
    """
    cells = np.asarray(grey.resize((17, 16), Image.Resampling.BOX))
    return int.from_bytes(np.packbits(cells[:, :-1] < cells[:, 1:]).tobytes(), "big")


def derive_all(files: Sequence[Path]) -> tuple[Hashes, Hashes]:
    """Return cxr's hash and the difference hash of each file, each file read once."""
    pictures = prefetch(open_grey, files, workers=os.cpu_count() or 1)
    pairs = [(derive_likeness(grey), derive_difference_hash(grey)) for grey in pictures]
    own, other = zip(*pairs, strict=True)
    return dict(zip(files, own, strict=True)), dict(zip(files, other, strict=True))


def measure_hash(
    derive: Hash, hashes: Hashes, chosen: Sequence[Path], *, limit: int | None
) -> tuple[dict[str, object], list[tuple[int, Path, Path]]]:
    """Return how a hash does, and the pairs of different files within the distance.

    Args:
        derive: The hash.
        hashes: Of all files, none of them equal to another.
        chosen: Those that are copied and changed.
        limit: Largest distance that counts as near; None for the largest without a false alarm.
    """
    known = [file for file, one in hashes.items() if one is not None]
    distances = measure_all_pairs([hashes[file] or 0 for file in known])
    nearest = int(distances.min())
    limit = nearest - 1 if limit is None else limit
    pairs = [
        (int(distances[low, high]), known[low], known[high])
        for low, high in np.argwhere(distances <= limit)
    ]
    changes: dict[str, object] = {}
    for name, change in change_copies().items():
        found = [
            (after ^ before).bit_count()
            for file in chosen
            if (before := hashes[file]) is not None
            and (after := derive(change(Image.open(file)).convert("L"))) is not None
        ]
        near = sum(distance <= limit for distance in found)
        changes[name] = {"found": near, "of": len(chosen), "largest_distance": max(found)}
    figures = {
        "limit": limit,
        "nearest_other": nearest,
        "false_alarms": len(pairs),
        "without_hash": len(hashes) - len(known),
        "changes": changes,
    }
    return figures, sorted(pairs)


def open_grey(file: Path) -> Picture:
    """Return a file's picture as grey."""
    with Image.open(file) as picture:
        return picture.convert("L")


def measure_all_pairs(hashes: Sequence[int]) -> NDArray[np.uint16]:
    """Return the distances of all pairs, each once: shape (N, N), the rest `NUM_BITS`."""
    words = np.array([list(one.to_bytes(NUM_BITS // 8, "big")) for one in hashes], dtype=np.uint8)
    words = words.view(np.uint64)
    distances = np.full((len(words), len(words)), NUM_BITS, dtype=np.uint16)
    for row in range(len(words) - 1):
        distances[row, row + 1 :] = np.bitwise_count(words[row + 1 :] ^ words[row]).sum(axis=1)
    return distances


def show_recall(own: dict[str, object], other: dict[str, object]) -> Table:
    """Return the table of what was found of each change."""
    rows = [
        (
            name,
            *(
                text
                for figures in (own, other)
                for text in (
                    f"{figures['changes'][name]['found'] / figures['changes'][name]['of']:.1%}",
                    str(figures["changes"][name]["largest_distance"]),
                )
            ),
        )
        for name in own["changes"]
    ]
    titles = [
        f"{name}: near is up to {figures['limit']} bits; the nearest other picture is at"
        f" {figures['nearest_other']}; {figures['false_alarms']} pairs of others are near"
        for name, figures in (("cxr", own), ("dHash", other))
    ]
    return Table(
        title="\n".join(titles),
        header=("change", "cxr", "bits", "dHash", "bits"),
        rows=rows,
    )


def time_searches(of_files: Hashes, numbers: Sequence[int]) -> list[tuple[int, float, int, int]]:
    """Search the folder's own hashes, and larger numbers of mixtures of them.

    Returns:
        Number of hashes, seconds, hashes with a near one, and the process's peak memory until
        then in MiB.
    """
    real = sorted({one for one in of_files.values() if one is not None})
    rng = np.random.default_rng(SEED)
    rows = []
    for num in (len(real), *numbers):
        hashes = real if num == len(real) else sorted(mix_hashes(real, num, rng))
        start = time.perf_counter()
        clusters = find_clusters(pack_words(hashes))
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        rows.append((num, seconds, sum(map(len, clusters)), peak))
    return rows


def mix_hashes(real: Sequence[int], num: int, rng: np.random.Generator) -> set[int]:
    """Return different hashes, each of whose bits is that of one of two real hashes."""
    mixed: set[int] = set()
    while len(mixed) < num:
        one, two = (real[place] for place in rng.integers(len(real), size=2))
        mask = int.from_bytes(rng.bytes(NUM_BITS // 8), "big")
        mixed.add(one & mask | two & ~mask)
    return mixed


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the search for near-duplicates.")
    parser.add_argument("--folder", type=Path, help="images of your own; default: drawn ones")
    parser.add_argument("--images", type=int, default=200, help="images to copy and change")
    parser.add_argument("--hashes", type=int, nargs="*", default=[20_000], help="sizes to search")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
