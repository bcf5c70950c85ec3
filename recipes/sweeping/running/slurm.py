"""The Slurm executor: array scripts in which each index is one run, and a last job that compares them all.

Nothing is waited for: the scripts are written, and handed to sbatch when SUBMIT=1.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from common.errors import UserError
from common.files import write_text
from common.sweep_files import Plan, Run
from common.templates import fill
from recipes.catalog.machine import nvidia_cards
from recipes.render import TEMPLATES

HOURS = 24
"""Asked for at most, and where the plan has no estimate; SLURM_HOURS says otherwise: the partition's limit."""
SLACK = 2.0
"""An estimate is taken so many times: a run that runs out of time is put back in the queue, but waits again."""
WARNING_SECONDS = 300
"""So long before its time is out a run is stopped and queued again."""
MEMORY_GB = 32
"""Asked for where nothing is known of a run's model, and for the comparison."""


def check(plan: Plan) -> None:
    """Raise when the nodes' card is not known: a login node has none to look at."""
    if any(run.hardware == "auto" for run in plan.runs) and not nvidia_cards():
        raise UserError(
            "EXECUTOR=slurm plans for the cards of other machines, and this one has none",
            "HARDWARE=80gb (or cpu, 24gb ...) says which; `python -m recipes list` shows all",
        )


def execute(plan: Plan, runs: list[Run], report: Callable[[], None], jobs: int = 0) -> None:
    """Write the scripts for these runs; submit them when SUBMIT=1."""
    found = scripts(plan, runs, jobs)
    for name, text in found.items():
        write_text(plan.folder / name, text)
    submit = plan.folder / "slurm-submit.sh"
    written = ", ".join((plan.folder / name).as_posix() for name in found if name != submit.name)
    print(f"wrote {written}: partition, account and time are there to be edited")
    report()
    if os.environ.get("SUBMIT", "") in ("", "0"):
        print(f"submit them with: bash {submit}   (SUBMIT=1 does that at once)")
        return
    if not shutil.which("sbatch"):
        raise UserError("SUBMIT=1, but there is no sbatch on this machine", f"on the login node: bash {submit}")
    if subprocess.run(["bash", str(submit)], check=False).returncode:
        raise UserError("sbatch refused the jobs (see above)", f"edit {written}, then: bash {submit}")


def scripts(plan: Plan, runs: list[Run], jobs: int = 0) -> dict[str, str]:
    """Return the text of each script by its name: an array for each number of cards, the comparison, the submission."""
    cards = attrgetter("devices")
    groups = {devices: list(group) for devices, group in groupby(sorted(runs, key=cards), key=cards)}
    arrays = {
        "slurm.sh" if len(groups) == 1 else f"slurm-{devices}-gpu.sh" if devices else "slurm-cpu.sh":
        _script(plan, plan.name, "slurm-%A_%a.out", group, jobs)
        for devices, group in groups.items()
    }  # fmt: skip
    comparison = _script(plan, f"{plan.name}-compare", "slurm-compare-%j.out")
    handed = [shlex.quote(f"{plan.folder}/{name}") for name in (*arrays, "slurm-compare.sh")]
    root, logs = shlex.quote(str(Path.cwd())), shlex.quote(f"{plan.folder}/logs")
    submission = fill(TEMPLATES / "slurm-submit.sh.jinja", root=root, logs=logs, arrays=handed[:-1], last=handed[-1])
    return {**arrays, "slurm-compare.sh": comparison, "slurm-submit.sh": submission}


def _script(plan: Plan, name: str, output: str, runs: Sequence[Run] = (), jobs: int = 0) -> str:
    """Return the script in which each index does one run; without runs, the one that compares what is done."""
    seconds = max((float(run.expected.get("seconds") or 0) for run in runs), default=0)
    hours = int(os.environ.get("SLURM_HOURS") or HOURS)
    words = ["-m", "recipes", "sweep", "--sweep", plan.name]
    return fill(
        TEMPLATES / "slurm.sh.jinja",
        command=shlex.join(["python", *words]), do=shlex.join([sys.executable, *words]), name=name, output=output,
        folder=plan.folder, root=shlex.quote(str(Path.cwd())), runs=[shlex.quote(run.id) for run in runs], jobs=jobs,
        devices=runs[0].devices if runs else 0, warning=WARNING_SECONDS,
        memory=max((run.expected.get("ram_gb") or MEMORY_GB for run in runs), default=MEMORY_GB),
        minutes=min(max(30, round(seconds * SLACK / 60)), hours * 60) if seconds else hours * 60,
    )  # fmt: skip
