"""Long programs that we start: their words go to a log, and they never outlive us."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import UserError
from common.subprocesses import STEP

SUPERVISOR = Path(__file__).with_name("supervise.py")
POLL_SECONDS = 0.3


def tool(name: str) -> str:
    """Return the path of a program that was installed beside this Python (llamafactory-cli)."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise UserError(f"there is no {name} beside {sys.executable}", "make setup installs it")
    return str(path)


def supervised(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start `command` under the supervisor, which ends its process group when we are gone, killed -9 included."""
    log.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-P", str(SUPERVISOR), str(log), *command],
        stdin=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Close the supervisor's input, at which it ends the command, and wait for that."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_logged(command: list[str], log: Path, report: Callable[[str], None], environment: dict[str, str]) -> int:
    """Run `command` to its end with its output behind what `log` holds; return its exit status.

    `report` is called now and then with the log's last line. Interrupted or told to end, we end the command first.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(f"\n$ {' '.join(command)}\n".encode())
    with terminable():
        process = supervised(command, log, {**os.environ, STEP: "1", **environment})
        try:
            while process.poll() is None:
                report(last_line(log))
                time.sleep(POLL_SECONDS)
        finally:
            stop(process)
    return process.returncode


@contextmanager
def terminable() -> Iterator[None]:
    """Make SIGTERM raise, so that `finally` blocks run."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def last_line(log: Path) -> str:
    """Return a log's last non-empty line; a progress bar's carriage returns count as line ends."""
    lines = _lines(log, 4096)
    return lines[-1].strip() if lines else ""


def tail(log: Path, count: int = 15) -> str:
    """Return a log's last lines, indented, for an error message."""
    return "\n".join(f"    {line}" for line in _lines(log, 64 * 1024)[-count:])


def _lines(log: Path, size: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        text = file.read().decode(errors="replace")
    return [line for line in text.replace("\r", "\n").splitlines() if line.strip()]


def free_port() -> int:
    """Return a port of this machine that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def only_one(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a folder for this process; stop when another one works in it, or `wait` for its end."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(folder / ".lock"), folder / ".lock-holder"
    try:
        lock.acquire(blocking=False)
    except Timeout:
        holder = note.read_text() if note.is_file() else "unknown"
        if not wait:
            raise UserError(
                f"another process ({holder}) works on {folder}", "wait for it, or end it; then the same command goes on"
            ) from None
        print(f"waiting for another process ({holder}), which works on {folder}", flush=True)
        lock.acquire()
    try:
        note.write_text(str(os.getpid()))
        yield
    finally:
        lock.release()


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold a folder beside others that use it: meanwhile `only_one` stops and `is_held` is true."""
    import fcntl

    with (folder / ".lock").open("a") as lock:
        with suppress(OSError):  # held by only_one already, or on a drive without locks
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield


def is_held(folder: Path) -> bool:
    """Tell whether a process holds a folder by `only_one` or `in_use`."""
    from filelock import FileLock, Timeout

    if not (folder / ".lock").exists():
        return False
    try:
        with FileLock(folder / ".lock").acquire(blocking=False):
            return False
    except Timeout:
        return True


def is_running(pid: int) -> bool:
    """Tell whether this machine has a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
