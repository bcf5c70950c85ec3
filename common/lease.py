"""Holds a folder for one process among several machines that share it, where file locks cannot be relied on (NFS).

The holder's lease.json is rewritten every few seconds with a new number. Whoever wants the folder watches: a lease
whose number has not changed for a minute, by the watcher's own clock, is of a machine that died; so is one of this
machine whose process is gone. Only the one who creates `taken-<its token>` first takes a dead lease over.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from common.files import read_json, write_json

BEAT_SECONDS = 10.0
EXPIRY_SECONDS = 60.0
POLL_SECONDS = 0.5


@contextmanager
def leased(folder: Path, beat: float = BEAT_SECONDS, expiry: float = EXPIRY_SECONDS) -> Iterator[None]:
    """Hold `folder` until the block ends; wait for whoever holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex, "beat": 0}
    _take(folder, mine, expiry)
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(folder, mine, beat, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if _read(folder).get("token") == mine["token"]:
            _path(folder).unlink(missing_ok=True)


def is_leased(folder: Path, expiry: float = EXPIRY_SECONDS) -> bool:
    """Tell whether a lease was renewed of late; with clocks that differ by less than the expiry."""
    try:
        return time.time() - _path(folder).stat().st_mtime < expiry and not _is_dead(_read(folder))
    except OSError:
        return False


def _take(folder: Path, mine: dict[str, Any], expiry: float) -> None:
    seen: dict[str, Any] = {}
    since, told = time.monotonic(), False
    while True:
        try:
            with _path(folder).open("xb") as file:
                file.write(orjson.dumps(mine))
            return
        except FileExistsError:
            pass
        now = _read(folder)
        if now != seen:
            seen, since = now, time.monotonic()
        if (_is_dead(now) or time.monotonic() - since > expiry) and _is_first(folder, now):
            write_json(_path(folder), mine)
            _taken(folder, now).unlink(missing_ok=True)
            return
        if not told and now:
            print(f"waiting for {now.get('host')} (process {now.get('pid')}), which holds {folder}", flush=True)
            told = True
        time.sleep(POLL_SECONDS)


def _is_first(folder: Path, dead: dict[str, Any]) -> bool:
    """Tell whether we are the one that takes this dead lease over."""
    try:
        _taken(folder, dead).touch(exist_ok=False)
    except FileExistsError:
        return False
    if _read(folder).get("token") == dead.get("token"):
        return True
    _taken(folder, dead).unlink(missing_ok=True)  # too late: somebody else took it over and is done with the mark
    return False


def _keep(folder: Path, mine: dict[str, Any], beat: float, ended: threading.Event) -> None:
    while not ended.wait(beat):
        if _read(folder).get("token") != mine["token"]:
            return  # taken over: this machine was thought dead
        mine["beat"] += 1
        write_json(_path(folder), mine)


def _is_dead(lease: dict[str, Any]) -> bool:
    """Tell whether a lease is of a process of this machine that is gone."""
    if lease.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(lease["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _taken(folder: Path, dead: dict[str, Any]) -> Path:
    return folder / f"taken-{dead.get('token', 'unreadable')}"


def _path(folder: Path) -> Path:
    return folder / "lease.json"


def _read(folder: Path) -> dict[str, Any]:
    """Return the lease, empty when there is none or it cannot be read just now."""
    try:
        found = read_json(_path(folder))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
