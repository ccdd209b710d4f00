"""What a reproduction would meet here: every difference from what the run recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cxr.compare.report import Affects
from cxr.compare.samples import compare_samples
from cxr.config.schema import FileWeights, RunConfig
from cxr.data.sources.open import open_source
from cxr.data.sources.other_key import is_other_key
from cxr.data.sources.scan import hash_samples
from cxr.determinism.levels import Level
from cxr.digests.weights_file import digest_weights_file
from cxr.environment.facts import find_levels
from cxr.progress import Progress
from cxr.records.data_lock import DataLock, load_data_lock
from cxr.records.run_directory import DATA_LOCK
from cxr.reproduce.record import Record
from cxr.reproduce.sources import Sources

_RESTORE_FILE: Final = "restore the file, or name another data set with --data"
_RESTORE_PATIENTS: Final = (
    "weights and predictions are the same; restore the patients for intervals and subgroups"
)

Part = Literal["config", "data", "code", "weights", "environment"]
Remedy = Literal["set", "checkout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that is not here as it was when the run was made.

    Attributes:
        part: What it belongs to.
        field: An image's path, a fact's dotted name, a digest's name.
        expected: What the run recorded.
        found: What is here.
        affects_bits: Whether it does, at the run's level.
        remedy: How the reproduction puts it right by itself, or None where it cannot.
        do: What its user can do about it, in one line.
        can_be_forced: Whether the run could be trained all the same.
    """

    part: Part
    field: str
    expected: Any
    found: Any
    affects_bits: Affects
    remedy: Remedy | None = None
    do: str
    can_be_forced: bool = True

    @property
    def is_in_the_way(self) -> bool:
        """Whether bits may be others because of it."""
        return self.remedy is None and self.affects_bits != "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is different here, and what the reproduction would run on.

    Attributes:
        items: Every difference, those in the way first.
        sources: Where the recorded sources are.
        level: The run's level.
    """

    items: list[Item]
    sources: Sources
    level: Level

    @property
    def in_the_way(self) -> list[Item]:
        """What keeps the reproduction from being one."""
        return [item for item in self.items if item.is_in_the_way]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {
            "level": str(self.level),
            "sources": self.sources.origin,
            "items": [{**asdict(item), "in_the_way": item.is_in_the_way} for item in self.items],
        }


def is_stopped(plan: Plan, *, force: bool) -> bool:
    """Say whether something keeps the run from being trained."""
    return any(not force or not item.can_be_forced for item in plan.in_the_way)


def order_items(items: list[Item]) -> list[Item]:
    """Put what is in the way first, then what is put right, then what does not matter."""
    return sorted(items, key=lambda item: (not item.is_in_the_way, item.affects_bits == "no"))


def check_sources(
    record: Record, sources: Sources, own_digest: str, *, trusted: bool
) -> Iterator[Item]:
    """Yield an item where the sources that run now are not the recorded ones.

    Args:
        record: The run.
        sources: Where its sources are.
        own_digest: Digest of those that run now.
        trusted: Whether sources that came with a packed run may be run.
    """
    if sources.are_own:
        return
    found = sources.package is not None
    if sources.came_along and not trusted:
        yield Item(
            part="code",
            field="code_digest",
            expected=record.manifest["recipe"]["code_digest"],
            found=own_digest,
            affects_bits="unknown",
            do=f"the code would be {sources.origin}: read it, then run it with --trust",
        )
        return
    yield Item(
        part="code",
        field="code_digest",
        expected=record.manifest["recipe"]["code_digest"],
        found=own_digest,
        affects_bits="unknown",
        remedy="checkout" if found else None,
        do=f"runs {sources.origin}" if found else f"get the sources: {sources.origin}",
    )


def check_data(record: Record, config: RunConfig, progress: Progress) -> Iterator[Item]:
    """Yield an item for each image that is not as the run used it, or one for another key.

    Raises:
        DataError: A data set is there, and cannot be read.
    """
    if config.data.source == "synthetic":
        # Drawn from the recipe: nothing here could be another.
        return
    if not Path(config.data.root or "").exists():
        yield Item(
            part="data",
            field="data.root",
            expected="the data set",
            found=None,
            affects_bits="yes",
            do="say with --data DIR which directory holds train, val and test",
            can_be_forced=False,
        )
        return
    source = open_source(config.data)
    lock = hash_samples(source, source.find(), progress=progress)
    wanted = record.manifest["recipe"]["data_digest"]
    is_same = lock.digest == wanted
    recorded = record.find_file(DATA_LOCK)
    if recorded is None:
        if not is_same:
            names_none = "the manifest alone names no image: use the run directory"
            yield _other_data(wanted, lock, names_none)
        return
    then = load_data_lock(recorded)
    if is_other_key(config.data, then.samples, lock.samples):
        yield Item(
            part="data",
            field="data.pseudonym_key",
            expected="the run's key",
            found="another key",
            affects_bits="yes",
            do="say with --key FILE where the run's is",
        )
        return
    # Of patients the digest tells nothing.
    differences = list(compare_samples(then, lock, set()))
    for one in differences:
        yield Item(
            part="data",
            field=one.field,
            expected=one.a,
            found=one.b,
            affects_bits=one.affects_bits,
            do=_RESTORE_FILE if one.affects_bits == "yes" else _RESTORE_PATIENTS,
        )
    if not is_same and all(one.affects_bits == "no" for one in differences):
        yield _other_data(wanted, lock, "its classes or splits are others")


def _other_data(wanted: str, lock: DataLock, do: str) -> Item:
    return Item(
        part="data",
        field="data_digest",
        expected=wanted,
        found=lock.digest,
        affects_bits="yes",
        do=do,
    )


def check_weights(record: Record, config: RunConfig) -> Iterator[Item]:
    """Yield an item where the weights that the run started from are not here.

    Those of a hub are fetched, and checked, when the run begins.
    """
    wanted, given = record.manifest["recipe"]["weights_in"], config.model.weights
    if wanted is None or not isinstance(given, FileWeights):
        return
    try:
        found = digest_weights_file(Path(given.path))
    except (OSError, ValueError):
        found = None
    if found != wanted:
        yield Item(
            part="weights",
            field="weights_in",
            expected=wanted,
            found=found,
            affects_bits="yes",
            do="name the weights that the run started from with --weights FILE",
            can_be_forced=found is not None,
        )


def check_variables(
    recorded: Mapping[str, str], here: Mapping[str, str], level: Level
) -> Iterator[Item]:
    """Yield an item for each choice of kernels that is another in this shell: it will be set.

    Args:
        recorded: Variables by which the run's user had chosen kernels.
        here: Those of this process.
        level: The run's level.
    """
    for name in sorted({*recorded, *here}):
        if recorded.get(name) != here.get(name):
            yield Item(
                part="environment",
                field=f"variables.{name}",
                expected=recorded.get(name),
                found=here.get(name),
                # At portable no choice of kernels changes a bit.
                affects_bits="yes" if level in find_levels(f"variables.{name}") else "no",
                remedy="set",
                do="is set as recorded, for the reproduction alone",
            )
