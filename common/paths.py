"""Where things lie, relative to the folder that the commands are run in: the root of the checkout."""

import re
from pathlib import Path

from common.names import root_task

DATA = Path("data")
RUNS = Path("runs")
MODELS = Path("models")
CACHE = Path("cache")


QUESTIONS = Path(__file__).resolve().parents[1] / "eval" / "questions"
"""The questions that come along: one file for each task that has some."""
STYLE = Path(__file__).with_name("style.css")  # the style of every page


def questions_file(task: str) -> Path:
    """Return the file of a task's own questions, which need not be there; law_zh~raw+extra has those of law_zh."""
    return QUESTIONS / f"{root_task(task)}.jsonl"


def data_folder(task: str) -> Path:
    """Return the folder of a task's converted rows."""
    return DATA / task


def run_folder(task: str, model: str, method: str, variant: str = "") -> Path:
    """Return the folder of one training run and all that belongs to it."""
    return RUNS / task / folder_name(model) / (f"{method}-{variant}" if variant else method)


def folder_name(model: str) -> str:
    """Return a model's name as one path component (org/Name -> org--Name; ./a/b -> a--b)."""
    return re.sub(r"[^\w.+-]+", "--", model.strip("./"))
