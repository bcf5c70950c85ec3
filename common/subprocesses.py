"""Where packages call each other: by the command that a person could type, in a process of its own.

A process of its own gives torch's memory back when it ends, can be typed again alone, and needs no import from a
higher layer: eval runs recipes this way, recipes runs converters and eval.
"""

import os
import subprocess
import sys
from typing import Any

STEP = "WHETSTONE_STEP"
"""Set for a command that another of ours runs: nobody is there to be asked, and the last one shows the result."""


def command(package: str, *words: str, **options: Any) -> list[str]:
    """Return `python -m package words --name value ...`.

    An option that is "", None or False is left out, True is the option alone; max_tokens becomes --max-tokens.
    """
    line = [sys.executable, "-m", package, *words]
    for name, value in options.items():
        if value in ("", None) or value is False:
            continue
        line += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return line


def run(line: list[str]) -> None:
    """Run a command that `command` made; where it fails it has said why, and we end as it did."""
    done = subprocess.run(line, check=False, env=os.environ | {STEP: "1"})
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 128 - done.returncode)


def call(package: str, *words: str, **options: Any) -> None:
    """Run `python -m package ...` (see `command`); end as it ends where it fails."""
    run(command(package, *words, **options))
