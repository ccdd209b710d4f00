"""Threefry-2x32 with 20 rounds: a counter-based generator made of 32-bit integer steps.

One implementation serves Python integers, NumPy arrays and torch tensors, because it only adds,
shifts, masks and exclusive-ors values held in 64 bits, or in 32 that wrap. There is no state: the
same key and counter give the same block on every machine.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11; rotation
constants and parity as in the Random123 reference, whose known-answer vectors are in the tests.
"""

from __future__ import annotations

from typing import Any, Final

WORD_MASK: Final = 0xFFFFFFFF
_PARITY: Final = 0x1BD11BDA
_ROTATIONS: Final = ((13, 15, 26, 6), (17, 29, 16, 24))
_NUM_ROUNDS: Final = 20
_ROUNDS_PER_INJECTION: Final = 4


def threefry2x32(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the block of two 32-bit words at ``counter`` of the stream ``key``.

    Args:
        key: Two words: Python integers, or arrays of integers of 64 bits or unsigned ones of 32.
        counter: Two words of the same kind, broadcastable against the key.

    Returns:
        Two words in [0, 2^32), of the kind that was given.
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    left = (counter[0] + schedule[0]) & WORD_MASK
    right = (counter[1] + schedule[1]) & WORD_MASK
    for round_index in range(_NUM_ROUNDS):
        injection, position = divmod(round_index, _ROUNDS_PER_INJECTION)
        rotation = _ROTATIONS[injection % 2][position]
        left = (left + right) & WORD_MASK
        right = ((right << rotation) & WORD_MASK) | (right >> (32 - rotation))
        right = right ^ left
        if position == _ROUNDS_PER_INJECTION - 1:
            number = injection + 1
            left = (left + schedule[number % 3]) & WORD_MASK
            right = (right + schedule[(number + 1) % 3] + number) & WORD_MASK
    return left, right
