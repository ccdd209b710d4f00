"""Draws, initial weights, optimizers, schedules, predictions and figures: one digest anywhere.

``python tests/unit/determinism/portable/test_learning_bits.py`` prints the digests. Where one
changes, `ARITHMETIC_VERSION` does too.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cxr.config.schema import TrainConfig
from cxr.determinism.levels import Level
from cxr.determinism.portable.random.drawing import drawing
from cxr.determinism.portable.random.initialisation import build_portably
from cxr.determinism.portable.random.random_numbers import REPLACED, native_dropout
from cxr.determinism.streams import derive_stream
from cxr.digests.canonical import canonical_json
from cxr.evaluation import elementary, predict
from cxr.evaluation.metrics import compute_metrics
from cxr.records.predictions import Prediction
from cxr.training.loop import take_mean
from cxr.training.optimizer import build_optimizer
from cxr.training.schedule import derive_learning_rate

GOLDEN = json.loads(Path(__file__).with_name("learning_bits.json").read_text(encoding="utf-8"))

MACHINES = {
    "plain": {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"},
    "older": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "OMP_NUM_THREADS": "3",
    },
}
CLASSES = ("A", "B", "C")


class Drawing(TorchDispatchMode):
    """Computes natively whatever draws nothing: here that is copies alone."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return REPLACED.get(str(func), func)(*args, **(kwargs or {}))


def draw(*shape, seed=0):
    """Return float32 values of both signs and of magnitudes from 2^-40 to 1."""
    blocks = derive_stream(seed, "synthetic", "bits").uint64_array(math.prod(shape))
    values = (blocks >> np.uint64(32)).astype(np.int32).astype(np.float64)
    values = np.ldexp(values, -31 - (blocks & np.uint64(31)).astype(np.int32))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def digest(*values):
    whole = hashlib.sha256()
    for value in values:
        content = value.contiguous().numpy() if isinstance(value, torch.Tensor) else value
        whole.update(
            content.tobytes() if isinstance(content, np.ndarray) else repr(content).encode()
        )
    return whole.hexdigest()


def draw_all():
    # More than a piece, and more than torch gives to one thread.
    shape = (70_001,)
    probabilities = draw(*shape, seed=3).abs()
    options = {"device": torch.device("cpu"), "pin_memory": False}
    with drawing(5, "draw", 0, 0):
        yield "uniform", REPLACED["aten.uniform_.default"](torch.empty(shape), -0.1, 0.2)
        yield "normal", REPLACED["aten.normal_.default"](torch.empty(shape), 0.1, 0.02)
        yield "bernoulli", REPLACED["aten.bernoulli_.float"](torch.empty(shape), 0.9)
        yield "each", REPLACED["aten.bernoulli.default"](probabilities)
        yield "integers", REPLACED["aten.randint.low"](-7, 1000, shape, **options)
        yield "permutation", REPLACED["aten.randperm.default"](shape[0], **options)
        yield "dropout", native_dropout(draw(*shape), 0.1, train=True)[0]


def build():
    network = nn.Sequential(nn.Conv2d(3, 20, 3), nn.Linear(300, 200), nn.Linear(200, 2))
    nn.init.kaiming_normal_(network[1].weight, mode="fan_out")
    nn.init.xavier_uniform_(network[2].weight)
    return network


def train(network, optimizer):
    config = TrainConfig(epochs=1, batch_size=1, optimizer=optimizer, nesterov=True)
    moved = build_optimizer(network, config, level=Level.PORTABLE)
    for step in range(5):
        for number, parameter in enumerate(network.parameters()):
            parameter.grad = draw(*parameter.shape, seed=10 * step + number)
        moved.step()
    return [*network.parameters(), *(v["step"] for v in moved.state.values() if "step" in v)]


def derive_rates(schedule):
    config = TrainConfig(epochs=3, batch_size=1, lr=0.3, schedule=schedule, warmup_epochs=0.5)
    return [
        derive_learning_rate(config, step, steps_per_epoch=333, level=Level.PORTABLE)
        for step in range(999)
    ]


def describe(logits):
    functions = elementary.choose_elementary(Level.PORTABLE)
    for number, row in enumerate(logits.numpy()):
        label = CLASSES[number * 7 % 3]
        yield predict._describe_one(str(number), label, row, CLASSES, functions)


def describe_each(logits):
    functions = elementary.choose_elementary(Level.PORTABLE)
    for number, row in enumerate(logits.numpy()):
        label = ("-", "A", "A|C?", "B?")[number % 4]
        yield predict._describe_each(str(number), label, row, CLASSES, functions)


def compute_digests():
    found = {name: digest(value) for name, value in draw_all()}
    with Drawing():
        network = build_portably(build, 9)
    found["built"] = digest(*(value.detach() for value in network.parameters()))
    for optimizer in ("sgd", "adamw"):
        found[optimizer] = digest(*(value.detach() for value in train(network, optimizer)))
    for schedule in ("cosine", "one_cycle"):
        rates = derive_rates(schedule)
        found[schedule] = digest(rates, take_mean(rates, Level.PORTABLE))
    for kind in (describe, describe_each):
        rows: list[Prediction] = list(kind(draw(400, 3, seed=77) * 20))
        figures = compute_metrics(CLASSES, rows, level=Level.PORTABLE).to_json()
        found[kind.__name__] = digest(rows, canonical_json(figures))
    return found


def test_the_bits_are_the_golden_ones():
    assert compute_digests() == GOLDEN


def test_the_bits_are_the_golden_ones_on_other_machines():
    running = [
        subprocess.Popen(
            [sys.executable, __file__], env=os.environ | machine, stdout=subprocess.PIPE
        )
        for machine in MACHINES.values()
    ]
    for machine, process in zip(MACHINES, running, strict=True):
        said, _ = process.communicate()
        assert process.returncode == 0, machine
        assert json.loads(said) == GOLDEN, machine


def test_nothing_comes_from_the_platform_s_mathematics_library(monkeypatch):
    def refuse(*_):
        raise AssertionError("the platform's mathematics library was called")

    for name in ("exp", "expm1", "log", "log1p", "log2", "pow", "cos", "sin", "tanh", "erf"):
        monkeypatch.setattr(math, name, refuse)
    monkeypatch.setattr(elementary.Elementary, "__setattr__", object.__setattr__)
    # The one object that defaults and other modules hold.
    for name in ("exp", "log1p"):
        monkeypatch.setattr(elementary.PLATFORM, name, refuse)
    assert derive_rates("cosine")[0] > 0
    for kind in (describe, describe_each):
        rows = list(kind(draw(9, 3)))
        compute_metrics(CLASSES, rows, level=Level.PORTABLE)
    # The strict level does call it: the check can fail.
    with pytest.raises(AssertionError, match="library was called"):
        derive_learning_rate(
            TrainConfig(epochs=1, batch_size=1, schedule="cosine"),
            1,
            steps_per_epoch=3,
            level=Level.STRICT,
        )


if __name__ == "__main__":
    print(json.dumps(compute_digests(), indent=2))  # noqa: T201 - to look at, never to copy blindly
