"""Runs a command and measures it: wall time, processor time, and the peak memory of it and all its children."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """What a command took: seconds of wall and processor time, MB of memory at the peak (all processes together)."""

    seconds: float
    processor_seconds: float
    peak_mb: float
    status: int
    output: str


def measure(command: Sequence[str], folder: Path) -> Measured:
    """Run a command in a folder to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    peak = 0.0
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(EVERY_SECONDS):
            peak = max(peak, _tree_mb(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - began
    over.set()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Where /proc is missing (macOS) the largest single child is all that can be known; it counts in bytes there.
    largest = after.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Measured(seconds, used, peak or largest, process.returncode, output)


def _tree_mb(root: int) -> float:
    """Return the proportional memory of a process and its descendants: pages that they share count once."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
        except (OSError, IndexError):
            continue  # it ended while we looked
    total, waiting = 0, [root]
    while waiting:
        current = waiting.pop()
        waiting += children.get(current, [])
        try:
            lines = Path(f"/proc/{current}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1e3
