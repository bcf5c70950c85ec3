"""The Slurm scripts, run by a stand-in for sbatch that does what Slurm does with them."""

import os
import shlex
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import UserError
from common.sweep_files import Plan
from recipes.sweeping.running import slurm
from tests.recipes.sweeping.samples import run_of as any_run

SBATCH = """#!/bin/bash
# Reads the headers as sbatch does: only before the first command; the output's folder must be there, or the job
# fails without a word; each index is a shell of its own that begins in the folder sbatch was called in.
echo "$@" >> sbatch.txt
for script; do :; done
bash -n "$script" || exit 1
headers=$(sed '/^[^#]/,$d' "$script" | sed -n 's/^#SBATCH //p')
last=$(echo "$headers" | sed -n 's/^--array=0-\\([0-9]*\\).*/\\1/p')
number=$(wc -l < sbatch.txt)
output=$(echo "$headers" | sed -n 's/^--output=//p')
for index in $(seq 0 "${last:-0}"); do
    into=$(echo "$output" | sed "s/%A/$number/; s/%a/$index/; s/%j/$number/")
    [ -d "$(dirname "$into")" ] && (SLURM_ARRAY_TASK_ID=$index bash "$script" > "$into" 2>&1)
done
echo "$number;cluster"
"""


def run_of(number, devices):
    return any_run(number, devices, id=f"medical_en.m.lora-{number}", hardware="80gb",
                   expected={"seconds": 7200, "ram_gb": 31})  # fmt: skip


def plan_of(*runs):
    return Plan(name="ranks", file="ranks.yaml", runs=list(runs))


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
    monkeypatch.setattr(slurm.sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.setenv("PATH", f"{folder}/bin{os.pathsep}{os.environ['PATH']}")
    return folder


def started():
    return [line.split("|") for line in Path("started.txt").read_text().splitlines()]


def test_each_index_does_its_run_and_the_comparison_comes_last(place, monkeypatch):
    plan = plan_of(run_of(1, 1), run_of(2, 4), run_of(3, 1))
    monkeypatch.setenv("SUBMIT", "1")
    slurm.execute(plan, plan.runs, lambda: None)
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
    assert "#SBATCH --mem=31G\n" in four


def test_without_submit_it_only_writes_and_says_what_to_type(place, capsys):
    plan = plan_of(run_of(1, 0), run_of(2, 0))
    slurm.execute(plan, plan.runs, lambda: None, jobs=1)
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
    plan = plan_of(run_of(1, 0))
    with pytest.raises(UserError, match="no sbatch"):
        slurm.execute(plan, plan.runs, lambda: None)


def test_a_run_that_is_out_of_time_is_ended_and_queued_again(place, monkeypatch):
    programs = {"python": "#!/bin/bash\ntrap 'echo ended > ended.txt; exit 1' TERM\ntouch begun; sleep 30 & wait\n",
                "scontrol": '#!/bin/bash\necho "$*" > scontrol.txt\n'}  # fmt: skip
    for name, text in programs.items():
        (place / "bin" / name).write_text(text)
        (place / "bin" / name).chmod(0o755)
    monkeypatch.setenv("SLURM_HOURS", "3")
    script = slurm.scripts(plan_of(run_of(1, 1)), [run_of(1, 1)])["slurm.sh"]
    assert "#SBATCH --time=03:00:00\n" in script  # the partition's limit
    assert "#SBATCH --signal=B:USR1@300\n" in script
    (place / "slurm.sh").write_text(script)
    ids = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}
    job = subprocess.Popen(["bash", "slurm.sh"], env={**os.environ, **ids})
    until = time.monotonic() + 20
    while not (place / "begun").exists() and time.monotonic() < until:
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    job.wait(20)
    assert (place / "ended.txt").read_text() == "ended\n"
    assert (place / "scontrol.txt").read_text() == "requeue 7_0\n"


def test_a_login_node_without_a_card_must_be_told_the_nodes_card(place, monkeypatch):
    monkeypatch.setattr(slurm, "nvidia_cards", lambda: [])
    slurm.check(plan_of(run_of(1, 1)))
    with pytest.raises(UserError, match="this one has none") as told:
        slurm.check(plan_of(replace(run_of(1, 1), hardware="auto")))
    assert "HARDWARE=80gb" in told.value.hint
