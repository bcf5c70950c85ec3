"""How `make runs` and a sweep's table grow: seconds for 100 and for 1,000 run folders, made in a temporary place.

python -m tests.bench.many_runs
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

from click.testing import CliRunner

from common.sweep_files import DONE, Plan, State, write_state
from eval.commands.runs import command
from recipes.sweeping.command import planned
from recipes.sweeping.running import progress_table
from tests.eval.reporting.sample import make_run
from tests.recipes.sweeping.samples import run_of

COUNTS = (100, 1000)


def main() -> None:
    """Print the seconds for each number of runs."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        first = Path("runs/medical_en/m/lora-0")
        make_run(first, 0.5, 0.9)
        for count in COUNTS:
            for number in range(1, count):
                if not (place := first.with_name(f"lora-{number}")).exists():
                    shutil.copytree(first, place)
            began = time.monotonic()
            assert CliRunner().invoke(command, []).exit_code == 0
            size = Path("runs/runs.html").stat().st_size
            print(f"{count:,} runs: {time.monotonic() - began:.1f} s, page {size / 1e6:.1f} MB", flush=True)

            plan = Plan(name=f"all-{count}", file="all.yaml", runs=[run_of(number) for number in range(count)])
            plan.save()
            for run in plan.runs:
                write_state(plan, run, State(DONE, attempts=1, seconds={"train": 60.0}))
            began = time.monotonic()
            lines = progress_table.lines(planned(plan.name))
            assert lines[0] == f"all-{count}: {count} of {count} done"
            print(f"{count:,} runs of a sweep: its state read and its table made in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
