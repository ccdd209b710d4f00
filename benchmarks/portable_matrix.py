"""A recipe on many machines, as far as one machine can pretend: is the outcome's digest one?

Each row is a whole ``cxr train`` in a process of its own. First one factor at a time differs from
the base: threads, instruction sets (of torch, of oneDNN, of MKL), loader workers, evaluation batch,
the backend of the exact products. Then all pairs of values: rows are chosen greedily until any two
values of two factors have met in one. The same rows under ``strict`` are the control: if its
digests were one as well, the factors would test nothing.

The recipe is that of the sample, tiny, with three small networks in turn: convolutions and batch
norm; depthwise convolutions, layer norm and gelu; products, softmax and attention.

    uv run python benchmarks/portable_matrix.py
    uv run python benchmarks/portable_matrix.py --models test_vit
    uv run python benchmarks/portable_matrix.py --quick --json matrix.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from result import Result, Table, Target

_CONFIG: Final = Path(__file__).resolve().parents[1] / "configs" / "sample_portable.yaml"
_TINY: Final = ("train.epochs=1", "train.batch_size=8", "data.image_size=32")
_MODELS: Final = ("test_resnet", "test_convnext2", "test_vit")
_SHOWN_DIGITS: Final = 12
_UNSET: Final = "unset"

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """Something that may change bits natively, or that a user may choose.

    Attributes:
        name: A config field, or an environment variable if it is in capitals.
        values: The first is the base's.
        quick: The one that differs most, for the quick part.
    """

    name: str
    values: tuple[str, ...]
    quick: str


FACTORS: Final = (
    Factor(name="threads", values=("2", "1", "3", "8"), quick="3"),
    Factor(
        name="ATEN_CPU_CAPABILITY", values=(_UNSET, "default", "avx2", "avx512"), quick="default"
    ),
    Factor(
        name="ONEDNN_MAX_CPU_ISA", values=(_UNSET, "SSE41", "AVX2", "AVX512_CORE"), quick="SSE41"
    ),
    Factor(name="MKL_CBWR", values=(_UNSET, "COMPATIBLE", "AVX2"), quick="COMPATIBLE"),
    Factor(name="workers", values=("0", "2"), quick="2"),
    Factor(name="evaluate.batch_size", values=("64", "1", "7"), quick="7"),
    Factor(name="CXR_PORTABLE_PRODUCTS", values=("float64", "int8"), quick="int8"),
)

BASE: Final[Row] = {factor.name: factor.values[0] for factor in FACTORS}


def list_single_rows() -> list[Row]:
    """Return the base, then a row for each other value."""
    others = [{**BASE, factor.name: value} for factor in FACTORS for value in factor.values[1:]]
    return [BASE, *others]


def list_pair_rows() -> list[Row]:
    """Return rows in which any two values of two factors meet, chosen greedily."""
    missing = set(_list_pairs())
    rows = []
    while missing:
        seed = min(missing)
        row = dict(seed)
        for factor in FACTORS:
            if factor.name not in row:
                best = max(
                    factor.values,
                    key=lambda value: len(_meet({**row, factor.name: value}) & missing),
                )
                row[factor.name] = best
        missing -= _meet(row)
        rows.append({factor.name: row[factor.name] for factor in FACTORS})
    return rows


def _list_pairs() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for one, other in itertools.combinations(FACTORS, 2):
        for value, other_value in itertools.product(one.values, other.values):
            yield (one.name, value), (other.name, other_value)


def _meet(row: Row) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    """Return the pairs that a row, complete or not, has."""
    ordered = [(factor.name, row[factor.name]) for factor in FACTORS if factor.name in row]
    return set(itertools.combinations(ordered, 2))


def list_quick_rows() -> list[Row]:
    """Return the base, and a row in which everything differs from it."""
    return [BASE, {factor.name: factor.quick for factor in FACTORS}]


def run_row(row: Row, *, level: str, model: str) -> str:
    """Train a network once and return the outcome's digest.

    Raises:
        subprocess.CalledProcessError: The run failed; its message is on stderr.
    """
    chosen = {name: value for name, value in row.items() if name.isupper()}
    unset = {name for name, value in chosen.items() if value == _UNSET}
    environment = {
        **{name: value for name, value in os.environ.items() if name not in unset},
        **{name: value for name, value in chosen.items() if value != _UNSET},
    }
    fields = [f"{name}={value}" for name, value in row.items() if not name.isupper()]
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "cxr", "train", "--json", "--quiet"]
        command += ["--config", str(_CONFIG), "--out", f"{place}/run"]
        for setting in (*_TINY, *fields, f"model.name={model}", f"determinism={level}"):
            command += ["--set", setting]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    digest: str = json.loads(done.stdout)["outcome_digest"]
    return digest


def describe(row: Row) -> str:
    """Return what a row has that the base has not."""
    others = [f"{name}={value}" for name, value in row.items() if value != BASE[name]]
    return " ".join(others) or "base"


def measure(rows: Sequence[Row], *, level: str, model: str) -> tuple[Table, dict[str, str]]:
    """Run rows and return their table and each one's digest."""
    lines, digests = [], {}
    for row in rows:
        started = time.monotonic()
        digest = run_row(row, level=level, model=model)
        digests[describe(row)] = digest
        seconds = f"{time.monotonic() - started:.0f} s"
        lines.append([describe(row), digest.removeprefix("sha256:")[:_SHOWN_DIGITS], seconds])
        print(f"  {model} {level}: {' '.join(lines[-1])}", file=sys.stderr, flush=True)
    num = len({*digests.values()})
    noun = "digest" if num == 1 else "digests"
    title = f"{model}, {level}: {len(rows)} runs, {num} {noun}"
    return Table(title=title, header=("what differs", "outcome", "time"), rows=lines), digests


def main() -> None:
    """Run the matrix and its control."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rows at each level")
    parser.add_argument("--models", nargs="+", default=_MODELS, help="networks of timm")
    parser.add_argument("--json", type=Path, help="write the result there")
    options = parser.parse_args()
    singles = list_quick_rows() if options.quick else list_single_rows()
    portable = singles if options.quick else [*singles, *list_pair_rows()]
    result = Result(
        benchmark="portable_matrix", settings={"config": _CONFIG.name, "settings": _TINY}
    )
    for model in options.models:
        table, digests = measure(portable, level="portable", model=model)
        control, control_digests = measure(singles, level="strict", model=model)
        result.figures[model] = {"portable": digests, "strict": control_digests}
        result.tables += [table, control]
        result.targets += [
            Target(
                name=f"{model}: digests under portable", figure=len({*digests.values()}), limit=1
            ),
            Target(
                name=f"{model}: digests under strict, the control",
                figure=len({*control_digests.values()}),
                limit=2,
                at_most=False,
            ),
        ]
    result.show(options.json)


if __name__ == "__main__":
    main()
