"""Initial weights that depend on the seed and on names, never on the order of calls.

A library draws the weights of one layer after another, and some of them twice: every new layer or
default would shift all that are drawn later. Here the stream of a draw is named by the parameter or
buffer that it is written to, and by how many more draws that one gets, so that its last one has the
same stream however often it was drawn before. The name is known only when the network stands, so
the network is built twice: once to see which draw goes where, then with the right streams.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, TypeVar

import torch
from torch import nn

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.random.drawing import drawing_from
from cxr.determinism.streams import Key, derive_key

PURPOSE: Final = "weights"
TEMPORARY: Final = ""
"""In place of a name, for what no parameter or buffer shares its memory with."""
MOST_DRAWS: Final = 2**14
"""More than a model has tensors: whoever draws more repeats it until the numbers suit."""

_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class DrawName:
    """What a draw writes, and how many more draws that gets; temporaries are counted likewise."""

    tensor: str
    later: int
    shape: tuple[int, ...]


@dataclass(slots=True)
class _NotedDraws:
    """Draws nothing, and keeps what was to be drawn: while it is kept, no memory is used twice."""

    drawn: list[torch.Tensor] = field(default_factory=list)

    def take_key(self, drawn: torch.Tensor) -> None:
        if len(self.drawn) == MOST_DRAWS:
            raise _refuse()
        self.drawn.append(drawn.detach())


@dataclass(slots=True)
class _NamedDraws:
    """Draws from the stream that is named after what is drawn."""

    seed: int
    names: Sequence[DrawName]
    num_taken: int = 0

    def take_key(self, drawn: torch.Tensor) -> Key:
        name = self.names[self.num_taken] if self.num_taken < len(self.names) else None
        if name is None or name.shape != tuple(drawn.shape):
            raise _refuse()
        self.num_taken += 1
        return derive_key(self.seed, PURPOSE, name.tensor, name.later)


def build_portably(build: Callable[[], _Network], seed: int) -> _Network:
    """Build a network whose weights are drawn from the streams of their names.

    Args:
        build: Builds it, each time in the same way. It is called twice, in the portable arithmetic.
        seed: The root seed.

    Raises:
        UnsupportedError: It is built in another way the second time.
    """
    noted = _NotedDraws()
    with drawing_from(noted), stable_initialisers():
        names = name_draws(build(), noted.drawn)
    noted.drawn.clear()
    named = _NamedDraws(seed, names)
    with drawing_from(named), stable_initialisers():
        network = build()
    if named.num_taken != len(names):
        raise _refuse()
    return network


def name_draws(network: nn.Module, drawn: Sequence[torch.Tensor]) -> list[DrawName]:
    """Name each draw by the parameter or buffer that shares its memory, the first of several."""
    holders: dict[int, str] = {}
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        holders.setdefault(_find_place(tensor), name)
    # What holds nothing has no place.
    holders[0] = TEMPORARY
    held = [holders.get(_find_place(tensor), TEMPORARY) for tensor in drawn]
    left = Counter(held)
    names = []
    for holder, values in zip(held, drawn, strict=True):
        left[holder] -= 1
        names.append(DrawName(holder, left[holder], tuple(values.shape)))
    return names


@contextlib.contextmanager
def stable_initialisers() -> Iterator[None]:
    """Let ``torch.nn.init.trunc_normal_`` draw in one way in the block, whatever torch's version.

    Some versions take the inverse of the distribution function; later ones draw until all numbers
    are inside, as often as it takes. timm has the former as a function of its own.
    """
    name = "_no_grad_trunc_normal_"
    original = getattr(nn.init, name, None)
    if original is None:
        # Drawn again and again, it would be refused.
        yield
        return
    setattr(nn.init, name, truncated_normal_)
    try:
        yield
    finally:
        setattr(nn.init, name, original)


@torch.no_grad()
def truncated_normal_(
    tensor: torch.Tensor, mean: float, std: float, a: float, b: float, generator: Any = None
) -> torch.Tensor:
    """Fill a tensor with normal numbers between ``a`` and ``b``, by one uniform draw.

    The shares below ``a`` and ``b`` come from the platform's erf; `uniform_` rounds them to float32
    before they are used.

    Source: Burkardt, "The truncated normal distribution", 2014; the same steps as timm's.
    """
    below_a, below_b = (math.erf((bound - mean) / std * math.sqrt(0.5)) for bound in (a, b))
    tensor.uniform_(below_a, below_b, generator=generator).erfinv_()
    tensor.mul_(std * math.sqrt(2.0)).add_(mean)
    return tensor.clamp_(min=a, max=b)


def _find_place(tensor: torch.Tensor) -> int:
    """Return where a tensor's memory begins; 0 where it has none."""
    return tensor.untyped_storage().data_ptr()


def _refuse() -> UnsupportedError:
    return UnsupportedError(
        "the model draws its weights in another way each time that it is built, so they cannot be "
        "named"
    )
