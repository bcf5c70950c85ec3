"""What LLaMA-Factory left behind of a training, over all the tries that an interrupted one took."""

import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import orjson

from common.files import read_json
from common.run_files import read_log


def checkpoints(adapter: Path) -> list[Path]:
    """Return the whole checkpoints, the newest last: trainer_state.json is the last file of one."""
    return sorted(filter(_is_whole, adapter.glob("checkpoint-*")), key=step_of)


def _is_whole(checkpoint: Path) -> bool:
    try:
        orjson.loads((checkpoint / "trainer_state.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return True


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step that a checkpoint was written at."""
    return int(checkpoint.name.rpartition("-")[2])


def peak_vram(adapter: Path) -> float | None:
    """Return the highest memory that LLaMA-Factory recorded, GiB; None where there is no GPU."""
    return max((row.get("vram_reserved", 0.0) for row in read_log(adapter)), default=0.0) or None


def seconds_spent(adapter: Path) -> float:
    """Return the seconds of training that the log tells of; its clock starts anew at each try."""
    clock = [_seconds(row["elapsed_time"]) for row in read_log(adapter) if row.get("elapsed_time")]
    ends = [before for before, after in pairwise(clock) if after < before]
    return sum([*ends, *clock[-1:]])


def _seconds(text: str) -> float:
    """Read "1 day, 2:03:04" as Python writes a timedelta."""
    days = re.match(r"(\d+) day", text)
    hours, minutes, seconds = map(int, text.rpartition(" ")[2].split(":"))
    return timedelta(int(days.group(1)) if days else 0, seconds, 0, 0, minutes, hours).total_seconds()


def whole_loss(adapter: Path, resumed_at: int) -> float:
    """Return the mean training loss of all steps; transformers divides the last try's sum by the steps of all."""
    state = read_json(adapter / "trainer_state.json")
    total, last = read_json(adapter / "all_results.json")["train_loss"] * state["global_step"], 0
    for row in state["log_history"]:
        if "loss" in row and row["step"] <= resumed_at:
            total, last = total + row["loss"] * (row["step"] - last), row["step"]
    return total / state["global_step"]
