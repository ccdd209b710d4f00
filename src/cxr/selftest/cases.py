"""The table of cases: what is planted, and what exactly the evidence must say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cxr.selftest import edits, faults
from cxr.selftest.bench import IMAGES, VECTORS, Bench, Found
from cxr.selftest.faults import Fault

# Which training step sees an image first follows from the seed, by integer arithmetic.
_NORMAL_OF_STEP_1: Final = "train/NORMAL/IM-0003-0001.png"
_NORMAL_OF_STEP_2: Final = "train/NORMAL/IM-0001-0001.png"
_PNEUMONIA_OF_STEP_2: Final = "train/PNEUMONIA/person2_bacteria_3.png"

_FIRST_LAYER: Final = "backbone.1.weight"
_LAST_LAYER: Final = "classifier.weight"
_CHANGED: Final = "was changed: its bytes have another digest"
_CHAIN: Final = "the ledger's chain breaks: a line was edited, added, removed or moved"
_NO_KERNEL: Final = "put_"


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        name: What it is called in records.
        planted: What is done, in one line.
        expected: What must be found, by name; whatever else is found is of no matter.
        look: Plants it on a bench and returns what is found.
    """

    name: str
    planted: str
    expected: Found
    look: Callable[[Bench], Found]

    def is_caught(self, found: Found) -> bool:
        """Say whether all that must be found was found, and nothing in its place."""
        return all(name in found and found[name] == self.expected[name] for name in self.expected)


def _parts(step: int, part: str, tensor: str, fields: Sequence[str] = ()) -> Found:
    """Expect two runs that part in one place and whose inputs differ in these fields alone."""
    return {
        "verdict": "different",
        "step": step,
        "part": part,
        "tensor": tensor,
        "fields": list(fields),
    }


_IDENTICAL: Final[Found] = {
    "verdict": "identical",
    "step": None,
    "part": None,
    "tensor": None,
    "fields": [],
}


def _differs(*findings: str) -> Found:
    return {"verdict": "differs", "findings": list(findings)}


def _breaks(line: int, step: int) -> Found:
    """Expect that the ledger's chain breaks at a line, counted from 1."""
    return _differs(
        f"ledger.jsonl: {_CHANGED}", f"ledger.jsonl: {_CHAIN} (ledger.jsonl:{line}, step {step})"
    )


def _with_fault(fault: Callable[..., Fault], *arguments: Any) -> Callable[[Bench], Found]:
    """Plant a fault in the vectors' recipe."""
    return lambda bench: bench.compare(VECTORS, fault=fault(*arguments))


def _with_change(change: str) -> Callable[[Bench], Found]:
    """Change a field of the vectors' recipe."""
    return lambda bench: bench.compare(VECTORS, [change])


def _call_op_without_kernel(bench: Bench, level: str) -> Found:
    """Return how a run ended that called an op without a deterministic kernel."""
    fault = faults.run_op_without_kernel(4)
    manifest = bench.attempt(VECTORS, [f"determinism={level}"], fault)
    failure = manifest.get("failure", {})
    return {
        "verdict": manifest["status"],
        "ops": manifest["ops_without_deterministic_kernel"],
        "op": str(failure.get("problem")).partition(" ")[0] if failure else None,
        "at": failure.get("at"),
    }


def _double_steps(bench: Bench) -> Found:
    """Return the first step that did not repeat, in a run that takes each one twice."""
    fault = faults.run_unrepeatable_op(4)
    manifest = bench.attempt(VECTORS, ["train.double_every=1"], fault)
    return {"verdict": manifest["status"], **(manifest["doubled_steps"]["first_mismatch"] or {})}


