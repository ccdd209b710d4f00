"""``README.md`` of an export: the model card, from records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.records.data_lock import DataLock
from cxr.records.manifest import Manifest
from cxr.release.card_agreement import describe_onnx, describe_timm
from cxr.release.card_example import render_example
from cxr.release.card_markdown import escape, render_table
from cxr.release.card_metadata import render_metadata
from cxr.release.card_tables import describe_data, describe_figures

_PROMISES: Final = {
    Level.WARN: "seeds fixed; equal bits are likely on one machine, and not promised",
    Level.STRICT: "the same bits on one machine with one stack, those of the last section",
    Level.PORTABLE: "the same bits on every machine that cxr is tested on",
}
_LIBRARIES: Final = ("torch", "torchvision", "timm", "numpy", "pillow", "safetensors", "cxr")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card tells of.

    Attributes:
        manifest: Of the run.
        config: Its config.
        lock: Its samples; they are counted, and none is named.
        intervals: As `derive_intervals` returns them.
        timm: How far the exported model agrees with the run; `Agreement` as JSON.
        onnx: What the record says of ``model.onnx``; None where there is none.
        preprocessing: As `describe_preprocessing` returns it.
        license_name: What the user named, or None.
        changed_code: What the user says was changed in the code since its commit, or None.
    """

    manifest: Manifest
    config: RunConfig
    lock: DataLock
    intervals: Mapping[str, Any] | None
    timm: Mapping[str, Any]
    onnx: Mapping[str, Any] | None
    preprocessing: Mapping[str, Any]
    license_name: str | None
    changed_code: str | None = None


def render_card(facts: CardFacts) -> str:
    """Return the card: equal facts are equal bytes; it holds no time, no path and no patient.

    Args:
        facts: What it tells of.
    """
    metadata = render_metadata(facts.manifest, facts.intervals, facts.license_name)
    return metadata + "\n" + "\n\n".join(_list_sections(facts)) + "\n"


def _list_sections(facts: CardFacts) -> Iterator[str]:
    config = facts.config
    name, model = escape(config.name), escape(config.model.name)
    classes = ", ".join(escape(one) for one in facts.lock.classes)
    size, colours = config.data.image_size, "grey" if config.data.channels == 1 else "RGB"
    yield f"# {name}"
    yield (
        f"A chest X-ray classifier, trained with cxr: {model}, {size} x {size} px, {colours}. "
        f"Its logits, in their order: {classes}. {_explain_decision(config)}"
    )
    yield "## Intended use"
    yield (
        "Research and teaching: to compare with, and to show how a number came about. "
        "**It is not a medical device.** It must not be used to diagnose, to triage, or to decide "
        "anything about a patient."
    )
    yield "## Limits"
    yield "\n".join(_list_limits(facts))
    yield "## Figures"
    yield describe_figures(facts.manifest["metrics"], facts.intervals)
    yield "## Data"
    yield describe_data(facts.lock, facts.manifest["recipe"]["data_digest"])
    yield "## How to use it"
    yield "With timm; cxr is not needed. Save this as `example.py`:"
    yield f"```python\n{render_example(config)}```"
    yield "```sh\npython example.py DIR IMAGE...\n```"
    yield describe_timm(facts.timm, config, facts.manifest["metrics"]["split"])
    yield "How an image becomes the model's input (`preprocessing.json` has the numbers):"
    yield _describe_steps(facts)
    if facts.onnx is not None:
        yield "## ONNX"
        yield describe_onnx(facts.onnx)
    yield "## How to reproduce it"
    yield _describe_reproduction(facts)
    yield "## Environment"
    yield _describe_environment(facts.manifest)


def _explain_decision(config: RunConfig) -> str:
    if config.train.asks_each_label:
        return "Each label is decided by itself: for it where its logit is 0 or more."
    return "The classes exclude each other: the largest logit decides."


