"""The Slurm executor: array scripts in which each index is one run, and a last job that compares them all.

Nothing is waited for: the scripts are written, and handed to sbatch when SUBMIT=1.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from common.errors import UserError
from common.files import write_text
from recipes.sweeping.sweep import Plan, Run

HOURS = 24
"""Asked for where the plan has no estimate."""
SLACK = 2.0
"""An estimate is taken so many times: a run that runs out of time is put back in the queue, but waits again."""


def execute(plan: Plan, ids: list[str], report: Callable[[], None], jobs: int = 0) -> None:
    """Write the scripts for these runs; submit them when SUBMIT=1."""
    runs = [plan.run(id_) for id_ in ids]
    found = scripts(plan, runs, Path.cwd(), jobs)
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


def scripts(plan: Plan, runs: list[Run], root: Path, jobs: int = 0) -> dict[str, str]:
    """Return the text of each script by its name: an array for each number of cards, the comparison, the submission."""
    groups = groupby(sorted(runs, key=lambda run: run.devices), key=lambda run: run.devices)
    found = {f"slurm-{devices}-gpu.sh" if devices else "slurm-cpu.sh": array(plan, list(group), root, jobs)
             for devices, group in groups}  # fmt: skip
    if len(found) == 1:
        found = {"slurm.sh": next(iter(found.values()))}
    arrays = list(found)
    found["slurm-compare.sh"] = comparison(plan, root)
    found["slurm-submit.sh"] = submission(plan, arrays, root)
    return found


def array(plan: Plan, runs: list[Run], root: Path, jobs: int = 0) -> str:
    """Return the script in which each index does one run."""
    devices, most = runs[0].devices, f"%{jobs}" if jobs else ""
    seconds = max((float(run.expected.get("seconds") or 0) for run in runs), default=0)
    needs = [f"#SBATCH --gpus-per-node={devices}"] if devices else []
    lines = [
        *_head(plan, plan.name, "slurm-%A_%a.out", seconds),
        f"#SBATCH --array=0-{len(runs) - 1}{most}",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        *needs,
        f"#SBATCH --cpus-per-task={4 * max(1, devices)}",
        "# A run that is preempted, or whose node dies, is queued again and goes on from its last checkpoint.",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "",
        "runs=(",
        *(f"  {shlex.quote(run.id)}" for run in runs),
        ")",
        f"cd {shlex.quote(str(root))} || exit 1",
        f'exec {_command(plan)} --only "${{runs[$SLURM_ARRAY_TASK_ID]}}"',
    ]
    return "\n".join(lines) + "\n"


def comparison(plan: Plan, root: Path) -> str:
    """Return the script of the last job: what is done by then is compared, and nothing is run again."""
    lines = [
        *_head(plan, f"{plan.name}-compare", "slurm-compare-%j.out", 0),
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=4",
        "",
        f"cd {shlex.quote(str(root))} || exit 1",
        f"exec {_command(plan)} --compare",
    ]
    return "\n".join(lines) + "\n"


def submission(plan: Plan, arrays: list[str], root: Path) -> str:
    """Return the script that hands the arrays to sbatch, and the comparison to be done when all have ended."""
    lines = ["#!/bin/bash", "set -e", f"cd {shlex.quote(str(root))}", "after="]
    for name in arrays:
        lines += [f"job=$(sbatch --parsable {shlex.quote(f'{plan.folder}/{name}')})", 'after="$after:${job%%;*}"']
    lines += [
        "# afterany: a run that failed is left out of the comparison, the others are in it.",
        f'sbatch --dependency="afterany$after" {shlex.quote(f"{plan.folder}/slurm-compare.sh")}',
    ]
    return "\n".join(lines) + "\n"


def _head(plan: Plan, name: str, output: str, seconds: float) -> list[str]:
    minutes = max(30, round(seconds * SLACK / 60)) if seconds else HOURS * 60
    return [
        "#!/bin/bash",
        f"# Written by: {_command(plan, 'python')} --executor slurm. Edit it as your cluster wants it:",
        "# take one # away from the lines that you need.",
        "##SBATCH --partition=gpu",
        "##SBATCH --account=mine",
        "##SBATCH --mem=64G",
        f"#SBATCH --job-name={name}",
        f"#SBATCH --output={plan.folder}/logs/{output}",
        f"#SBATCH --time={minutes // 60:02d}:{minutes % 60:02d}:00",
    ]


def _command(plan: Plan, python: str = "") -> str:
    return shlex.join([python or sys.executable, "-m", "recipes", "sweep", "--sweep", plan.name])
