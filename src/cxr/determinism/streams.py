"""Random streams: every consumer has its own, derived from the root seed and its purpose.

A stream is named by ``(root, purpose, *indices)`` and depends on nothing else. So the number of
loader workers, a resumed run, an evaluation in between or a new consumer cannot shift another
stream. Nothing here needs torch; only the array methods need NumPy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cxr.determinism.threefry import WORD_MASK, threefry2x32

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GENERATOR: Final = "threefry2x32-20"
"""Name of the generator, as the manifest records it."""

MAX_SEED: Final = 2**64 - 1

PURPOSES: Final[dict[str, str]] = {
    "init": "one stream: initial weights",
    "weights": "indices (parameter, later draws of it): initial weights at the level portable",
    "order": "indices (epoch): order of the training samples",
    "augment": "indices (epoch, sample): augmentation of one sample",
    "step": "indices (step): global generators before a training step",
    "draw": "indices (step, shard, number): what a shard draws, as dropout, at the level portable",
    "evaluation": "one stream: global generators before an evaluation",
    "split": "indices (group): validation split; root is data.split_seed",
    "synthetic": "indices (split): synthetic vectors; root is data.synthetic.seed",
    "radiograph": "indices (split, class, number): a drawn radiograph; root is its own seed",
    "bootstrap": "indices (replicate): which groups one resample takes",
    "stress": "indices (run, what): what is around a run of cxr repeat --stress",
    "global": "indices (library): cxr.seed_everything",
}
"""Every purpose a stream is derived for, with the range of its indices."""

Key = tuple[int, int]


def derive_key(root: int, purpose: str, *indices: int | str) -> Key:
    """Return the two 32-bit key words of the stream ``(root, purpose, *indices)``.

    Args:
        root: The 64-bit root seed.
        purpose: One of `PURPOSES`.
        indices: What tells this stream from others of its purpose.

    Returns:
        The first eight bytes, big-endian, of the SHA-256 of the canonical JSON list of them all.
    """
    name = json.dumps([root, purpose, *indices], separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(name.encode("ascii")).digest()
    return int.from_bytes(digest[0:4], "big"), int.from_bytes(digest[4:8], "big")


def derive_seed(root: int, purpose: str, *indices: int | str) -> int:
    """Return a 64-bit seed for somebody else's generator: the first block of the stream."""
    return derive_stream(root, purpose, *indices).uint64()


def derive_stream(root: int, purpose: str, *indices: int | str) -> Stream:
    """Return the stream ``(root, purpose, *indices)`` at its beginning."""
    return Stream(derive_key(root, purpose, *indices))


@dataclass(slots=True)
class Stream:
    """A sequence of 64-bit blocks; the only state is how many were taken."""

    key: Key
    position: int = field(default=0)

    def uint64(self) -> int:
        """Take one block, as an integer in [0, 2^64)."""
        counter = (self.position & WORD_MASK, (self.position >> 32) & WORD_MASK)
        self.position += 1
        low, high = threefry2x32(self.key, counter)
        return int(low) | (int(high) << 32)

    def uniform(self) -> float:
        """Take one block, as a float64 in [0, 1) with 53 random bits."""
        return (self.uint64() >> 11) * 2.0**-53

    def below(self, bound: int) -> int:
        """Take an integer in [0, bound) without bias.

        Args:
            bound: From 1 to 2^64.

        Source: Lemire, "Fast random integer generation in an interval", TOMACS 2019.
        """
        threshold = (2**64 - bound) % bound
        while True:
            product = self.uint64() * bound
            if product & MAX_SEED >= threshold:
                return product >> 64

    def uint64_array(self, num: int) -> NDArray[np.uint64]:
        """Take ``num`` blocks as an array of shape (num,), dtype uint64."""
        blocks: NDArray[np.uint64] = uint64_matrix([self.key], num, start=self.position)[0]
        self.position += num
        return blocks

    def permutation(self, num: int) -> NDArray[np.int64]:
        """Take ``num`` blocks and return the order that sorts them: shape (num,), dtype int64.

        Equal blocks keep their index order, so the result is defined on every machine.
        """
        import numpy as np

        order: NDArray[np.int64] = np.argsort(self.uint64_array(num), kind="stable")
        return order.astype(np.int64, copy=False)


def uint64_matrix(keys: Sequence[Key], num: int, *, start: int = 0) -> NDArray[np.uint64]:
    """Return blocks ``start`` to ``start + num`` of several streams at once.

    Args:
        keys: Keys of the streams.
        num: Blocks to take from each.
        start: The first block.

    Returns:
        Shape (len(keys), num), dtype uint64; the same numbers as `Stream.uint64` gives one by one.
    """
    import numpy as np

    words = np.asarray(keys, dtype=np.uint64).reshape(len(keys), 2)
    positions = np.arange(start, start + num, dtype=np.uint64)[None, :]
    mask = np.uint64(WORD_MASK)
    shift = np.uint64(32)
    low, high = threefry2x32((words[:, :1], words[:, 1:]), (positions & mask, positions >> shift))
    blocks: NDArray[np.uint64] = low | (high << shift)
    return blocks


def uint32_matrix(keys: Sequence[Key], num: int) -> NDArray[np.uint32]:
    """Return the words of the first blocks of several streams, the low word of each block first.

    Faster than `uint64_matrix`, because the steps are taken in 32 bits.

    Args:
        keys: Keys of the streams.
        num: Blocks to take from each, at most 2^32.

    Returns:
        Shape (len(keys), 2 num), dtype uint32.
    """
    import numpy as np

    words = np.asarray(keys, dtype=np.uint32).reshape(len(keys), 2)
    positions = np.arange(num, dtype=np.uint32)[None, :]
    blocks = threefry2x32((words[:, :1], words[:, 1:]), (positions, np.zeros_like(positions)))
    return np.stack(blocks, axis=2).reshape(len(keys), 2 * num)
