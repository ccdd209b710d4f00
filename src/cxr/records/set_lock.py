"""The lock of a data set: what every image is, to the pixel, and which split it belongs to.

One JSON object with a sample a line, sorted by path, so that two versions of it diff well and a
large set stays small: hex digests stand without their prefix, and a sample is a list, whose columns
the head names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cxr.atomic import write_bytes
from cxr.digests.canonical import PREFIX, canonical_json
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.plain_text import is_plain_text
from cxr.records.data_lock import SCHEMA as RUN_SCHEMA
from cxr.records.data_lock import load_data_lock

SCHEMA: Final = "cxr.set-lock/1"
SUFFIX: Final = ".lock.json"
_MAX_NAME: Final = 255  # bytes of a name, on the file systems of today
SPLITS: Final = frozenset({"", "train", "val", "test"})
"""Of an image: empty in a set that has no splits."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """One image of a set, as it was when it was locked.

    Attributes:
        path: POSIX path below the set's root.
        bytes: Size in bytes.
        sha256: ``sha256:<hex>`` of the bytes.
        pixels: ``sha256:<hex>`` of the decoded pixels; empty where they are not known.
        width: In px; 0 where unknown.
        height: Likewise.
        mode: Pillow's name of the pixels' kind; empty where unknown.
        label: Name of its class; empty in a directory without classes.
        group: What must not be split: the patient. In the file, null stands for the path: an
            image by itself.
        split: ``train``, ``val`` or ``test``; empty in a set that has no splits.
    """

    path: str
    bytes: int
    sha256: str
    pixels: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    label: str
    group: str
    split: str


COLUMNS: Final = tuple(one.name for one in fields(LockedImage))
"""Of a sample's list, in this order; part of the format."""

_DIGESTS: Final = ("sha256", "pixels")
_NUMBERS: Final = ("bytes", "width", "height")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLock:
    """A data set as it was when it was locked.

    Attributes:
        classes: Class names in label order.
        images: Every image, sorted by path.
        rules: The fields of the config's data section that labels, groups and splits follow from;
            empty where they follow from a directory alone.
        decoder: ``versions`` of the libraries that decoded the pixels, and ``canaries``.
        target: Name of the config, directory or file beside the lock that it was made of; empty
            where that lies elsewhere.
        of_run: Whether it is the lock that a run wrote, which knows no pixels.
    """

    classes: tuple[str, ...]
    images: tuple[LockedImage, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    decoder: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    target: str = ""
    of_run: bool = False


def render_set_lock(lock: SetLock) -> bytes:
    """Return a lock as the bytes of its file: equal locks are equal bytes."""
    head = {
        "schema": SCHEMA,
        "target": lock.target,
        "classes": list(lock.classes),
        "rules": lock.rules,
        "decoder": lock.decoder,
        "columns": list(COLUMNS),
    }
    lines = [b'"%b":%b,\n' % (key.encode(), canonical_json(head[key])) for key in head]
    images = sorted(lock.images, key=lambda image: image.path)
    rows = b",\n".join(canonical_json(_render_image(image)) for image in images)
    return b"{" + b"".join(lines) + b'"samples":[\n' + rows + b"\n]}\n"


def _render_image(image: LockedImage) -> list[Any]:
    values = asdict(image) | {name: getattr(image, name)[len(PREFIX) :] for name in _DIGESTS}
    values["group"] = None if image.group == image.path else image.group
    return [values[name] for name in COLUMNS]


def write_set_lock(path: Path, lock: SetLock) -> int:
    """Write a lock, whole or not at all, and return its size in bytes.

    Raises:
        StorageError: It cannot be written.
    """
    content = render_set_lock(lock)
    write_bytes(path, content, option="--out")
    return len(content)


def load_lock(path: Path, *, target: str = "TARGET") -> SetLock:
    """Read the lock of a set, or the one that a run wrote.

    Args:
        path: The lock.
        target: Of what ``cxr data lock`` would write it, as a shell reads it, where that is known.

    Raises:
        RecordError: It is missing, unreadable, or not a lock.
    """
    if not path.exists():
        raise RecordError(
            "there is no such lock",
            where=str(path),
            hint=f"cxr data lock {target} writes the lock of a set; check the path",
        )
    content = load_json_object(
        path,
        hint=f"check the path; cxr data lock {target} writes the lock of a set",
        if_damaged="it was cut short or edited, or a merge left both sides in it: restore it, or "
        "take one side; where neither is left, remove it and lock the set anew",
    )
    if content.get("schema") == RUN_SCHEMA:
        return _widen_run_lock(path)
    if content.get("schema") != SCHEMA:
        raise RecordError(
            f"not a data lock: its schema is {content.get('schema')!r}",
            where=str(path),
            hint=f"name a lock of the schema {SCHEMA} or {RUN_SCHEMA}; one that another version of "
            "cxr wrote needs that version",
        )
    try:
        return _read(content)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"the lock lacks or misspells something: {error}",
            where=str(path),
            hint="it was edited; restore it, or remove it and lock the set anew",
        ) from error