def _list_limits(facts: CardFacts) -> Iterator[str]:
    lock, split = facts.lock, facts.manifest["metrics"]["split"]
    train, tested = lock.of_split("train"), lock.of_split(split)
    patients = len({sample.group for sample in tested})
    yield (
        f"- It has seen {len(train):,} images in training. Its figures are from {len(tested):,} "
        f"images of {patients:,} patients (groups), split {split}."
    )
    yield "- Training and test images are of one data set: how it does elsewhere is not known."
    yield "- Its probabilities are those of this data set's mixture of classes."
    yield "- It answers any picture, also one that is no chest radiograph."
    if facts.changed_code is not None:
        commit = facts.manifest.get("code", {}).get("commit")
        yield (
            f"- **Its code was changed since commit {escape(str(commit))}**, which does not hold "
            f"what trained it. {escape(facts.changed_code)}"
        )
    if facts.config.data.window.kind != "none":
        yield "- The example reads 8-bit pictures; others need the window of `preprocessing.json`."


def _describe_steps(facts: CardFacts) -> str:
    steps = [f"{number}. {step['words']}" for number, step in enumerate(_steps(facts), start=1)]
    return "\n".join([f"Input: {facts.preprocessing['input']}.", "", *map(_escape_words, steps)])


def _steps(facts: CardFacts) -> Sequence[Mapping[str, Any]]:
    steps: Sequence[Mapping[str, Any]] = facts.preprocessing["steps"]
    return [
        {"words": f"{step['words']} (mean {step['mean']}, std {step['std']})"}
        if step["step"] == "normalise"
        else step
        for step in steps
    ]


def _escape_words(line: str) -> str:
    return line.replace("*", "\\*")


def _describe_reproduction(facts: CardFacts) -> str:
    manifest = facts.manifest
    recipe = manifest["recipe"]
    level = Level(recipe["determinism"])
    source = facts.config.data.source
    place = {"synthetic": "", "csv": " --set data.root=DIR --set data.csv.file=TABLE"}.get(
        source, " --set data.root=DIR"
    )
    weights = manifest["weights_origin"]
    from_file = weights is not None and weights["source"] == "file"
    given = " --set 'model.weights={source: file, path: FILE, sha256: ...}'" if from_file else ""
    rows = [
        ["recipe", manifest["recipe_digest"]],
        ["config", recipe["config_digest"]],
        ["data", recipe["data_digest"]],
        ["code", recipe["code_digest"]],
        *([["initial weights", recipe["weights_in"]]] if recipe["weights_in"] else []),
        ["trace (every step)", manifest["trace_digest"]],
        ["outcome", manifest["outcome_digest"]],
        ["weights", manifest["outcome"]["weights_digest"]],
        ["predictions", manifest["outcome"]["predictions_digest"]],
    ]
    digests = render_table(["digest of", "value"], [[name, f"`{value}`"] for name, value in rows])
    return (
        f"Level `{level}`: {_PROMISES[level]}. With the data set and this version of cxr:\n\n"
        f"```sh\ncxr train --config recipe.yaml{place}{given} --out runs/again\n```\n\n"
        "Who has the run itself compares with `cxr diff`, or lets `cxr reproduce` do all of it.\n\n"
        f"{digests}"
    )


def _describe_environment(manifest: Manifest) -> str:
    facts, libraries = manifest["environment"], manifest["libraries"]
    rows = [
        ["Python", facts.get("python.version")],
        ["system", facts.get("os.system")],
        ["processor", facts.get("cpu.model")],
        ["instruction set", facts.get("numerics.cpu_capability")],
        ["threads", manifest["config"]["recipe"].get("threads")],
        *([name, libraries[name]] for name in _LIBRARIES if name in libraries),
    ]
    told = [[name, escape(str(value))] for name, value in rows if value is not None]
    return f"As it was trained; `manifest.json` has all of it.\n\n{render_table(['', ''], told)}"
