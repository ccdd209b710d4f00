"""From a record to a plan: everything that a reproduction needs, found and compared."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cxr.compare.environment_reference import Reference, load_reference
from cxr.compare.recorded_variables import (
    derive_variables,
    read_choices,
    read_choices_here,
    read_withheld,
)
from cxr.compare.verify_environment import verify_environment
from cxr.config.schema import RunConfig
from cxr.environment.code import PACKAGE, digest_code
from cxr.environment.deep import probe_environment
from cxr.environment.facts import Capture
from cxr.errors import InstallationError, RecordError
from cxr.progress import Progress
from cxr.reproduce.aside import build_aside, derive_requirements
from cxr.reproduce.environment_items import check_environment
from cxr.reproduce.pack_format import WEIGHTS_IN
from cxr.reproduce.plan import (
    Plan,
    check_data,
    check_sources,
    check_variables,
    check_weights,
    order_items,
)
from cxr.reproduce.record import Record, load_record_config, open_record, require_key
from cxr.reproduce.sources import Sources, find_sources, stage_sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be reproduced, and what its user says of this machine.

    Attributes:
        path: A run directory, a packed run or a manifest.
        root: The data set's root here; None: where it was.
        weights: The file of the initial weights here; None: where it was.
        key: The key of the images' pseudonyms here; None: where it was.
        repository: A checkout of cxr to take commits from; None: the one that cxr runs from.
        sync: Whether the recorded packages are built aside.
        trust: Whether code that came with a packed run may be run.
    """

    path: Path
    root: Path | None = None
    weights: Path | None = None
    key: Path | None = None
    repository: Path | None = None
    sync: bool = False
    trust: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a reproduction runs, and on what.

    Attributes:
        record: What is to be reproduced.
        config: Its config, with paths as they are here.
        config_file: A file that holds it.
        overrides: ``--set`` texts that go with the file.
        plan: What differs here.
        python: The interpreter; None: this process's own.
        variables: The environment variables of the run.
        runs_own: Whether it runs the sources of this process.
    """

    record: Record
    config: RunConfig
    config_file: Path
    overrides: list[str]
    plan: Plan
    python: Path | None
    variables: dict[str, str]
    runs_own: bool


def prepare_reproduction(request: Request, *, scratch: Path, progress: Progress) -> Prepared:
    """Find everything that the run needs and compare it with what was recorded.

    Args:
        request: What is to be reproduced.
        scratch: An empty directory; what is found is in use until the reproduction is over.
        progress: Told how far it is.

    Raises:
        CxrError: Something cannot be looked at; a difference that was found is in the plan.
    """
    record = open_record(request.path, place=scratch / "record")
    reference = _load_reference(record, request.path)
    config, config_file, overrides = load_record_config(
        record,
        place=scratch,
        root=request.root,
        weights=_find_weights(request, record),
        key=request.key,
    )
    require_key(config)
    (scratch / "sources").mkdir()
    sources = find_sources(record, scratch=scratch / "sources", repository=request.repository)
    python = None
    if request.sync:
        _require_trust(request, record)
        python = build_aside(derive_requirements(record, reference.capture), progress)
    choices, withheld = read_choices(record.manifest), read_withheld(record.manifest)
    # Nothing that came with the record is imported before its user has seen the plan.
    own = Sources(package=PACKAGE, origin="", are_own=True)
    capture = _capture_there(
        python, _derive_variables(record, own, python, scratch / "probing"), progress
    )
    trusted = request.trust or not sources.came_along
    used = sources if sources.package is not None and trusted else own
    variables = _derive_variables(record, used, python, scratch / "running")
    chosen_here = {
        name: value for name, value in read_choices_here().items() if name not in withheld
    }
    report = verify_environment(reference, capture)
    items = [
        *check_sources(record, sources, digest_code(), trusted=request.trust),
        *check_data(record, config, progress),
        *check_weights(record, config),
        *check_variables(choices, chosen_here, record.level),
        *check_environment(report, synced=request.sync, told_by_manifest=record.directory is None),
    ]
    return Prepared(
        record=record,
        config=config,
        config_file=config_file,
        overrides=overrides,
        plan=Plan(items=order_items(items), sources=sources, level=record.level),
        python=python,
        variables=variables,
        runs_own=used.are_own,
    )


def _require_trust(request: Request, record: Record) -> None:
    """Refuse to install what a packed run names, unless its user trusts whoever packed it."""
    if record.is_unpacked and not request.trust:
        raise RecordError(
            "a packed run names packages and the indexes to fetch them from",
            where=str(request.path),
            hint="look at its uv.lock; if you trust whoever packed it, give --trust with --sync",
        )


def _load_reference(record: Record, path: Path) -> Reference:
    """Return what the run recorded of its environment, from wherever it stands."""
    return load_reference(path if record.directory is None else record.directory)


def _find_weights(request: Request, record: Record) -> Path | None:
    """Return the file of the initial weights, if it was named or came packed with the run."""
    packed = record.directory / WEIGHTS_IN if record.directory is not None else None
    if request.weights is None and packed is not None and packed.is_file():
        return packed
    return request.weights


def _derive_variables(
    record: Record, sources: Sources, python: Path | None, holder: Path
) -> dict[str, str]:
    """Return the variables under which the recorded sources are imported, and kernels chosen."""
    variables = derive_variables(read_choices(record.manifest), read_withheld(record.manifest))
    package = sources.package or PACKAGE
    if sources.are_own and python is None:
        return variables
    stage_sources(package, holder)
    # Modules of this interpreter's path are not for another one.
    own = variables.get("PYTHONPATH") if python is None else None
    return {**variables, "PYTHONPATH": os.pathsep.join(filter(None, [str(holder), own]))}


def _capture_there(python: Path | None, variables: dict[str, str], progress: Progress) -> Capture:
    """Capture the environment of a process like the one that will train.

    Raises:
        InstallationError: A library cannot be imported there.
        Interrupted: A signal came.
    """
    what = "reading the environment that it would run in"
    progress.advance(what, 0, 1)
    found = probe_environment(python=python, variables=variables)
    if "error" in found:
        raise InstallationError(
            f"the environment cannot be read: {found['error']}",
            where=str(python or "cxr reproduce"),
            hint="cxr doctor names what is wrong here; --sync builds the recorded packages aside",
        )
    progress.advance(what, 1, 1)
    return found
