"""Advisories that the user gives as files, for machines without a network.

The format is that of Open Source Vulnerability records, of which those about the ecosystem ``PyPI``
count. Source: https://ossf.github.io/osv-schema/
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from packaging.version import Version
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from cxr.audit.version_ranges import Event, EventKind, is_in_range
from cxr.audit.vulnerabilities import (
    Findings,
    Vulnerability,
    merge_aliases,
    parse_version,
    sort_versions,
)
from cxr.bounded_file import read_bounded
from cxr.digests.canonical import PREFIX
from cxr.environment.packages import normalise_name
from cxr.errors import RecordError
from cxr.json_file import MAX_RECORD_BYTES
from cxr.progress import SILENCE, Progress

_ECOSYSTEM: Final = "PyPI"
_KINDS: Final[tuple[EventKind, ...]] = ("introduced", "fixed", "last_affected", "limit")
_MAX_SUMMARY: Final = 300
_SUFFIX: Final = ".json"


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Package(_Strict):
    ecosystem: str
    name: str


class _Range(_Strict):
    type: str
    events: list[dict[str, str]] = []


class _Affected(_Strict):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None


class _Record(_Strict):
    id: str
    affected: list[_Affected]
    withdrawn: str | None = None
    aliases: list[str] | None = None
    summary: str | None = None
    details: str | None = None

    @field_validator("withdrawn")
    @classmethod
    def _require_time(cls, text: str | None) -> str | None:
        """Refuse what is no time with a zone: it would do away with a record that stands."""
        if text is not None and datetime.fromisoformat(text).tzinfo is None:
            raise ValueError("a time without a zone")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisories:
    """Advisories about Python packages.

    Attributes:
        num: How many there are, without those withdrawn.
        digest: ``sha256:<hex>`` over the digests of the files' bytes, sorted.
        by_package: Them, by the normalised name of a package.
    """

    num: int
    digest: str
    by_package: Mapping[str, Sequence[_Record]]


def load_advisories(paths: Iterable[Path], progress: Progress = SILENCE) -> Advisories:
    """Read advisories.

    Args:
        paths: Files, each with one record, a list of them, or an object with a list ``vulns``; or
            directories with such files, named ``*.json`` in small letters or large, at
            any depth; links are followed.
        progress: Told how many files are read.

    Raises:
        RecordError: One cannot be read, is not such a file, or there is none about Python packages.
        Interrupted: A signal came.
    """
    files = [file for path in paths for file in _list_files(path)]
    digests: list[str] = []
    records: list[_Record] = []
    for done, file in enumerate(files, start=1):
        content = _read(file)
        digests.append(hashlib.sha256(content).hexdigest())
        records += [record for record in _parse(content, file) if _counts(record)]
        progress.advance("reading advisories", done, len(files))
    if not records:
        raise RecordError(
            "there is no advisory about Python packages here",
            where=", ".join(str(path) for path in paths),
            hint=f"give Open Source Vulnerability records of the ecosystem {_ECOSYSTEM}",
        )
    by_package: dict[str, list[_Record]] = {}
    for record in records:
        for name in {_name(place) for place in record.affected} - {None}:
            by_package.setdefault(str(name), []).append(record)
    joined = hashlib.sha256("".join(sorted(set(digests))).encode("ascii")).hexdigest()
    return Advisories(
        num=len({record.id for record in records}), digest=PREFIX + joined, by_package=by_package
    )


def find_vulnerabilities(advisories: Advisories, packages: Mapping[str, str]) -> Findings:
    """Look packages up in advisories, and nowhere else.

    The local part of a version (``+cu126``) is dropped: advisories know none.

    Args:
        advisories: The advisories.
        packages: Versions by normalised name, all of them versions by PEP 440.
    """
    found: list[Vulnerability] = []
    unanswered: dict[str, str] = {}
    for name, text in packages.items():
        version = Version(Version(text).public)
        for record in advisories.by_package.get(name, ()):
            places = [place for place in record.affected if _name(place) == name]
            verdicts = [_is_affected(version, place) for place in places]
            if True in verdicts:
                found.append(_describe(name, text, record, places))
            elif None in verdicts:
                unanswered[name] = f"{record.id} does not say in versions what it affects"
    return Findings(vulnerabilities=tuple(merge_aliases(found)), unanswered=unanswered)


def _list_files(path: Path) -> list[Path]:
    """Return the file, or the files of a directory, in a fixed order."""
    if not path.is_dir():
        return [path]
    files = sorted(_walk(path))
    if not files:
        raise RecordError(
            "there is no advisory in this directory",
            where=str(path),
            hint="name a directory with *.json files, or a file",
        )
    return files


def _walk(directory: Path) -> Iterator[Path]:
    """Yield whatever is named as an advisory below a directory, links to directories followed.

    Raises:
        RecordError: A directory cannot be read: it may hold an advisory.
    """

    def refuse(error: OSError) -> None:
        raise _describe_unread(Path(error.filename or directory), error) from error

    seen: set[tuple[int, int]] = set()
    for place, names, files in os.walk(directory, followlinks=True, onerror=refuse):
        try:
            found = Path(place).stat()
        except OSError as error:
            raise _describe_unread(Path(place), error) from error
        if (found.st_dev, found.st_ino) in seen:
            # A link to a directory above it, or to one that has been looked at.
            names.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        for file in (Path(place, name) for name in files):
            # A link that leads nowhere may have led to a directory; it fails where it is read.
            if file.name.lower().endswith(_SUFFIX) or not file.exists():
                yield file


def _read(path: Path) -> bytes:
    """Return a file's bytes."""
    try:
        return read_bounded(path, max_bytes=MAX_RECORD_BYTES)
    except OSError as error:
        raise _describe_unread(path, error) from error


