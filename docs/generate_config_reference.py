#!/usr/bin/env python
"""Write ``docs/formats/config.md`` from the config's schema, or check that it is up to date.

Run ``python docs/generate_config_reference.py`` after a change of ``cxr.config.schema``; with
``--check`` nothing is written, and the exit code is 1 if the page is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cxr.config.acting import CONDITIONS
from cxr.config.schema import RunConfig
from cxr.config.section import BITS_KEY
from cxr.determinism.levels import ALL_LEVELS, NATIVE_LEVELS, NO_LEVELS, PORTABLE_LEVELS

PAGE: Final = Path(__file__).resolve().parent / "formats" / "config.md"

Schema = Mapping[str, Any]

_HEADER: Final = """\
# The config

<!-- Written by docs/generate_config_reference.py from cxr.config.schema: do not edit by hand. -->

A config is one YAML file. It is a whole recipe: together with the data, the given weights and the
code it decides every bit of a run. Examples stand in `configs/`.

## How it is read

- `extends: other.yaml` lays this file over another one. Mappings are merged; anything else is
  replaced. So is `model.weights` where this file names another `source`.
- `--set key.path=value` changes one field, and may be given more than once. The value is YAML, as
  in `--set train.lr=3e-4` or `--set 'data.classes=[NORMAL, PNEUMONIA]'`.
- Paths have one rule, that of `extends` included: a relative path is relative to the directory of
  the file that it is written in, links to that file followed; after `--set` it is relative to the
  working directory. `~` is the home directory.
- A pipe or a device is no config, and none is read through `extends` either.
- Only plain values are read. Unknown keys, duplicate keys, tags, anchors and aliases are refused.
  `1e-3` is a number, `yes` is text.
- Every problem is reported at once, each with its file, line and key, and the exit code is 2:

```console
$ cxr train --config configs/synthetic_mlp.yaml --set train.lrr=1 --set train.epochs=0
error: the config has 2 problems
  where: --set train.epochs=0: train.epochs: should be greater than or equal to 1, not 0
         --set train.lrr=1: train.lrr: unknown key (did you mean train.lr?)
  do:    correct the config; docs/formats/config.md lists every field
```

A run keeps the resolved config, defaults included, as `config.yaml` in its directory.

## How to read the tables