def _widen_run_lock(path: Path) -> SetLock:
    lock = load_data_lock(path)
    images = tuple(LockedImage(**asdict(sample)) for sample in lock.samples)
    return SetLock(classes=lock.classes, images=images, of_run=True)


def _read(content: dict[str, Any]) -> SetLock:
    """Build a lock of JSON values, checking all that is relied on.

    Raises:
        KeyError: A part is missing.
        TypeError: A value has another type than it must have.
        ValueError: A value is none of those that there can be.
    """
    if content["columns"] != list(COLUMNS):
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    classes, rules, decoder = content["classes"], content["rules"], content["decoder"]
    target, rows = content["target"], content["samples"]
    if not _is_list_of_text(classes) or not isinstance(rows, list):
        raise TypeError("classes or samples are no lists")
    if not isinstance(rules, dict) or not _is_decoder(decoder):
        raise TypeError("rules or decoder are no objects")
    if not isinstance(target, str) or target == ".." or target != PurePosixPath(target).name:
        raise ValueError("its target is not the name of something beside it")
    if not is_plain_text(target) or len(target) > _MAX_NAME:
        raise ValueError("its target is not the name of something beside it")
    images = tuple(map(_read_image, rows))
    seen: set[str] = set()
    for image in images:
        if image.path in seen:
            raise ValueError(f"two samples with the path {image.path!r}")
        seen.add(image.path)
    return SetLock(
        classes=tuple(classes), images=images, rules=rules, decoder=decoder, target=target
    )


def _read_image(row: object) -> LockedImage:
    if not isinstance(row, list) or len(row) != len(COLUMNS):
        raise TypeError(f"a sample that has not {len(COLUMNS)} columns")
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    if values["group"] is None:
        values["group"] = values["path"]
    for name, value in values.items():
        # True is an int to Python, and no number here.
        fits = type(value) is int and value >= 0 if name in _NUMBERS else isinstance(value, str)
        if not fits:
            raise TypeError(f"a sample whose {name} is {value!r}")
    path = PurePosixPath(values["path"])
    if not is_plain_text(values["path"]):
        raise ValueError("a sample whose path holds control characters or is not Unicode")
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"a sample whose path {values['path']!r} leads out of the set")
    if not _HEX.fullmatch(values["sha256"]) or not _HEX.fullmatch(values["pixels"] or "0" * 64):
        raise ValueError(f"a sample whose digest is none: {values['path']!r}")
    if values["split"] not in SPLITS:
        raise ValueError(f"a sample in the split {values['split']!r}")
    for name in _DIGESTS:
        values[name] = values[name] and PREFIX + values[name]
    return LockedImage(**values)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_decoder(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(facts, dict) and all(isinstance(fact, str) for fact in facts.values())
        for facts in value.values()
    )
