"""A config as flat fields with dotted names, and which of them affect bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cxr.config.acting import acts
from cxr.config.schema import RunConfig
from cxr.config.section import BITS_KEY
from cxr.determinism.levels import ALL_LEVELS, Level
from cxr.digests.canonical import digest_json


def flatten_config(config: RunConfig) -> dict[str, Any]:
    """Return every field by its dotted name, with values that JSON can hold."""
    return {name: value for name, value, _ in _walk(config, "")}


def find_recipe_fields(config: RunConfig) -> dict[str, Any]:
    """Return the fields that affect bits at the config's level, those at their default left out.

    Leaving defaults out keeps a digest stable when a later version adds a field. A field that
    does not act beside the others, as ``train.momentum`` beside adamw, is left out as well.
    """
    return {
        name: value
        for name, value, info in _walk(config, "")
        if affects_bits(info, config.determinism)
        and not _is_default(value, info)
        and acts(name, config)
    }


def find_changed_fields(config: RunConfig) -> list[str]:
    """Return the dotted names of all fields that are not at their default, acting or not."""
    return [name for name, value, info in _walk(config, "") if not _is_default(value, info)]


def digest_config(config: RunConfig) -> str:
    """Return the digest of what `find_recipe_fields` finds."""
    return digest_json(find_recipe_fields(config))


def affects_bits(info: FieldInfo, level: Level) -> bool:
    """Say whether a field affects bits at ``level``."""
    extra = info.json_schema_extra
    levels = extra.get(BITS_KEY, list(ALL_LEVELS)) if isinstance(extra, dict) else list(ALL_LEVELS)
    return isinstance(levels, list) and level in levels


def _walk(section: BaseModel, prefix: str) -> Iterator[tuple[str, Any, FieldInfo]]:
    """Yield (dotted name, JSON value, field) of every leaf in declaration order."""
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _plain(value), info


def _plain(value: Any) -> Any:
    """Turn tuples into lists and enumerations into text."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Level) else value


def _is_default(value: Any, info: FieldInfo) -> bool:
    """Say whether ``value`` is what the field has when nothing is said."""
    return info.default is not PydanticUndefined and value == _plain(info.default)
