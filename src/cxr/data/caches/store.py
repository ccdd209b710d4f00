"""Small things remembered between commands: rows of bytes under a key, in one file of SQLite.

Nothing in it is ever needed: a row that is missing, damaged or of no use is found out again, a file
that is damaged is made anew, and one that cannot be written is done without. Several processes may
use it at a time. It holds no name and no path: a key is a digest, and each row has a check of its
own, so that a flipped bit is a missing row.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from cxr.places import find_cache_directory

FILE_NAME: Final = "remembered-1.sqlite3"
"""The number is that of the tables' form."""

MAX_ROWS: Final[dict[str, int]] = {"files": 2_000_000, "looks": 1_000_000, "answers": 1_000}
"""Rows that a table keeps: when it has more, those that were written first go."""

_PATIENCE_S: Final = 10
_AT_ONCE: Final = 500  # below SQLite's limit of variables in one statement, in every build of it
_CHECK_BYTES: Final = 8


class Store:
    """The tables, open. May be used by several threads."""

    def __init__(self, connection: sqlite3.Connection, place: Path) -> None:
        self._connection = connection
        self._place = place
        self._lock = threading.Lock()
        self._is_sound = True

    @classmethod
    def open(cls, directory: Path | None = None) -> Self | None:
        """Open the user's store, making it where there is none.

        Args:
            directory: Where it lies; None for the user's cache directory.

        Returns:
            None where there is no place that can be written.
        """
        directory = directory or find_cache_directory("looks")
        if directory is None:
            return None
        place = directory / FILE_NAME
        for _ in range(2):
            try:
                return cls(_connect(place), place)
            except sqlite3.OperationalError:
                # It is locked for too long, or cannot be written: that is no damage.
                return None
            except sqlite3.DatabaseError:
                _remove(place)
            except OSError:
                return None
        return None

    def close(self) -> None:
        """Close the file; one that turned out to be damaged is removed."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        if not self._is_sound:
            _remove(self._place)

    def get(self, table: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the rows that there are under some keys."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            # The table is one of three words, and the keys are bound.
            query = f"SELECT key, content, sound FROM {table} WHERE key IN ({marks})"  # noqa: S608
            with self._lock, self._noting_damage():
                rows = self._connection.execute(query, some)
                found.update((key, row) for key, row, sound in rows if sound == _check(key, row))
        return found

    def put(self, table: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write rows in one go, in place of those under the same keys."""
        checked = [(key, content, _check(key, content)) for key, content in rows]
        if not checked:
            return
        query = f"INSERT OR REPLACE INTO {table} (key, content, sound) VALUES (?, ?, ?)"  # noqa: S608
        with self._lock, self._noting_damage(), self._connection:
            self._connection.executemany(query, checked)
            last = self._connection.execute(f"SELECT max(number) FROM {table}").fetchone()[0]  # noqa: S608
            self._connection.execute(
                f"DELETE FROM {table} WHERE number <= ?",  # noqa: S608
                [last - MAX_ROWS[table]],
            )

    @contextlib.contextmanager
    def _noting_damage(self) -> Iterator[None]:
        """Do without what cannot be read or written, and remember a damaged file."""
        try:
            yield
        except sqlite3.OperationalError:
            pass  # locked, full or read-only
        except sqlite3.DatabaseError:
            self._is_sound = False


def _connect(place: Path) -> sqlite3.Connection:
    """Open the file for its owner alone, and see to its tables.

    Raises:
        sqlite3.DatabaseError: It is damaged, or is something else.
        OSError: It cannot be made.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(place, timeout=_PATIENCE_S, check_same_thread=False)
    try:
        # Losing the last rows with the power costs another look; SQLite undoes half a transaction.
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            for table in MAX_ROWS:
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} (number INTEGER PRIMARY KEY AUTOINCREMENT,"
                    " key BLOB UNIQUE NOT NULL, content BLOB NOT NULL, sound BLOB NOT NULL)"
                )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _remove(place: Path) -> None:
    """Remove a damaged file and what SQLite may have left beside it."""
    for name in (place.name, f"{place.name}-journal", f"{place.name}-wal", f"{place.name}-shm"):
        with contextlib.suppress(OSError):
            place.with_name(name).unlink()


def _check(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(key + content, digest_size=_CHECK_BYTES).digest()
