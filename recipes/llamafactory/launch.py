"""Starts LLaMA-Factory's own commands, with the variables that it and torchrun read, and explains their failures."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from common.errors import UserError
from common.process import run_logged, tail, tool
from common.progress import Progress
from common.yaml_files import read_yaml
from recipes.catalog.catalog import Hardware

DEFAULT_PORT = "29500"


def uses_ray(given: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the user asked for LLaMA-Factory's Ray mode, which starts the processes itself."""
    return given.get("USE_RAY", "").lower() in ("true", "y", "1")


def environment(hardware: Hardware, settings: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for LLaMA-Factory's launcher; `given` are the user's own (MASTER_ADDR, NODE_RANK ...)."""
    variables: dict[str, str] = {}
    if hardware.kind == "cpu":
        variables |= CPU_MEMORY
    else:  # LLaMA-Factory takes every card that it sees
        visible = given.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(hardware.devices))))
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(visible.split(",")[: hardware.devices])
    if not uses_ray(given) and (hardware.world > 1 or settings.get("deepspeed")):
        variables |= {
            "FORCE_TORCHRUN": "1",
            "NPROC_PER_NODE": str(hardware.devices),
            "NNODES": str(hardware.nodes),
            "NODE_RANK": given.get("NODE_RANK") or "0",
            "MASTER_ADDR": given.get("MASTER_ADDR") or "127.0.0.1",
        }
        if given.get("MASTER_PORT") or hardware.nodes > 1:  # one machine alone finds a free port by itself
            variables["MASTER_PORT"] = given.get("MASTER_PORT") or DEFAULT_PORT
    return variables


CPU_MEMORY = {
    # Big tensors come and go each step: ask for huge pages, and do not hand memory back in between.
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}


def llamafactory(
    folder: Path,
    command: str,
    recipe_file: str,
    report: Callable[[str], None],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> float:
    """Run one LLaMA-Factory command on one of the run's files; return its seconds."""
    log, began = folder / "logs" / f"{command}.log", time.monotonic()
    program = tool("llamafactory-cli")
    path = f"{Path(program).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # it looks for torchrun there
    given = {"RECORD_VRAM": "1", "PATH": path, **variables}
    code = run_logged([program, command, f"{folder}/{recipe_file}"], log, report, given)
    if code:
        raise UserError(
            f"llamafactory-cli {command} ended with code {code}; the end of {log}:\n{tail(log)}",
            explain(log.read_text(encoding="utf-8", errors="replace")[-8000:], code),
        )
    return time.monotonic() - began


def watched(what: str, command: list[str], log: Path, cure: str) -> None:
    """Run another command for a run, what it says behind what `log` holds; UserError with the log's end if it fails."""
    with Progress(what, 0) as progress:
        code = run_logged(command, log, lambda _: progress.show(), {})
    if code:
        raise UserError(f"{what} ended with code {code}; the end of {log}:\n{tail(log)}", cure)


KILLED = (256 - signal.SIGKILL, 128 + signal.SIGKILL)
"""What a command ends with that the system killed: as Python and as a shell hand it on."""


def explain(log: str, code: int = 1) -> str:
    """Say what to do about the failures that users meet most, from a log's last part and how the command ended."""
    cures = read_yaml(Path(__file__).with_name("cures.yaml"))
    if code in KILLED or "Signal 9 (SIGKILL)" in log:
        return f"the system killed it, as it does when RAM runs out: {cures['out of memory']}"
    found = (cure for sign, cure in cures.items() if sign.lower() in log.lower())
    return next(found, "once that is fixed, the same command goes on")
