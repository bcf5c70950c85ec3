"""Where things lie, relative to the folder that the commands are run in: the root of the checkout."""

import re
from pathlib import Path

DATA = Path("data")
RUNS = Path("runs")
MODELS = Path("models")
CACHE = Path("cache")


def data_folder(task: str) -> Path:
    """Return the folder of a task's converted rows."""
    return DATA / task


def run_folder(task: str, model: str, method: str, variant: str = "") -> Path:
    """Return the folder of one training run and all that belongs to it."""
    return RUNS / task / folder_name(model) / (f"{method}-{variant}" if variant else method)


def folder_name(model: str) -> str:
    """Return a model's name as one path component (org/Name -> org--Name; ./a/b -> a--b)."""
    return re.sub(r"[^\w.+-]+", "--", model.strip("./"))
