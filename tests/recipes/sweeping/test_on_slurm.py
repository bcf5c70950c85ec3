"""The Slurm scripts, run by an sbatch that does what Slurm does with their text: one shell for each index."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from common.errors import UserError
from recipes.sweeping.running import on_slurm
from recipes.sweeping.sweep import Plan, Run

SBATCH = """#!/bin/bash
echo "$@" >> sbatch.txt
for script; do :; done
bash -n "$script" || exit 1
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
number=$(wc -l < sbatch.txt)
if [ -z "$last" ]; then (bash "$script" > /dev/null); fi
for index in $([ -n "$last" ] && seq 0 "$last"); do (SLURM_ARRAY_TASK_ID=$index bash "$script" > /dev/null); done
echo "$number;cluster"
"""


def run_of(number, devices):
    return Run(f"medical_en.m.lora-{number}", f"r{number}", f"r{number}", "base", f"runs/medical_en/m/lora-{number}",
               "medical_en", "m", "lora", str(number), devices=devices, gpus=max(1, devices),
               expected={"seconds": 7200})  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    programs = {"sbatch": SBATCH, "python": '#!/bin/bash\necho "$PWD|$*" >> started.txt\n'}
    (folder / "bin").mkdir()
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    monkeypatch.setattr(on_slurm.sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.setenv("PATH", f"{folder}/bin{os.pathsep}{os.environ['PATH']}")
    return folder


def started():
    return [line.split("|") for line in Path("started.txt").read_text().splitlines()]


def test_each_index_does_its_run_and_the_comparison_comes_last(place, monkeypatch):
    plan = Plan("ranks", "ranks.yaml", [run_of(1, 1), run_of(2, 4), run_of(3, 1)])
    monkeypatch.setenv("SUBMIT", "1")
    on_slurm.execute(plan, [run.id for run in plan.runs], lambda: None)
    sweep = "-m recipes sweep --sweep ranks"
    order = [1, 3, 2]
    assert started() == [
        *([str(place), f"{sweep} --only medical_en.m.lora-{number}"] for number in order),
        [str(place), f"{sweep} --compare"],
    ]
    asked = [shlex.split(line) for line in Path("sbatch.txt").read_text().splitlines()]
    assert asked[-1] == ["--dependency=afterany:1:2", "runs/sweeps/ranks/slurm-compare.sh"]
    four = Path("runs/sweeps/ranks/slurm-4-gpu.sh").read_text()
    assert "#SBATCH --gpus-per-node=4\n" in four
    assert "#SBATCH --requeue\n" in four
    assert "#SBATCH --time=04:00:00\n" in four  # twice what is expected


def test_without_submit_it_only_writes_and_says_what_to_type(place, capsys):
    plan = Plan("ranks", "ranks.yaml", [run_of(1, 0), run_of(2, 0)])
    on_slurm.execute(plan, [run.id for run in plan.runs], lambda: None, jobs=1)
    assert not Path("started.txt").exists()
    assert "bash runs/sweeps/ranks/slurm-submit.sh" in capsys.readouterr().out
    script = Path("runs/sweeps/ranks/slurm.sh").read_text()
    assert "#SBATCH --array=0-1%1\n" in script
    assert "gpus-per-node" not in script
    assert subprocess.run(["bash", "runs/sweeps/ranks/slurm-submit.sh"], check=False).returncode == 0
    assert len(started()) == 3


def test_submitting_without_slurm_says_where_to(place, monkeypatch):
    (place / "bin" / "sbatch").unlink()
    monkeypatch.setenv("SUBMIT", "1")
    plan = Plan("ranks", "ranks.yaml", [run_of(1, 0)])
    with pytest.raises(UserError, match="no sbatch"):
        on_slurm.execute(plan, [plan.runs[0].id], lambda: None)