**Bits** says at which levels a field affects bits: at `all levels`, `natively` (under `warn` and
`strict`, where the machine's own kernels compute), at `portable` alone, or `never`. Only
fields that affect bits at the run's level, [act beside the
others](#fields-that-act-only-beside-others) and are
not at their default enter `recipe.config_digest`. So a later version may add a field without
changing the digest of an old recipe. The level `portable` takes `device: cpu` and
`train.precision: float32`; others are refused there.
"""

_CONDITIONS: Final = """\
## Fields that act only beside others

Elsewhere they are not refused, since a config may extend one that sets them, but they do not affect
bits and do not enter `recipe.config_digest`.

| field | acts with |
| --- | --- |"""

_FOOTER: Final = """\
## Fields that must go together

Each of these is refused with the line that it stands on.

- `data.source: folder` needs `data.root` and at least two `data.classes`.
- `data.source: npz` needs `data.root`, the file, and at least two `data.classes`. It
  takes no `data.validation_fraction` and no `data.test_fraction`: its splits are those of the file.
- `data.source: csv` needs `data.csv.file`, and at least two `data.classes`; with
  `data.csv.label: null` one is enough. `data.csv.split_names`
  needs `data.csv.split`. It takes `data.csv.group` or `data.group_pattern`,
  not both.
- `data.csv.label: null` needs `train.loss: bce`: an image may have several of the classes.
- With `train.loss: bce` or `data.source: npz`, no class's name holds `|` or `?`, and none is `-`:
  these stand between names in the text of several labels.
- `data.source: synthetic` takes no `data.root`, no `data.classes`, no `data.validation_fraction`,
  no `data.test_fraction` and no `data.lock`. Its vectors are 28 px with 1 channel.
- `data.test_fraction` is for sets without splits: not beside `data.layout: splits` of a folder, nor
  beside `data.csv.split`. It and `data.validation_fraction` together are below 1.
- `data.classes` names each class once. `data.class_globs`, where given, has one glob for each.
- `data.window.kind: range` and `percentile` need `data.window.low` below `data.window.high`;
  percentiles are from 0 to 100. `file` is for DICOM, so not for `data.source: npz`.
- `data.pseudonym_key` is not for `npz` and `synthetic`: their samples have numbers for names.
- `data.group_pattern` is a regular expression that compiles.
- Each of `evaluate.subgroups` has a `column`, which is for `data.source: csv`, or a `pattern`, a
  regular expression that compiles.
- `data.expect` is for stored samples: not for `data.source: synthetic`. Its `counts` name classes
  of `data.classes` and are zero or more, its `size` is 1 px or more, and its `features`, given
  beside a `size`, are width times height.
- `portable.slices: 2` needs `determinism: portable`.
- A list in `train.class_weights` has one weight for each class.
- `train.shards` divides `train.batch_size`.
- `train.warmup_epochs` is at most `train.epochs`; `train.min_lr` is at most `train.lr`.
- `train.schedule: one_cycle` takes no `train.warmup_epochs`: it has a rise of its own.
- `train.augment.pad` is less than half of `data.image_size`.
- `model.freeze: backbone` needs a model that has one: not `mlp`. It takes no `model.drop_rate` and
  no `model.drop_path_rate`: a frozen backbone gives the same features in every epoch.
"""

_BITS: Final = {
    ALL_LEVELS: "all levels",
    NATIVE_LEVELS: "natively",
    PORTABLE_LEVELS: "at `portable`",
    NO_LEVELS: "never",
}
_SCALARS: Final = {
    "boolean": "boolean",
    "integer": "integer",
    "null": "null",
    "number": "number",
    "string": "text",
}
_BOUNDS: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "maxItems": "at most {} items",
    "pattern": "`{}`",
}


def main() -> int:
    """Write the page or, with ``--check``, compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/formats/config.md from the schema.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    wanted = render_page(RunConfig.model_json_schema())
    if not parser.parse_args().check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(
        "error: the config reference is out of date\n"
        "  where: docs/formats/config.md\n"
        "  do:    python docs/generate_config_reference.py\n"
    )
    return 1


def render_page(schema: Schema) -> str:
    """Return the whole page as Markdown."""
    sections = "\n".join(render_section(schema, schema, "", "The top level"))
    return f"{_HEADER}\n{sections}\n{render_conditions()}\n{_FOOTER}"


def render_conditions() -> str:
    """Return the table of fields that act only beside certain values of others."""
    lines = [_CONDITIONS]
    for condition in CONDITIONS:
        names = (f"`{name}*`" if name.endswith(".") else f"`{name}`" for name in condition.fields)
        lines.append(f"| {', '.join(names)} | {condition.when} |")
    return "\n".join([*lines, ""])


def render_section(root: Schema, section: Schema, prefix: str, title: str) -> Iterator[str]:
    """Yield the lines of a section's table, then those of the sections in it.

    Args:
        root: The whole schema, which holds the definitions that others refer to.
        section: The schema of one mapping.
        prefix: Dotted name of the section with a dot behind it, or an empty string.
        title: The table's heading.
    """
    yield f"## {title}\n"
    yield f"{section['description']}\n"
    yield "| field | type | default | range | bits | what it is |"
    yield "| --- | --- | --- | --- | --- | --- |"
    inner: list[tuple[str, Schema, str]] = []
    for name, field in section["properties"].items():
        dotted = f"{prefix}{name}"
        models = find_models(root, field)
        if len(models) == 1 and not is_nullable(field):
            inner.append((f"{dotted}.", models[0], f"`{dotted}`"))
            continue
        cells = (
            f"`{dotted}`",
            describe_type(root, field),
            describe_default(name, field, section),
            describe_range(root, field),
            describe_bits(field),
            describe_purpose(field),
        )
        yield f"| {' | '.join(map(escape_cell, cells))} |"
        for model in models:
            source = model["properties"]["source"]["const"]
            inner.append((f"{dotted}.", model, f"`{dotted}` with `source: {source}`"))
    yield ""
    for inner_prefix, model, inner_title in inner:
        yield from render_section(root, model, inner_prefix, inner_title)


def resolve(root: Schema, part: Schema) -> Schema:
    """Return ``part``, or the definition that it refers to."""
    reference = part.get("$ref")
    if reference is None:
        return part
    definition: Schema = root["$defs"][reference.rpartition("/")[2]]
    return definition


def list_arms(field: Schema) -> list[Schema]:
    """Return the members of a union, one within another; a field of one type is its own member."""
    arms = field.get("anyOf") or field.get("oneOf")
    return [inner for arm in arms for inner in list_arms(arm)] if arms else [field]


def is_nullable(field: Schema) -> bool:
    """Say whether a field may be null."""
    return any(arm.get("type") == "null" for arm in list_arms(field))


def find_models(root: Schema, field: Schema) -> list[Schema]:
    """Return the mappings with fields of their own that a field may hold."""
    arms = [resolve(root, arm) for arm in list_arms(field)]
    return [arm for arm in arms if "properties" in arm]


def describe_type(root: Schema, field: Schema) -> str:
    """Return a field's type in words."""
    names = [describe_arm(root, resolve(root, arm)) for arm in list_arms(field)]
    return " or ".join(dict.fromkeys(names))


def describe_arm(root: Schema, arm: Schema) -> str:
    """Return the name of one type."""
    values = [arm["const"]] if "const" in arm else arm.get("enum")
    if values:
        return ", ".join(f"`{value}`" for value in values)
    if arm["type"] == "array":
        return describe_list(root, arm)
    if arm["type"] == "object":
        return "mapping" if "properties" in arm else "mapping of text to text"
    return _SCALARS[arm["type"]]


def describe_list(root: Schema, arm: Schema) -> str:
    """Return the name of a list's type: of one length with its items, or of any with one item."""
    if "prefixItems" in arm:
        return f"list [{', '.join(describe_type(root, item) for item in arm['prefixItems'])}]"
    return f"list of {describe_type(root, arm['items'])}"


def describe_default(name: str, field: Schema, section: Schema) -> str:
    """Return a field's default as YAML has it, or that the field is required."""
    if name in section.get("required", ()):
        return "required"
    return f"`{json.dumps(field.get('default'))}`".replace('"', "")


def describe_range(root: Schema, field: Schema) -> str:
    """Return the bounds of a field's values, and of the values of a list."""
    found: list[str] = []
    for arm in list_arms(field):
        resolved = resolve(root, arm)
        bounds = {key: text for key, text in _BOUNDS.items() if key in resolved}
        if "prefixItems" in resolved:
            bounds.pop("maxItems", None)
        found += [text.format(resolved[key]) for key, text in bounds.items()]
        items = resolved.get("prefixItems", [resolved["items"]] if "items" in resolved else [])
        inner = [describe_range(root, item) for item in items]
        found += [f"each {text}" for text in dict.fromkeys(inner) if text]
    return ", ".join(found)


def describe_bits(field: Schema) -> str:
    """Return at which levels a field affects bits."""
    levels = tuple(field.get(BITS_KEY, ALL_LEVELS))
    return _BITS.get(levels) or ", ".join(f"`{level}`" for level in levels)


def describe_purpose(field: Schema) -> str:
    """Return a field's description, in which angle brackets are no HTML; empty without one."""
    text: str = field.get("description", "")
    return text.replace("<", r"\<")


def escape_cell(text: str) -> str:
    """Keep a bar within a table's cell."""
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.exit(main())
