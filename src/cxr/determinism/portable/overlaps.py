"""Tensors written in place: what is read and written at once depends on who comes first.

torch refuses most of that itself, but not where an overlap is laborious to find; there its threads,
and its kernels' vectors, read some elements before they are written and some after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from cxr.determinism.portable.errors import UnsupportedError

Tensor = torch.Tensor
_Call = Callable[[tuple[Any, ...], dict[str, Any]], Any]


def guard_writes(func: Any, call: _Call) -> _Call:
    """Return a call that first looks whether what it writes is apart from what it reads.

    Args:
        func: The op; its schema says what is written.
        call: What computes it.
    """
    arguments = func._schema.arguments  # noqa: SLF001 - torch has no other name for it
    written = [
        (place, argument.name)
        for place, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    if not written:
        return call

    def guarded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        read = list(_iterate_tensors((*args, *kwargs.values())))
        for place, name in written:
            value = args[place] if place < len(args) else kwargs.get(name)
            for target in _iterate_tensors((value,)):
                _require_apart(target, read)
        return call(args, kwargs)

    return guarded


def share_memory(one: Tensor, other: Tensor) -> bool:
    """Say whether two tensors lie in one storage, whichever parts of it they are."""
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _require_apart(target: Tensor, read: Iterable[Tensor]) -> None:
    """Refuse to write where an element is written twice, or read by the side.

    Raises:
        UnsupportedError: So it is.
    """
    if target.is_meta or not target.numel():
        return
    if _overlaps_itself(target):
        raise UnsupportedError("writing to a tensor whose elements share memory")
    for other in read:
        if other is target or other.is_meta or not other.numel():
            continue
        if share_memory(target, other) and _overlap(target, other):
            raise UnsupportedError("writing to memory that is also read as another tensor")


def _overlaps_itself(tensor: Tensor) -> bool:
    """Say whether two indices may name one element; exact for whatever slicing can make."""
    if tensor.is_contiguous():
        return False
    extent = 1
    for stride, size in sorted(_find_layout(tensor)):
        if stride < extent:
            return True
        extent = stride * (size - 1) + extent
    return False


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Say whether two different tensors of one storage have an element in common."""
    same_type = one.dtype == other.dtype
    if (
        same_type
        and one.storage_offset() == other.storage_offset()
        and _find_layout(one) == _find_layout(other)
    ):
        # Each element is read before it is written, and by the same thread.
        return False
    (first, last), (first_other, last_other) = _find_bytes(one), _find_bytes(other)
    if last <= first_other or last_other <= first:
        return False
    if not same_type:
        return True
    start = int(min(one.storage_offset(), other.storage_offset()))
    length = (max(last, last_other) - min(first, first_other)) // one.element_size()
    marks = torch.zeros(length, dtype=torch.bool)
    _select(marks, one, start).fill_(True)
    return bool(_select(marks, other, start).any())


def _select(marks: Tensor, tensor: Tensor, start: int) -> Tensor:
    """Return the marks that stand for a tensor's elements."""
    return marks.as_strided(tensor.shape, tensor.stride(), int(tensor.storage_offset()) - start)


def _find_layout(tensor: Tensor) -> list[tuple[int, int]]:
    """Return stride and length of each dimension that has more than one place."""
    return [
        (stride, size)
        for stride, size in zip(tensor.stride(), tensor.shape, strict=True)
        if size > 1
    ]


def _find_bytes(tensor: Tensor) -> tuple[int, int]:
    """Return where in its storage a tensor begins and ends."""
    first = int(tensor.storage_offset())
    last = first + sum(int(stride) * (size - 1) for stride, size in _find_layout(tensor))
    return first * tensor.element_size(), (last + 1) * tensor.element_size()


def _iterate_tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _iterate_tensors(value)