def _describe_unread(path: Path, error: OSError) -> RecordError:
    return RecordError(
        f"cannot read the advisory: {error.strerror or error}",
        where=str(path),
        hint="check the path and its permissions",
    )


def _parse(content: bytes, path: Path) -> Iterator[_Record]:
    """Yield the records of a file."""
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"the advisory is not JSON: {error}",
            where=str(path),
            hint="it was cut short or edited; fetch it again",
        ) from error
    if isinstance(document, dict) and "vulns" in document:
        document = document["vulns"]
    for place, item in enumerate(document if isinstance(document, list) else [document]):
        try:
            yield _Record.model_validate(item)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "the record"
            raise RecordError(
                f"this is not an Open Source Vulnerability record: {field}: {first['msg']}",
                where=f"{path}, record {place}",
                hint="each record needs at least id and affected; fetch it again",
            ) from error


def _counts(record: _Record) -> bool:
    """Say whether a record stands, and is about a Python package."""
    withdrawn = record.withdrawn
    stands = withdrawn is None or datetime.fromisoformat(withdrawn) > datetime.now(UTC)
    return stands and any(_name(place) for place in record.affected)


def _name(place: _Affected) -> str | None:
    """Return the normalised name of the Python package that is affected, if it is one."""
    # A suffix names a release of the ecosystem, as in Debian:11.
    if place.package is None or place.package.ecosystem.partition(":")[0] != _ECOSYSTEM:
        return None
    return normalise_name(place.package.name)


def _is_affected(version: Version, place: _Affected) -> bool | None:
    """Say whether a version is affected, or None where that cannot be told."""
    listed = [parse_version(text) for text in place.versions or ()]
    if version in listed:
        return True
    ranges = [one for one in place.ranges or () if one.type == "ECOSYSTEM"]
    events = [_parse_events(one) for one in ranges]
    if any(one is not None and is_in_range(version, one) for one in events):
        return True
    told = [*filter(None, listed), *(one for one in events if one is not None)]
    return None if None in events or not told else False


def _parse_events(range_: _Range) -> list[Event] | None:
    """Return the events of a range, or None where one of them cannot be placed."""
    events: list[Event] = []
    for event in range_.events:
        for kind in _KINDS:
            text = event.get(kind)
            if text is None:
                continue
            open_end = text == {"introduced": "0", "limit": "*"}.get(kind)
            version = None if open_end else parse_version(text)
            if version is None and not open_end:
                return None
            events.append(Event(kind=kind, version=version))
    return events if any(event.kind == "introduced" for event in events) else None


def _describe(
    name: str, version: str, record: _Record, places: Sequence[_Affected]
) -> Vulnerability:
    """Return the vulnerability that a record tells of."""
    ranges = [one for place in places for one in place.ranges or () if one.type == "ECOSYSTEM"]
    fixed = {event["fixed"] for one in ranges for event in one.events if "fixed" in event}
    summary = " ".join((record.summary or record.details or "").split())
    return Vulnerability(
        package=name,
        version=version,
        id=record.id,
        aliases=tuple(sorted(set(record.aliases or ()) - {record.id})),
        fixed_in=sort_versions(fixed),
        summary=summary[:_MAX_SUMMARY],
    )
