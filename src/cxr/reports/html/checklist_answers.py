"""What the records of a run answer to the lines of the reproducibility checklist.

Each function is named by a line of ``checklist.toml``. It returns a value from the records, or None
where they do not answer it: then the line stays open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cxr.records.figures import ALL_SCALARS
from cxr.reports.html.machine import find, take
from cxr.reports.html.run_analysis import RunAnalysis
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import count, show_duration, show_figure, show_interval, show_value

Answer = Callable[[RunRecords, RunAnalysis | None], str | None]

_answers: dict[str, Answer] = {}
ANSWERS: Final[Mapping[str, Answer]] = MappingProxyType(_answers)
"""By the name in ``checklist.toml``."""


def _answers_line(function: Answer) -> Answer:
    """Register a function under its name."""
    _answers[function.__name__.removeprefix("_")] = function
    return function


def _tell(facts: Mapping[str, Any], *names: str) -> str | None:
    """Return the facts of these names that a record has, or None where it has none of them."""
    told = [f"{name} {show_value(facts[name])}" for name in names if facts.get(name) is not None]
    return "; ".join(told) or None


@_answers_line
def _system(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return _tell(
        take(records.environment, "os"), "system", "release", "libc", "container", "container_image"
    )


@_answers_line
def _processor(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return _tell(
        take(records.environment, "cpu"),
        "model",
        "machine",
        "cores",
        "cores_available",
        "cores_quota",
        "memory_bytes",
        "memory_limit_bytes",
    )


@_answers_line
def _gpu(records: RunRecords, _: RunAnalysis | None) -> str | None:
    facts = take(records.environment, "gpu")
    if facts.get("devices") == []:
        return "no GPU"
    return _tell(facts, "devices", "driver", "cuda", "cudnn", "nccl", "cublas")


@_answers_line
def _python(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return _tell(
        take(records.environment, "python"), "implementation", "version", "build", "compiler"
    )


@_answers_line
def _packages(records: RunRecords, _: RunAnalysis | None) -> str | None:
    packages = take(records.environment, "packages")
    return f"{count(len(packages), 'package')}, listed above" if packages else None


@_answers_line
def _numerics(records: RunRecords, _: RunAnalysis | None) -> str | None:
    facts = take(records.environment, "numerics")
    return _tell(facts, "cpu_capability", "pools", "mkl", "openmp", "build")


@_answers_line
def _commit(records: RunRecords, _: RunAnalysis | None) -> str | None:
    commit, dirty = (find(records.environment, "code", name) for name in ("commit", "dirty"))
    if commit is None:
        return None
    return f"{show_value(commit)}, {'with changes not committed' if dirty else 'clean'}"


@_answers_line
def _code_digest(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["recipe"]["code_digest"])


@_answers_line
def _environment_digest(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["environment_digest"])


@_answers_line
def _files(records: RunRecords, _: RunAnalysis | None) -> str | None:
    size = sum(sample.bytes for sample in records.lock.samples)
    return f"{count(len(records.lock.samples), 'image')}, {size:,} bytes"


@_answers_line
def _data_digest(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["recipe"]["data_digest"])


@_answers_line
def _identical_files(records: RunRecords, _: RunAnalysis | None) -> str | None:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    numbers = Counter[str]()
    for sample in records.lock.samples:
        splits[sample.sha256].add(sample.split)
        numbers[sample.sha256] += 1
    across = sum(len(found) > 1 for found in splits.values())
    same = sum(number > 1 for number in numbers.values())
    return f"{same:,} contents stand in several files, {across:,} of them across splits"


@_answers_line
def _patients(records: RunRecords, _: RunAnalysis | None) -> str | None:
    if records.config.data.group_pattern is None and records.config.data.csv.group is None:
        return None
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for sample in records.lock.samples:
        splits[sample.group].add(sample.split)
    across = sum(len(found) > 1 for found in splits.values())
    return f"{across:,} of {count(len(splits), 'patient')} stand in two splits"


@_answers_line
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


@_answers_line
def _images(records: RunRecords, _: RunAnalysis | None) -> str | None:
    data = records.config.data
    return (
        f"{data.image_size} px, {data.resample}, {count(data.channels, 'channel')}, "
        f"mean {show_value(data.mean)}, standard deviation {show_value(data.std)}"
    )


@_answers_line
def _canaries(records: RunRecords, _: RunAnalysis | None) -> str | None:
    changed = find(records.environment, "images", "canaries_changed")
    if changed is None:
        return None
    return f"no: {show_value(changed)}" if changed else "yes: no canary changed"


@_answers_line
def _level(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.level)


@_answers_line
def _seeds(records: RunRecords, _: RunAnalysis | None) -> str | None:
    seeds = take(records.manifest, "seeds")
    purposes = take(seeds, "purposes")
    told = _tell(seeds, "root", "generator")
    return f"{told}; {count(len(purposes), 'purpose')} named in the manifest" if told else None


@_answers_line
def _controls(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return f"{len(records.manifest['controls']):,} read back, listed above"


@_answers_line
def _untaken(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return ", ".join(records.course.controls_untaken) or "none"


@_answers_line
def _ops(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return ", ".join(records.course.ops_without_kernel) or "none"


@_answers_line
def _threads(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.config.threads)


@_answers_line
def _interruptions(records: RunRecords, _: RunAnalysis | None) -> str | None:
    number = records.course.num_interruptions
    return f"stopped and gone on {number} times" if number else "not stopped"


@_answers_line
def _weights(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return _as_text(find(records.manifest, "outcome", "weights_digest"))


@_answers_line
def _weights_in(records: RunRecords, _: RunAnalysis | None) -> str | None:
    given = records.manifest["recipe"]["weights_in"]
    if given is None:
        return f"none: drawn from the seed {records.config.seed}"
    origin = records.manifest.get("weights_origin")
    return f"{given}, {show_value(origin)}"


@_answers_line
def _selection(records: RunRecords, _: RunAnalysis | None) -> str | None:
    epoch, train = records.course.weights_epoch, records.config.train
    if epoch is None:
        return None
    rule = "the last" if train.keep_weights == "last" else f"the best validation {train.monitor}"
    return f"epoch {epoch + 1}: {rule}"


@_answers_line
def _predictions(records: RunRecords, _: RunAnalysis | None) -> str | None:
    digest = _as_text(find(records.manifest, "outcome", "predictions_digest"))
    return digest and f"{count(len(records.predictions), 'image')}, {digest}"


@_answers_line
def _trace(records: RunRecords, _: RunAnalysis | None) -> str | None:
    digest = _as_text(records.manifest.get("trace_digest"))
    return digest and f"{count(records.course.num_steps or 0, 'step')}, {digest}"


@_answers_line
def _config(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["recipe"]["config_digest"])


@_answers_line
def _verification(records: RunRecords, _: RunAnalysis | None) -> str | None:
    found = records.verification
    if found is None:
        return None
    return (
        f"no: {count(len(found.findings), 'finding')}"
        if found.findings
        else ("consistent, not authenticated")
    )


@_answers_line
def _figures(records: RunRecords, analysis: RunAnalysis | None) -> str | None:
    if analysis is None or records.split != "test":
        return None
    return ", ".join(f"{name} {show_figure(analysis.figures[name])}" for name in ALL_SCALARS)


@_answers_line
def _class_figures(_: RunRecords, analysis: RunAnalysis | None) -> str | None:
    return None if analysis is None else f"of {len(analysis.figures['per_class']):,}, above"


@_answers_line
def _undefined(_: RunRecords, analysis: RunAnalysis | None) -> str | None:
    if analysis is None:
        return None
    return f"{count(len(analysis.figures['undefined']), 'figure')} undefined, with the reason"


@_answers_line
def _epochs(records: RunRecords, _: RunAnalysis | None) -> str | None:
    has = any(epoch.validation for epoch in records.epochs)
    return f"{count(len(records.epochs), 'epoch')}, above" if has else None


@_answers_line
def _intervals(_: RunRecords, analysis: RunAnalysis | None) -> str | None:
    if analysis is None or analysis.intervals is None:
        return None
    auroc = show_interval(analysis.interval("auroc"))
    return (
        f"AUROC {auroc}, over {count(analysis.intervals['num_groups'], 'patient')}; "
        "calibration and subgroups above. Clinical value: you"
    )


@_answers_line
def _duration(records: RunRecords, _: RunAnalysis | None) -> str | None:
    seconds = records.course.duration_s
    processor = show_value(find(records.environment, "cpu", "model"))
    return None if seconds is None else f"{show_duration(seconds)}; {processor}"


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)
