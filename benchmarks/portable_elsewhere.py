"""The portable arithmetic's digests in this very process, to hold one machine against another.

A few models train, with each backend of the exact products. No other process is started, so that it
also runs where an emulator takes the processor's place; how to get there: portable_elsewhere.md.

    uv run python benchmarks/portable_elsewhere.py --json here.json
    python benchmarks/portable_elsewhere.py --against here.json
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import timm
import torch

from cxr.determinism.portable.exact.backend_choice import use_backend
from cxr.determinism.portable.version import ARITHMETIC_VERSION
from portable_models import MODELS, train

_NAMES: Final = ("mlp", "test_resnet", "vit_tiny_patch16_224")
"""Small ones, which together have convolutions, both normalisations and attention."""

_BACKENDS: Final = ("float64", "int8")


def describe_machine() -> dict[str, Any]:
    """Return what differs between the machines, and the version, which must not."""
    return {
        "arithmetic": ARITHMETIC_VERSION,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def compute_digests(names: Sequence[str]) -> dict[str, str]:
    """Return the digest of each model trained with each backend."""
    found = {}
    for model in MODELS:
        if model.name not in names:
            continue
        for backend in _BACKENDS:
            with use_backend(backend):
                found[f"{model.name} {backend}"] = train(model)
            print(f"  {model.name} {backend} {found[f'{model.name} {backend}']}", file=sys.stderr)
    return found


def find_differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return the names of digests that are not the same, or that only one side has."""
    names = sorted({*found, *wanted})
    return [name for name in names if found.get(name) != wanted.get(name)]


def main() -> int:
    """Print the machine and its digests; return 1 if they are not those of the other machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the result there")
    parser.add_argument("--against", type=Path, help="result of another machine")
    parser.add_argument("--models", nargs="+", default=_NAMES, help="names as in portable_models")
    options = parser.parse_args()
    if unknown := {*options.models} - {model.name for model in MODELS}:
        parser.error(f"no such models: {', '.join(sorted(unknown))}")
    result = {"machine": describe_machine(), "digests": compute_digests(options.models)}
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    if not options.against:
        return 0
    other = json.loads(options.against.read_text(encoding="utf-8"))
    differences = find_differences(result["digests"], other["digests"])
    print(f"differ: {', '.join(differences)}" if differences else "every digest is the same")
    return int(bool(differences))


if __name__ == "__main__":
    sys.exit(main())
