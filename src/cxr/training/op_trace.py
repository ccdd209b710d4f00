"""Watching single ops: the digest of everything that each of them wrote, and in which module.

A step's trace says which tensor differs; this says which op made it differ. It costs many times
the step itself, so it is used where two runs of one step have already been seen to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.module_tracker import ModuleTracker

from cxr.digests.tensors import digest_value
from cxr.records.op_record import OpRecord, find_first_difference

_NOT_WRITTEN: Final = ("aten.empty", "aten.new_empty", "aten._efficientzerotensor")
"""Ops whose output nobody has written yet: it holds whatever the memory held."""


class OpTrace(TorchDispatchMode):
    """A context in which every op is recorded.

    Args:
        keep: Number of the op whose outputs are kept in `kept`; None for none.

    Attributes:
        records: The ops so far, in the order that they ran.
        kept: Copies of the outputs of one op, on the CPU.
        kept_places: Where in memory each of these lay.
    """

    def __init__(self, *, keep: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.records: list[OpRecord] = []
        self.kept: list[torch.Tensor] = []
        self.kept_places: list[int] = []
        self._keep = keep
        self._modules = ModuleTracker()

    def __enter__(self) -> Self:
        """Begin to record."""
        self._modules.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *details: object) -> None:
        """End recording."""
        super().__exit__(*details)  # type: ignore[no-untyped-call]
        self._modules.__exit__(*details)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an op and record what it wrote."""
        del types
        found = func(*args, **(kwargs or {}))
        if not str(func).startswith(_NOT_WRITTEN):
            written = list(_find_written(func, args, kwargs or {}, found))
            if written:
                self._record(func, written)
        return found

    def _record(self, func: Any, written: list[torch.Tensor]) -> None:
        if len(self.records) == self._keep:
            self.kept = [tensor.detach().cpu().clone() for tensor in written]
            self.kept_places = [tensor.data_ptr() for tensor in written]
        self.records.append(
            OpRecord(
                op=str(func),
                module=_name_innermost(self._modules.parents),
                backward=bool(self._modules.is_bw),
                outputs=tuple(digest_value(tensor).hex() for tensor in written),
            )
        )


def find_unrepeatable_op(run: Callable[[], object], *, attempts: int) -> OpRecord | None:
    """Run something again and again under trace until an op gives other bits than the first time.

    Args:
        run: Starts from the same state each time that it is called.
        attempts: How often, besides the first.

    Returns:
        The first op that differed, or None if all attempts agreed.
    """
    with OpTrace() as first:
        run()
    for _ in range(attempts):
        with OpTrace() as again:
            run()
        number = find_first_difference(first.records, again.records)
        if number is not None and number < len(first.records):
            return first.records[number]
    return None


def _find_written(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], found: Any
) -> Iterator[torch.Tensor]:
    """Yield the tensors that an op computed: returned new ones, and arguments that it wrote to.

    A view of an argument is not computed; an argument that is written to and returned counts once.
    """
    schema = func._schema  # noqa: SLF001 - the one place where torch keeps it
    returned = found if len(schema.returns) > 1 else (found,)
    for value, description in zip(returned, schema.returns, strict=False):
        if description.alias_info is None:
            yield from _take_tensors(value)
    for position, description in enumerate(schema.arguments):
        if description.alias_info is not None and description.alias_info.is_write:
            by_name = kwargs.get(description.name)
            yield from _take_tensors(args[position] if position < len(args) else by_name)


def _take_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in a value, whose bytes can be read."""
    for leaf in tree_leaves(value):
        if isinstance(leaf, torch.Tensor) and leaf.layout is torch.strided:
            yield leaf


def _name_innermost(parents: Iterable[str]) -> str:
    """Return the path of the innermost of nested modules, without the outermost class's name."""
    deepest = max(parents, key=lambda name: (name.count("."), name))
    return deepest.partition(".")[2]
