"""What a node of a Ray cluster does for a sweep. Sent there as it stands: standard library only."""

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path


def work(root: str, command: list[str], log: str, on_cards: bool) -> int:
    """Start a run's command and wait for it. When this worker is gone, however it goes, the supervisor ends the run."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    if on_cards:
        variables.pop("OMP_NUM_THREADS", None)  # Ray's, for a task that asks for no processors
    supervised = [command[0], "-P", f"{root}/common/supervise.py", f"{root}/{log}", *command]
    Path(root, log).parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(supervised, cwd=root, env=variables, stdin=subprocess.PIPE, start_new_session=True)
    try:
        return process.wait()
    finally:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait()


def look(marker: str, python: str) -> tuple[str, bool]:
    """Return the hash of a file as this node sees it ("" for none), and whether this Python is here."""
    path = Path(marker)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return digest, os.access(python, os.X_OK) or python == sys.executable
