"""The Ray executor: each run is one task of a Ray cluster that is there already, on the folder that its nodes share.

A task starts the run's own command and nothing else crosses machines. When a node dies, Ray starts its tasks on
another, and the runs go on from their last checkpoints.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import sha256
from common.process import terminable
from common.sweep_files import DONE, FAILED, Plan, Run, read_state, write_state
from recipes.sweeping.running import on_ray_task
from recipes.sweeping.running.one_run import now

RETRIES = 5
"""So many nodes may die under a run."""
POLL_SECONDS = 0.5
HOW_TO_START = "ray start --head, on the others: ray start --address=HEAD:6379; then here: RAY_ADDRESS=HEAD:6379"


def execute(plan: Plan, runs: list[Run], report: Callable[[], None], jobs: int = 0) -> None:
    """Do these runs on the cluster, each where its cards are free; `report` is called all the while."""
    with _cluster() as ray, terminable():
        nodes = [node for node in ray.nodes() if node["Alive"]]
        check(runs, nodes)
        _check_shared(ray, plan, nodes)
        waiting, working = list(runs), dict[Any, Run]()
        try:
            while waiting or working:
                while waiting and (not jobs or len(working) < jobs):
                    run = waiting.pop(0)
                    working[_start(ray, plan, run, needs(run, nodes))] = run
                for task in ray.wait(list(working), timeout=POLL_SECONDS)[0]:
                    _end(ray, plan, working.pop(task), task)
                report()
        finally:
            for task in working:
                ray.cancel(task)
            ray.wait(list(working), num_returns=len(working), timeout=30) if working else None
    report()


def needs(run: Run, nodes: list[dict[str, Any]]) -> dict[str, float]:
    """Return what a run asks Ray for: its cards, or all processors of a machine (the smallest) on a CPU. Pure."""
    if run.devices:
        return {"num_gpus": run.devices, "num_cpus": 0}
    return {"num_cpus": max(1, min(int(node["Resources"].get("CPU", 0)) or 1 for node in nodes))}


def check(runs: list[Run], nodes: list[dict[str, Any]]) -> None:
    """Raise when a run needs more cards than any node has: Ray would wait for such a node for ever. Pure."""
    most = max((int(node["Resources"].get("GPU", 0)) for node in nodes), default=0)
    if too_big := [run.name for run in runs if run.devices > most]:
        raise UserError(
            f"{', '.join(too_big)} need more cards than any node of the cluster has: {most} at most",
            "a smaller `gpus:`, or add a node that has them: ray start --address=HEAD:6379 --num-gpus=N",
        )


def _start(ray: Any, plan: Plan, run: Run, resources: dict[str, float]) -> Any:
    task = ray.remote(on_ray_task.work).options(
        name=run.id, max_retries=RETRIES, scheduling_strategy="SPREAD", **resources
    )
    return task.remote(str(Path.cwd()), plan.command(run), str(plan.log(run)), bool(run.devices))


def _end(ray: Any, plan: Plan, run: Run, task: Any) -> None:
    """Note what became of a task. The run's own command has written its state, unless it was never let do so."""
    try:
        ray.get(task)
    except ray.exceptions.RayError as error:
        known = read_state(plan, run)
        if known.state not in (DONE, FAILED):
            why = str(error).strip().splitlines()[0]
            known.state, known.error, known.ended = FAILED, f"Ray gave it up: {why}", now()
            write_state(plan, run, known)


def _check_shared(ray: Any, plan: Plan, nodes: list[dict[str, Any]]) -> None:
    """Raise when a node does not see this folder: what it did there would be lost."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    marker = (plan.folder / "sweep.json").resolve()
    look, asked = ray.remote(on_ray_task.look), []
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = look.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        asked.append((node["NodeManagerHostname"], task.remote(str(marker), sys.executable)))
    problems, wanted = [], sha256(marker)
    for host, answer in asked:
        try:
            digest, has_python = ray.get(answer, timeout=60)
        except (ray.exceptions.RayError, TimeoutError) as error:
            problems.append(f"{host} does not answer ({type(error).__name__})")
            continue
        if digest != wanted:
            problems.append(f"{host} does not have this folder: {marker.parent}")
        elif not has_python:
            problems.append(f"{host} cannot run {sys.executable}")
    if problems:
        raise UserError(
            "not every node of the cluster can take part:\n  - " + "\n  - ".join(problems),
            f"mount {Path.cwd()} on every node under the same path (NFS ...), .venv and its Python included",
        )


@contextmanager
def _cluster() -> Iterator[Any]:
    """Join the cluster that RAY_ADDRESS names, or the one of this machine; it is never started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UserError("EXECUTOR=ray needs Ray", ".venv/bin/pip install -c constraints.txt ray") from None
    address = os.environ.get("RAY_ADDRESS") or "auto"
    _check_reachable(address)
    ray.cloudpickle.register_pickle_by_value(on_ray_task)  # the nodes' workers do not have our folder on their path
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise UserError(f"no Ray cluster can be joined at {address}: {why}", HOW_TO_START) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise at once when nothing listens at the address: Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), 5).close()
    except OSError as error:
        raise UserError(f"nothing answers at RAY_ADDRESS={address} ({error})", HOW_TO_START) from None
