"""How `make runs` grows: seconds for the table and the page of 100 and of 1,000 run folders, made in a temporary place.

python -m tests.bench.many_runs
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

from click.testing import CliRunner

from eval.commands.runs import command
from tests.eval.reporting.sample import make_run

COUNTS = (100, 1000)


def main() -> None:
    """Print the seconds for each number of runs."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        first = Path("runs/medical_en/m-1b/lora-0")
        make_run(first, 0.5, 0.9)
        for count in COUNTS:
            for number in range(1, count):
                if not (place := first.with_name(f"lora-{number}")).exists():
                    shutil.copytree(first, place)
            began = time.monotonic()
            assert CliRunner().invoke(command, []).exit_code == 0
            size = Path("runs/runs.html").stat().st_size
            print(f"{count:,} runs: {time.monotonic() - began:.1f} s, page {size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
