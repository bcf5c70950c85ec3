"""Every reply ever paid for, kept by content in one SQLite file, and what each run has spent.

A reply is committed before it is used, so a process that is killed loses at most the calls in flight, and what they
may cost is in the ledger before they are sent. Write-ahead logging lets several commands use the file at once.
"""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError
from common.paths import CACHE
from common.process import is_running

FULL = ("full", "disk i/o error")
SET_UP = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",  # survives a killed process; only a power cut can lose the last replies
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS spent (scope TEXT, model TEXT, dollars REAL, calls INTEGER,"
    " PRIMARY KEY (scope, model))",
    "CREATE TABLE IF NOT EXISTS reserved (id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT, model TEXT,"
    " dollars REAL, host TEXT, pid INTEGER)",
)


class Cache:
    """A dict from content keys to JSON values that outlives the process, and a ledger of spending."""

    def __init__(self, path: Path = CACHE / "replies.sqlite") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        with self._clear_errors():
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        for line in SET_UP:
            self._run(line)

    def get(self, key: str) -> Any | None:
        """Return the value stored under `key`, or None."""
        rows = self._run("SELECT value FROM replies WHERE key = ?", key)
        return orjson.loads(rows[0][0]) if rows else None

    def put(self, key: str, value: Any) -> None:
        """Store `value` under `key`, on disk when this returns; the first value stays."""
        self._run("INSERT OR IGNORE INTO replies VALUES (?, ?)", key, orjson.dumps(value))

    def spent(self, scope: str) -> float:
        """Return the dollars that `scope` (a run) has spent so far, by any process."""
        return self._sum("spent", scope)

    def reserve(self, scope: str, model: str, dollars: float, limit: float | None) -> int | None:
        """Set dollars aside before a call is sent; return the reservation, None where it could pass the limit.

        One transaction, so that two processes cannot both take what is left.
        """
        with self._transaction():
            taken = self._sum("spent", scope) + self._sum("reserved", scope)
            if limit is not None and taken + dollars > limit:
                return None
            row = self._run(
                "INSERT INTO reserved (scope, model, dollars, host, pid) VALUES (?, ?, ?, ?, ?) RETURNING id",
                scope, model, dollars, socket.gethostname(), os.getpid(),
            )  # fmt: skip
            return int(row[0][0])

    def settle(self, reservation: int, dollars: float | None) -> None:
        """Turn a reservation into what the call cost, None: all that was reserved."""
        with self._transaction():
            taken = "DELETE FROM reserved WHERE id = ? RETURNING scope, model, dollars"
            for scope, model, reserved in self._run(taken, reservation):
                if cost := reserved if dollars is None else dollars:
                    self._run(
                        "INSERT INTO spent VALUES (?, ?, ?, 1) ON CONFLICT (scope, model)"
                        " DO UPDATE SET dollars = dollars + excluded.dollars, calls = calls + 1",
                        scope, model, cost,
                    )  # fmt: skip

    def settle_of_the_dead(self, scope: str) -> None:
        """Book what processes of this machine had reserved that are gone: their calls may have been billed."""
        here = socket.gethostname()
        for reservation, pid in self._run("SELECT id, pid FROM reserved WHERE scope = ? AND host = ?", scope, here):
            if not is_running(pid):
                self.settle(reservation, None)

    def _run(self, line: str, *values: object) -> list[Any]:
        with self._clear_errors():
            return self._db.execute(line, values).fetchall()

    def _sum(self, table: str, scope: str) -> float:
        return self._run(f"SELECT sum(dollars) FROM {table} WHERE scope = ?", scope)[0][0] or 0.0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

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
