"""A sweep of twins on a real Ray cluster of two nodes, one of which is killed half-way. About 70 s on two cores."""

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from common.errors import UserError
from common.sweep_files import Plan, read_state
from recipes.sweeping.running import on_ray
from tests.checkout import Checkout
from tests.recipes.sweeping.samples import run_of as any_run

TWIN = "models/twins/smollm2-135m"
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
# What `recipes sweep --only` does, without its reading of the command line.
DO_ONE = """import sys
from recipes.sweeping.running import one_run
from common.sweep_files import read_sweep
plan = read_sweep(sys.argv[1])
sys.exit(0 if one_run.do(plan, plan.run(sys.argv[2])) else 1)
"""


class Direct(Plan):
    """A plan whose runs are done by a script of the test's own."""

    def command(self, run):
        return [sys.executable, "do_one.py", self.name, run.id]


def run_of(number, devices=0):
    settings = "max_steps=16 save_steps=2 cutoff_len=128 preprocessing_num_workers=1"
    folder = f"runs/medical_en/models--twins--smollm2-135m/lora-{number}"
    return any_run(number, devices, folder=folder, model=TWIN, hardware="cpu", set=f"{settings} seed={number}")


def test_a_run_that_no_node_has_cards_for_is_told():
    nodes = [{"Resources": {"CPU": 8.0, "GPU": 2.0}}, {"Resources": {"CPU": 4.0}}]
    on_ray.check([run_of(1, 2)], nodes)
    with pytest.raises(UserError, match="r2 need more cards than any node of the cluster has: 2 at most"):
        on_ray.check([run_of(1, 1), run_of(2, 4)], nodes)
    assert on_ray.needs(run_of(1, 2), nodes) == {"num_gpus": 2, "num_cpus": 0}
    assert on_ray.needs(run_of(1), nodes) == {"num_cpus": 4}


@pytest.mark.slow
def test_an_address_where_nothing_answers_is_told_at_once(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match="nothing answers") as told:
        on_ray.execute(Plan(name="s", file="s.yaml", runs=[]), [], lambda: None)
    assert "ray start --head" in told.value.hint


def here(folder):
    """Return the processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)) and process.pid != psutil.Process().pid:
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill_half_way(node, folder, killed, ended):
    """Kill a node, its workers with it, when a run that it does has saved a checkpoint."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    while not ended.wait(0.1):
        words = []
        for process in raylet.children(recursive=True):
            try:
                words += process.cmdline()
            except psutil.Error:
                continue
        mine = [name for name in ("r1", "r2") if name in words]
        if mine and list(folder.glob(f"runs/*/*/lora-{mine[0][1:]}/adapter/checkpoint-*/trainer_state.json")):
            victims = [raylet, *raylet.children()]
            for process in victims:
                process.kill()
            killed.append(mine[0])
            return


@pytest.mark.slow
def test_a_node_dies_half_way_and_every_run_is_done_once(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    checkout = Checkout(tmp_path)
    checkout(f"python -m recipes twin --model smollm2-135m --out {TWIN}")
    checkout("python -m converters convert --task medical_en --source converters/examples/medical_en")
    (tmp_path / "do_one.py").write_text(DO_ONE)
    monkeypatch.chdir(tmp_path)
    plan = Direct(name="rays", file="rays.yaml", runs=[run_of(1), run_of(2)], steps=("train",), keep=("adapter",))
    plan.save()
    killed, ended = [], threading.Event()
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    try:
        second = cluster.add_node(**NODE)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        killer = threading.Thread(target=kill_half_way, args=(second, tmp_path, killed, ended))
        killer.start()
        on_ray.execute(plan, plan.runs, lambda: None)
        ended.set()
        killer.join()
    finally:
        ended.set()
        cluster.shutdown()
    assert len(killed) == 1
    for run in plan.runs:
        ended = read_state(plan, run)
        assert (ended.state, ended.error) == ("done", None)
        assert ended.attempts == (2 if run.id == killed[0] else 1)
        assert plan.log(run).read_text().count("trained: ") == 1
        assert '"current_steps": 16,' in Path(run.folder, "adapter/trainer_log.jsonl").read_text()
    log = next(Path("runs").glob(f"*/*/lora-{killed[0][1:]}/logs/train.log")).read_text()
    assert log.count("$ ") >= 2
    assert "checkpoint-" in log.rpartition("\n$ ")[2].partition("Saving model checkpoint")[0]  # it went on, not anew
    until = time.monotonic() + 15
    while (left := here(tmp_path)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left
