"""What the records of a run answer to the checklist's lines on the machine, the code and the data.

Each function is named by a line of ``checklist.toml``. It returns a value from the records, or None
where they do not answer it: then the line stays open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cxr.plain_text import count
from cxr.reports.html.machine import find, take
from cxr.reports.html.run_analysis import RunAnalysis
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import show_value

Answer = Callable[[RunRecords, RunAnalysis | None], str | None]


def tell(facts: Mapping[str, Any], *names: str) -> str | None:
    """Return the facts of these names that a record has, or None where it has none of them."""
    told = [f"{name} {show_value(facts[name])}" for name in names if facts.get(name) is not None]
    return "; ".join(told) or None


def _system(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return tell(
        take(records.environment, "os"), "system", "release", "libc", "container", "container_image"
    )


def _processor(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return tell(
        take(records.environment, "cpu"),
        "model",
        "machine",
        "cores",
        "cores_available",
        "cores_quota",
        "memory_bytes",
        "memory_limit_bytes",
    )


def _gpu(records: RunRecords, _: RunAnalysis | None) -> str | None:
    facts = take(records.environment, "gpu")
    if facts.get("devices") == []:
        return "no GPU"
    return tell(facts, "devices", "driver", "cuda", "cudnn", "nccl", "cublas")


def _python(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return tell(
        take(records.environment, "python"), "implementation", "version", "build", "compiler"
    )


def _packages(records: RunRecords, _: RunAnalysis | None) -> str | None:
    packages = take(records.environment, "packages")
    return f"{count(len(packages), 'package')}, listed above" if packages else None


def _numerics(records: RunRecords, _: RunAnalysis | None) -> str | None:
    facts = take(records.environment, "numerics")
    return tell(facts, "cpu_capability", "pools", "mkl", "openmp", "build")


def _commit(records: RunRecords, _: RunAnalysis | None) -> str | None:
    commit, dirty = (find(records.environment, "code", name) for name in ("commit", "dirty"))
    if commit is None:
        return None
    state = {True: "with changes not committed", False: "clean"}
    return f"{show_value(commit)}, {state.get(dirty, 'not known whether clean')}"


def _code_digest(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["recipe"]["code_digest"])


def _environment_digest(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["environment_digest"])


def _files(records: RunRecords, _: RunAnalysis | None) -> str | None:
    size = sum(sample.bytes for sample in records.lock.samples)
    return f"{count(len(records.lock.samples), 'image')}, {size:,} bytes"


def _data_digest(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["recipe"]["data_digest"])


def _identical_files(records: RunRecords, _: RunAnalysis | None) -> str | None:
    numbers = Counter(sample.sha256 for sample in records.lock.samples)
    splits = {(sample.sha256, sample.split) for sample in records.lock.samples}
    labels = {(sample.sha256, sample.label) for sample in records.lock.samples}
    same = sum(number > 1 for number in numbers.values())
    across_splits, across_labels = (
        sum(number > 1 for number in Counter(content for content, _ in found).values())
        for found in (splits, labels)
    )
    return (
        f"{same:,} contents stand in several files, {across_splits:,} of them across splits, "
        f"{across_labels:,} with more than one label"
    )


def _patients(records: RunRecords, _: RunAnalysis | None) -> str | None:
    if records.config.data.group_pattern is None and records.config.data.csv.group is None:
        return None
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for sample in records.lock.samples:
        splits[sample.group].add(sample.split)
    across = sum(len(found) > 1 for found in splits.values())
    return f"{across:,} of {count(len(splits), 'patient')} stand in two splits"


def _held_out(records: RunRecords, _: RunAnalysis | None) -> str | None:
    data = records.config.data
    sizes = Counter(sample.split for sample in records.lock.samples)
    told = ", ".join(f"{split} {sizes[split]:,}" for split in ("train", "val", "test"))
    if not data.validation_fraction and not data.test_fraction:
        return f"as the data set divides itself: {told}"
    return (
        f"validation_fraction {data.validation_fraction}, test_fraction {data.test_fraction}, "
        f"split_seed {data.split_seed}: {told}"
    )


def _images(records: RunRecords, _: RunAnalysis | None) -> str | None:
    data = records.config.data
    return (
        f"{data.image_size} px, {data.resample}, {count(data.channels, 'channel')}, "
        f"mean {show_value(data.mean)}, standard deviation {show_value(data.std)}"
    )


def _canaries(records: RunRecords, _: RunAnalysis | None) -> str | None:
    changed = find(records.environment, "images", "canaries_changed")
    if changed is None:
        return None
    return f"no: {show_value(changed)}" if changed else "yes: no canary changed"


INPUT_ANSWERS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        function.__name__.removeprefix("_"): function
        for function in (
            _system,
            _processor,
            _gpu,
            _python,
            _packages,
            _numerics,
            _commit,
            _code_digest,
            _environment_digest,
            _files,
            _data_digest,
            _identical_files,
            _patients,
            _held_out,
            _images,
            _canaries,
        )
    }
)
"""By the name in ``checklist.toml``."""
