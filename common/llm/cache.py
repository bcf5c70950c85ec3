"""Every reply ever paid for, kept by content in one SQLite file, and what each run has spent.

A reply is committed before it is used, so a process that is killed loses at most the calls in flight.
Write-ahead logging lets several commands use the file at once.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError
from common.paths import CACHE

FULL = ("full", "disk i/o error")


class Cache:
    """A dict from content keys to JSON values that outlives the process, and a ledger of spending."""

    def __init__(self, path: Path = CACHE / "replies.sqlite") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        with self._clear_errors():
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            # Survives a killed process; only a power cut can lose the last replies.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS spent (scope TEXT, model TEXT, dollars REAL, calls INTEGER,"
                " PRIMARY KEY (scope, model))"
            )

    def get(self, key: str) -> Any | None:
        """Return the value stored under `key`, or None."""
        with self._clear_errors():
            row = self._db.execute("SELECT value FROM replies WHERE key = ?", (key,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Store `value` under `key`, on disk when this returns; the first value stays."""
        with self._clear_errors():
            self._db.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", (key, orjson.dumps(value)))

    def spent(self, scope: str) -> float:
        """Return the dollars that `scope` (a run) has spent so far, in this process and earlier ones."""
        with self._clear_errors():
            row = self._db.execute("SELECT sum(dollars) FROM spent WHERE scope = ?", (scope,)).fetchone()
        return row[0] or 0.0

    def spend(self, scope: str, model: str, dollars: float) -> None:
        """Add one call's price to what `scope` has spent."""
        with self._clear_errors():
            self._db.execute(
                "INSERT INTO spent VALUES (?, ?, ?, 1) ON CONFLICT (scope, model)"
                " DO UPDATE SET dollars = dollars + excluded.dollars, calls = calls + 1",
                (scope, model, dollars),
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if any(sign in str(error).lower() for sign in FULL):
                raise UserError(
                    f"no space left on disk for {self.path} ({error})",
                    "free some space; the same command then goes on from here",
                ) from None
            raise UserError(
                f"the cache {self.path} cannot be used: {error}",
                f"move it away (mv {self.path} {self.path}.old) and run again",
            ) from None
