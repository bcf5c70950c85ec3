"""What the terminal shows: the tasks, the settings of each, what a conversion did."""

from pathlib import Path
from typing import Any

from common.names import root_task
from common.schema import meanings, typed
from common.templates import fill
from converters.output.card import converted_tasks
from converters.registry import load_task, task_names
from converters.settings import settings_model

PAGES = Path(__file__).with_name("pages")


def summary(card: dict[str, Any]) -> str:
    """Return what a conversion did: rows in, rows dropped by step, and rows out by split."""
    root = root_task(card["task"])
    return fill(PAGES / "summary.txt.jinja", card=card, root=root, splits=("train", "val", "test")).rstrip()


def all_tasks() -> str:
    """Return one line for each task."""
    tasks = map(load_task, task_names())
    return fill(PAGES / "tasks.txt.jinja", tasks=tasks, converted=converted_tasks()).rstrip()


def one_task(name: str) -> str:
    """Return a task's facts and every setting with its default and meaning."""
    task = load_task(name)
    settings = sorted(meanings(settings_model(task)), key=lambda one: one[0] not in task.options)
    return fill(PAGES / "task.txt.jinja", task=task, settings=settings, typed=typed).rstrip()
