"""The context that computes portably: every op below autograd goes through the table.

Forward, backward and optimizer alike: torch hands each aten op to `PortableArithmetic` before any
kernel sees it. While an op is computed here the mode is off, so what computes it may use plain
operations of torch, and only those that are portable themselves.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cxr.determinism.portable import table as tables
from cxr.determinism.portable.errors import CHOOSE_ANOTHER, NotFiniteError, UnsupportedError
from cxr.determinism.portable.function_mode import FixedFunctions
from cxr.determinism.portable.memory import keep_freed_memory
from cxr.determinism.portable.overlaps import guard_writes
from cxr.determinism.portable.place import name_place
from cxr.errors import CxrError, DeterminismError, TrainingError

KNOWN_DTYPES: Final = frozenset(
    {torch.float32, torch.float64, torch.bool, torch.uint8}
    | {torch.int8, torch.int16, torch.int32, torch.int64}
)
"""Dtypes of which the table speaks; narrower floats round as each processor pleases."""

_WITHOUT_TENSORS: Final = ("profiler.", "prim.", "inductor.")
"""Namespaces of ops that only tell a profiler, or ask a tensor for its device and size."""

_Call = Callable[[tuple[Any, ...], dict[str, Any]], Any]


@contextlib.contextmanager
def portable_arithmetic(where: str, *, slices: int = 1) -> Iterator[None]:
    """Compute the block portably; the memory of temporaries is kept, where the system allows it.

    Libraries that register ops of their own (timm, torchvision) must be imported before it.

    Args:
        where: What is being computed, for an error (``step 12``).
        slices: Of each operand of a product, one or two.

    Raises:
        DeterminismError: Autocast is on, or an op of the block has no portable form.
        TrainingError: An operand has infinities or NaN.
    """
    if torch.is_autocast_enabled("cpu"):
        raise DeterminismError(
            "autocast is on, and has no portable form",
            where=where,
            hint="set train.precision: float32",
        )
    keep_freed_memory()
    with FixedFunctions(where=where), PortableArithmetic(where=where, table=_load_once(slices)):
        yield


class PortableArithmetic(TorchDispatchMode):
    """A context in which every op gives the same bits on every machine, or is refused.

    Args:
        where: What is being computed, for an error.
        table: Of the ops; by default the whole one.
    """

    def __init__(self, *, where: str, table: tables.Table | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._where = where
        self._table = table if table is not None else _load_once(1)
        self._calls: dict[Any, _Call] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compute an op as the table says.

        Raises:
            DeterminismError: The op has no portable form, or not for these arguments.
            TrainingError: An operand has infinities or NaN.
        """
        del types
        call = self._calls.get(func)
        if call is None:
            call = self._calls[func] = guard_writes(func, self._find_call(func))
        try:
            return call(args, kwargs or {})
        except NotFiniteError as error:
            raise TrainingError(
                f"{func} was given infinities or NaN",
                where=name_place(self._where),
                hint="lower train.lr, or add train.warmup_epochs",
            ) from error
        except UnsupportedError as error:
            raise self._refuse(func, str(error)) from error

    def _find_call(self, func: Any) -> _Call:
        """Return what computes an op."""
        name = str(func)
        if name.startswith(_WITHOUT_TENSORS):
            return lambda args, kwargs: func(*args, **kwargs)
        if name in self._table.replaced:
            return _checked(self._table.replaced[name])
        if (call := _find_native(func, name)) is not None:
            return call
        if torch._C._dispatch_has_kernel_for_dispatch_key(  # noqa: SLF001 - nothing else tells
            func.name(), "CompositeImplicitAutograd"
        ):
            # Without autograd torch hands it over whole: taken apart, its parts come here.
            return self._take_apart(func)
        return self._refusal(func)

    def _take_apart(self, func: Any) -> _Call:
        def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            with self:
                return func.decompose(*args, **kwargs)

        return call

    def _refusal(self, func: Any) -> _Call:
        def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            del args, kwargs
            raise self._refuse(func, "")

        return call

    def _refuse(self, func: Any, reason: str) -> CxrError:
        return DeterminismError(
            f"{func} has no portable form{f': {reason}' if reason else ''}",
            where=name_place(self._where),
            hint=CHOOSE_ANOTHER,
        )


def require_known(values: Iterable[Any]) -> None:
    """Refuse tensors of which the table does not speak.

    Raises:
        UnsupportedError: A dtype, a device or a layout is another one.
    """
    for value in values:
        if isinstance(value, torch.Tensor):
            if value.dtype not in KNOWN_DTYPES:
                raise UnsupportedError(f"tensors of {value.dtype}")
            if value.layout is not torch.strided:
                raise UnsupportedError(f"tensors with the layout {value.layout}")
            if value.device.type not in ("cpu", "meta"):
                raise UnsupportedError(f"tensors on {value.device.type}")
        elif isinstance(value, list | tuple):
            require_known(value)


def _require_integers(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            raise UnsupportedError("tensors of floats")
        if isinstance(value, float):
            raise UnsupportedError("a scalar that is no whole number")
        if isinstance(value, torch.dtype) and value.is_floating_point:
            raise UnsupportedError("a result of floats")


def _find_native(func: Any, name: str) -> _Call | None:
    """Return the call of torch's own kernel, where that is safe."""
    if name in tables.SAFE:
        return _checked(func)
    if name in tables.OF_INTEGERS:
        return _checked(func, of_integers=True)
    return None


def _checked(compute: Callable[..., Any], *, of_integers: bool = False) -> _Call:
    """Return a call that first looks at the tensors."""

    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        require_known(args)
        require_known(kwargs.values())
        if of_integers:
            _require_integers([*args, *kwargs.values()])
            if kwargs.get("stable") is False:
                raise UnsupportedError("an order of equal elements that nobody fixes")
        if kwargs.get("dtype") not in (None, *KNOWN_DTYPES):
            raise UnsupportedError(f"results of {kwargs['dtype']}")
        return compute(*args, **kwargs)

    return call


@functools.cache
def _load_once(slices: int) -> tables.Table:
    """Return the whole table; it does not change while a process runs."""
    return tables.load_table(slices)
