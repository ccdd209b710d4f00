"""What the records of a run answer to the checklist's lines on how it ran and what came of it.

As in `cxr.reports.html.checklist_inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS
from cxr.reports.html.checklist_inputs import Answer, tell
from cxr.reports.html.machine import find, take
from cxr.reports.html.run_analysis import RunAnalysis
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import show_figure, show_interval, show_run_time, show_value


def _level(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.level)


def _seeds(records: RunRecords, _: RunAnalysis | None) -> str | None:
    seeds = take(records.manifest, "seeds")
    purposes = take(seeds, "purposes")
    told = tell(seeds, "root", "streams", "generator")
    return f"{told}; {count(len(purposes), 'purpose')} named in the manifest" if told else None


def _controls(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return f"{len(records.manifest['controls']):,} read back, listed above"


def _untaken(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return ", ".join(records.course.controls_untaken) or "none"


def _ops(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return ", ".join(records.course.ops_without_kernel) or "none"


def _threads(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.config.threads)


def _interruptions(records: RunRecords, _: RunAnalysis | None) -> str | None:
    number = records.course.num_interruptions
    return f"stopped and gone on {number} times" if number else "not stopped"


def _weights(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return _as_text(find(records.manifest, "outcome", "weights_digest"))


def _weights_in(records: RunRecords, _: RunAnalysis | None) -> str | None:
    given = records.manifest["recipe"]["weights_in"]
    if given is None:
        return f"none: drawn from the seed {records.config.find_root('init')}"
    origin = records.manifest.get("weights_origin")
    return f"{given}, {show_value(origin)}"


def _selection(records: RunRecords, _: RunAnalysis | None) -> str | None:
    epoch, train = records.course.weights_epoch, records.config.train
    if epoch is None:
        return None
    rule = "the last" if train.keep_weights == "last" else f"the best validation {train.monitor}"
    return f"epoch {epoch + 1}: {rule}"


def _predictions(records: RunRecords, _: RunAnalysis | None) -> str | None:
    digest = _as_text(find(records.manifest, "outcome", "predictions_digest"))
    return digest and f"{count(len(records.predictions), 'image')}, {digest}"


def _trace(records: RunRecords, _: RunAnalysis | None) -> str | None:
    digest = _as_text(records.manifest.get("trace_digest"))
    return digest and f"{count(records.course.num_steps or 0, 'step')}, {digest}"


def _config(records: RunRecords, _: RunAnalysis | None) -> str | None:
    return str(records.manifest["recipe"]["config_digest"])


def _verification(records: RunRecords, _: RunAnalysis | None) -> str | None:
    found = records.verification
    if found is None:
        return None
    return (
        f"no: {count(len(found.findings), 'finding')}"
        if found.findings
        else ("consistent, not authenticated")
    )


def _figures(records: RunRecords, analysis: RunAnalysis | None) -> str | None:
    if analysis is None or records.split != "test":
        return None
    return ", ".join(f"{name} {show_figure(analysis.figures[name])}" for name in ALL_SCALARS)


def _class_figures(_: RunRecords, analysis: RunAnalysis | None) -> str | None:
    return None if analysis is None else f"of {len(analysis.figures['per_class']):,}, above"


def _undefined(_: RunRecords, analysis: RunAnalysis | None) -> str | None:
    if analysis is None:
        return None
    return f"{count(len(analysis.figures['undefined']), 'figure')} undefined, with the reason"


def _epochs(records: RunRecords, _: RunAnalysis | None) -> str | None:
    has = any(epoch.validation for epoch in records.epochs)
    return f"{count(len(records.epochs), 'epoch')}, above" if has else None


def _intervals(_: RunRecords, analysis: RunAnalysis | None) -> str | None:
    if analysis is None or analysis.intervals is None:
        return None
    auroc = show_interval(analysis.interval("auroc"))
    return (
        f"AUROC {auroc}, over {count(analysis.intervals['num_groups'], 'patient')}; "
        "calibration and subgroups above"
    )


def _duration(records: RunRecords, _: RunAnalysis | None) -> str | None:
    course = records.course
    processor = show_value(find(records.environment, "cpu", "model"))
    if course.duration_s is None:
        return None
    return f"{show_run_time(course.duration_s, course.still_s)}; {processor}"


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)


RESULT_ANSWERS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        function.__name__.removeprefix("_"): function
        for function in (
            _level,
            _seeds,
            _controls,
            _untaken,
            _ops,
            _threads,
            _interruptions,
            _weights,
            _weights_in,
            _selection,
            _predictions,
            _trace,
            _config,
            _verification,
            _figures,
            _class_figures,
            _undefined,
            _epochs,
            _intervals,
            _duration,
        )
    }
)
"""By the name in ``checklist.toml``."""
