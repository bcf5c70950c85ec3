"""Run a command and end its whole process group when whoever started us is gone, killed -9 included.

The parent holds the other end of our standard input and never writes to it: when the parent dies, however
it dies, the system closes that end and we read end-of-file. Works on every Unix; standard library only.

    python supervise.py LOG COMMAND ...
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

GRACE_SECONDS = 5


def main() -> int:
    """Run the command of sys.argv until it ends or the parent is gone; return its exit status."""
    log, *command = sys.argv[1:]
    # A terminal's Ctrl-C is the parent's to handle: it closes our input in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Path(log).open("ab") as file:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    try:
        while child.poll() is None:
            readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0.2)
            if readable and not os.read(sys.stdin.fileno(), 1):
                break
    finally:
        end(child)
    return child.returncode


def end(child: subprocess.Popen[bytes]) -> None:
    """End the child's process group: first asked, then forced."""
    for sign, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)


if __name__ == "__main__":
    sys.exit(main())
