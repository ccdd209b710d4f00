from __future__ import annotations

import pytest
import torch

from cxr.determinism.portable.exact import backend_choice, digits, planes
from cxr.determinism.portable.exact.backend_choice import NUM_TRIALS, chosen_backend, use_backend
from cxr.determinism.portable.exact.convolution import REPLACED
from cxr.determinism.portable.exact.planes import FLOAT64, INT8
from cxr.determinism.portable.exact.products import matmul
from cxr.determinism.portable.exact.scaling import round_to_grid
from cxr.errors import UsageError
from support.convolutions import LAYERS

ALL_TRIALS = 2 * NUM_TRIALS


class Clock:
    """A clock that only computing moves on."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture(name="clock", autouse=True)
def _clock(monkeypatch):
    """A process that has learnt nothing yet, and whose time the test makes."""
    clock = Clock()
    monkeypatch.setattr(backend_choice._Process, "races", {})
    monkeypatch.setattr(backend_choice, "time", clock)
    monkeypatch.delenv(backend_choice.VARIABLE, raising=False)
    return clock


def run(clock, seconds, *lengths, kind="matrix"):
    """Compute one product, in a time that depends on the backend, and return who did."""
    with chosen_backend(kind, *lengths) as backend:
        clock.now += seconds[backend.name]
    return backend


@pytest.mark.parametrize("fast", [FLOAT64, INT8])
def test_both_are_tried_on_products_that_are_wanted_and_the_faster_stays(clock, fast):
    seconds = {"float64": 2.0, "int8": 2.0} | {fast.name: 1.0}
    tried = [run(clock, seconds, 100, 200, 300) for _ in range(ALL_TRIALS)]
    assert tried.count(FLOAT64) == tried.count(INT8) == NUM_TRIALS
    # What it costs from here on is not looked at any more.
    slow = {"float64": 9.0, "int8": 9.0} | {fast.name: 99.0}
    assert {run(clock, slow, 100, 200, 300) for _ in range(ALL_TRIALS)} == {fast}


def test_a_disturbed_call_does_not_decide(clock):
    for call in range(ALL_TRIALS):
        run(clock, {"float64": 2.0, "int8": 50.0 if call < 2 else 1.0}, 8, 8, 8)
    assert run(clock, {"float64": 0.0, "int8": 0.0}, 8, 8, 8) is INT8


def test_each_class_of_shapes_and_kind_of_product_has_its_own(clock):
    fast_int8, fast_float64 = {"float64": 2.0, "int8": 1.0}, {"float64": 1.0, "int8": 2.0}
    for _ in range(ALL_TRIALS):
        run(clock, fast_int8, 1000, 200, 300)
        run(clock, fast_float64, 2000, 200, 300)
        run(clock, fast_float64, 1000, 200, 300, kind="output")
    # A batch that is a little smaller is of the same class.
    assert run(clock, fast_int8, 900, 200, 300) is INT8
    assert run(clock, fast_int8, 2000, 200, 300) is FLOAT64
    assert run(clock, fast_int8, 1000, 200, 300, kind="output") is FLOAT64


def test_a_product_that_fails_is_not_timed(clock):
    def fail():
        with chosen_backend("matrix", 5):
            _ = 1 / 0

    for _ in range(ALL_TRIALS):
        with pytest.raises(ZeroDivisionError):
            fail()
    assert run(clock, {"float64": 1.0, "int8": 1.0}, 5) is FLOAT64
    assert run(clock, {"float64": 1.0, "int8": 1.0}, 5) is INT8


def test_a_named_backend_takes_everything(clock, monkeypatch):
    equal = {"float64": 1.0, "int8": 1.0}
    for name, backend in (("float64", FLOAT64), ("int8", INT8)):
        monkeypatch.setenv(backend_choice.VARIABLE, name)
        assert {run(clock, equal, 5) for _ in range(ALL_TRIALS)} == {backend}
        # What a block asks for goes before the environment.
        with use_backend("int8" if name == "float64" else "float64"):
            assert run(clock, equal, 5) is not backend
    assert not backend_choice._Process.races
    monkeypatch.setenv(backend_choice.VARIABLE, "float32")
    with pytest.raises(UsageError, match="no backend is called 'float32'"):
        run(clock, equal, 5)


def test_a_backend_is_put_back_after_an_error():
    def fail():
        with use_backend("int8"):
            _ = 1 / 0

    with use_backend("float64"):
        with pytest.raises(ZeroDivisionError):
            fail()
        with chosen_backend("matrix", 1) as backend:
            assert backend is FLOAT64
    with pytest.raises(KeyError):
        use_backend("float32").__enter__()


def compute_all_trials():
    """Return the results of as many calls as are shared out, and one more, of each product."""
    layer = LAYERS["square"]
    x, weight, _, grad = layer.draw()
    a, b = x.flatten(1), grad.flatten(1).t()
    a, b = a[:, : min(a.shape[1], b.shape[0])], b[: min(a.shape[1], b.shape[0])]
    results = []
    for _ in range(ALL_TRIALS + 1):
        output = REPLACED["aten.convolution.default"](x, weight, None, *layer.arguments)
        gradients = REPLACED["aten.convolution_backward.default"](
            grad, x, weight, None, *layer.arguments, [True, True, False]
        )
        results.append([output, *gradients[:2], matmul(a, b)])
    return results


def differ(results):
    return [
        not all(torch.equal(call[place], results[0][place]) for call in results)
        for place in range(len(results[0]))
    ]


def test_no_bit_depends_on_who_computes():
    assert differ(compute_all_trials()) == [False] * 4
    assert len(backend_choice._Process.races) == 4


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (digits, "OFFSET", digits.OFFSET - 1),
        (planes, "round_to_grid", lambda x, exponents: round_to_grid(x, exponents + 1)),
    ],
    ids=["int8 takes the number beside", "float64 has one bit too few"],
)
def test_a_backend_that_computes_another_number_is_seen(monkeypatch, module, name, fault):
    monkeypatch.setattr(module, name, fault)
    assert differ(compute_all_trials()) == [True] * 4


def saturate(rows, columns):
    """Add pairs of products in 15 bits: one fewer than any machine has, and than digits need."""
    pairs = (rows.to(torch.int32) + 128).unflatten(1, (-1, 2))
    sums = pairs[..., :1] * columns.to(torch.int32)[::2] + pairs[..., 1:] * columns[1::2]
    return sums.clamp(-(2**14), 2**14 - 1).sum(1, dtype=torch.int32) - 128 * columns.sum(
        0, dtype=torch.int32
    )


def refuse(*_):
    raise NotImplementedError("no int8 GEMM")


@pytest.mark.parametrize("fault", [saturate, refuse])
def test_int8_is_not_tried_where_it_goes_wrong(clock, monkeypatch, fault):
    monkeypatch.setattr(backend_choice, "_TRIAL_SHAPE", (4, 64, 4))
    assert backend_choice._int8_is_exact.__wrapped__()
    monkeypatch.setattr(digits, "_multiply_int8", fault)
    exact = backend_choice._int8_is_exact.__wrapped__
    monkeypatch.setattr(backend_choice, "_int8_is_exact", exact)
    tried = {run(clock, {"float64": 9.0, "int8": 1.0}, 8) for _ in range(ALL_TRIALS)}
    assert tried == {FLOAT64}
