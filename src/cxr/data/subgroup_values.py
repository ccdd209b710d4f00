"""What each image is in a subgroup's column or pattern: held in memory, and written to no record.

A column may say what a record must not, such as a patient's age. Records have figures of the
subgroups that are large enough, and the names of no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cxr.config.schema import RunConfig, SubgroupRule
from cxr.data.sources.csv_table import CsvSource
from cxr.data.sources.open import open_source
from cxr.data.sources.pseudonyms import PseudonymousSource
from cxr.errors import DataError
from cxr.plain_text import is_plain_text
from cxr.records.data_lock import DataLock

SubgroupValues = dict[str, dict[str, str | None]]
"""By subgroup and by an image's path as records name it: its value, or None where it has none."""


def read_subgroup_values(config: RunConfig, lock: DataLock) -> SubgroupValues:
    """Return the value that each image has in each subgroup of ``evaluate.subgroups``.

    Args:
        config: The recipe, with absolute paths.
        lock: The samples of the data set.

    Returns:
        Of a column, the cell without white space at its ends; of a pattern, what its groups
        capture in the image's real path, joined by ``/``, or the whole match. None where the cell
        is empty or the pattern does not match.

    Raises:
        DataError: The table has no such column or cannot be read, or a value is no plain text.
    """
    rules = config.evaluate.subgroups
    if not rules:
        return {}
    real = _find_real_paths(config, lock)
    cells = _read_cells(config)
    return {
        name: {
            path: _find_value(rule, real_path, cells.get(real_path, {}), name)
            for path, real_path in real.items()
        }
        for name, rule in rules.items()
    }


def derive_pattern_values(
    rules: Mapping[str, SubgroupRule], paths: Sequence[str]
) -> SubgroupValues:
    """Return the value that each image has in each pattern, which its real path says alone.

    Args:
        rules: By subgroup, a pattern.
        paths: Real paths of the images.

    Raises:
        DataError: A value is no plain text.
    """
    return {
        name: {path: _find_value(rule, path, {}, name) for path in paths}
        for name, rule in rules.items()
    }


def _find_real_paths(config: RunConfig, lock: DataLock) -> dict[str, str]:
    """Return the real path of each image, by the path that records know it by."""
    if config.data.pseudonym_key is not None:
        source = open_source(config.data)
        if isinstance(source, PseudonymousSource):
            return {image.path: source.find_real(image).path for image in source.find()}
    return {sample.path: sample.path for sample in lock.samples}


def _read_cells(config: RunConfig) -> dict[str, dict[str, str]]:
    """Return the named cells of each image of a table, by its real path."""
    columns = {
        f"evaluate.subgroups.{name}.column": rule["column"]
        for name, rule in config.evaluate.subgroups.items()
        if "column" in rule
    }
    return CsvSource(config.data).read_cells(columns) if columns else {}


def _find_value(rule: SubgroupRule, path: str, cells: Mapping[str, str], name: str) -> str | None:
    if "column" in rule:
        value = cells.get(rule["column"], "").strip()
    else:
        match = re.search(rule["pattern"], path)
        captured = [part for part in match.groups() if part is not None] if match else []
        value = "/".join(captured) or (match.group() if match else "")
    if not is_plain_text(value):
        raise DataError(
            "a subgroup's value holds control characters",
            where=f"evaluate.subgroups.{name}",
            hint="correct the cell of the table, or the pattern",
        )
    return value or None