CASES: Final = (
    Case(
        "untouched-vectors",
        "nothing: a perceptron is trained twice",
        _IDENTICAL,
        lambda bench: bench.compare(VECTORS),
    ),
    Case(
        "untouched-images",
        "nothing: a residual network is trained twice",
        _IDENTICAL,
        lambda bench: bench.compare(IMAGES),
    ),
    Case(
        "gradient-noise",
        "1e-10 is added to a gradient at step 4",
        _parts(4, "gradients", _FIRST_LAYER),
        _with_fault(faults.disturb_gradient, 4),
    ),
    Case(
        "changed-pixel",
        "one pixel of one image is changed by 1/255",
        _parts(2, "batch", "images", [_PNEUMONIA_OF_STEP_2]),
        lambda bench: bench.compare_images(
            lambda root: edits.change_pixel(root / _PNEUMONIA_OF_STEP_2)
        ),
    ),
    Case(
        "swapped-labels",
        "two images of different classes exchange their labels",
        _parts(
            1,
            "batch",
            "labels",
            [f"{_NORMAL_OF_STEP_1}#label", f"{_PNEUMONIA_OF_STEP_2}#label"],
        ),
        lambda bench: bench.compare_images(
            lambda root: edits.swap_folders(root / _NORMAL_OF_STEP_1, root / _PNEUMONIA_OF_STEP_2)
        ),
    ),
    Case(
        "swapped-files",
        "two images of one class exchange their files",
        _parts(1, "batch", "images", [_NORMAL_OF_STEP_2, _NORMAL_OF_STEP_1]),
        lambda bench: bench.compare_images(
            lambda root: edits.swap_files(root / _NORMAL_OF_STEP_1, root / _NORMAL_OF_STEP_2)
        ),
    ),
    Case(
        "extra-draw",
        "a library draws one more random number at step 2",
        _parts(2, "random", "torch"),
        _with_fault(faults.draw_once_more, 2),
    ),
    Case(
        "other-order",
        "at step 3 the loader returns the samples in another order",
        _parts(3, "samples", "indices"),
        _with_fault(faults.reverse_batch, 3),
    ),
    Case(
        "other-threads",
        "two threads instead of one",
        # Whether that gives other bits is the machine's own affair.
        {"fields": ["threads"]},
        _with_change("threads=2"),
    ),
    Case(
        "other-seed",
        "another seed",
        _parts(-1, "random", "python", ["seed"]),
        _with_change("seed=2"),
    ),
    Case(
        "other-rate",
        "in epoch 1 the learning rate is doubled",
        _parts(3, "optimizer", "lr"),
        _with_fault(faults.double_learning_rate, 1),
    ),
    Case(
        "other-weight",
        "one initial weight is changed by its last bit",
        _parts(-1, "parameters", _LAST_LAYER, ["weights_in"]),
        lambda bench: bench.compare_weights(lambda file: edits.change_weight(file, _LAST_LAYER)),
    ),
    Case(
        "evaluation-between",
        "before each step somebody evaluates and re-seeds: nothing may change",
        _IDENTICAL,
        _with_fault(faults.evaluate_in_between),
    ),
    Case(
        "op-named",
        "at step 4 an op without a deterministic kernel runs, under warn",
        {"verdict": "completed", "ops": {_NO_KERNEL: 1}},
        lambda bench: _call_op_without_kernel(bench, "warn"),
    ),
    Case(
        "op-refused",
        "the same op under strict",
        {"verdict": "failed", "op": _NO_KERNEL, "at": "step 4, epoch 1"},
        lambda bench: _call_op_without_kernel(bench, "strict"),
    ),
    Case(
        "unrepeatable-op",
        "an op gives other bits each time, and no flag of torch's knows",
        {
            "verdict": "failed",
            "step": 4,
            "part": "loss",
            "tensor": "loss",
            "op": "aten.add.Tensor of backbone",
        },
        _double_steps,
    ),
    Case(
        "edited-checkpoint",
        "one bit of a checkpoint is changed",
        _differs(f"checkpoints/step-000000006.safetensors: {_CHANGED}"),
        lambda bench: bench.verify(edits.edit_checkpoint),
    ),
    Case(
        "edited-line",
        "one digit of the ledger is changed",
        _breaks(5, 3),
        lambda bench: bench.verify(lambda run: edits.edit_line(run, 5)),
    ),
    Case(
        "removed-line",
        "one line of the ledger is removed",
        _breaks(5, 4),
        lambda bench: bench.verify(lambda run: edits.remove_line(run, 5)),
    ),
    Case(
        "swapped-lines",
        "two lines of the ledger are exchanged",
        _breaks(5, 4),
        lambda bench: bench.verify(lambda run: edits.swap_lines(run, 5)),
    ),
)
