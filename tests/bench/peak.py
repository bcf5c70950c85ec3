"""Run a command and write what it took: peak memory and processor time of its largest process and of all.

    python -P tests/bench/peak.py OUT.json COMMAND ...

Standard library only. Memory is that of resident pages, as the kernel counts them.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the command of sys.argv; return its exit status."""
    out, *command = sys.argv[1:]
    code = subprocess.call(command)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = {"peak_gib": used.ru_maxrss / 2**20, "cpu_seconds": used.ru_utime + used.ru_stime}
    Path(out).write_text(json.dumps(taken), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
