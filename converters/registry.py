"""Finds tasks by name: the built-in ones in converters/tasks/, and the user's own in tasks/ beside the data.

A built-in task is a Python module with a `TASK`. A user's own is such a module, or a YAML file (custom_task.py),
in `tasks/` of the working directory or in converters/tasks/.
"""

import copyreg
import functools
import importlib.util
import re
from dataclasses import replace
from pathlib import Path

from common.errors import UserError, unknown
from common.files import read_object
from common.names import root_task
from common.paths import data_folder
from converters.task import Task

BUILT_IN = Path(__file__).parent / "tasks"
OWN = Path("tasks")
KINDS = (".py", ".yaml", ".yml")
NAME = re.compile(r"(?!.*_(?:val|test)$)[a-z][a-z0-9_]*")
NAMES = "lower-case letters, digits and _, not ending in _val or _test"
ORDER = ("law_en", "medical_en", "finance_en", "law_zh", "medical_zh", "finance_zh")


def task_names() -> list[str]:
    """Return the names of all tasks: the six built-in ones first, then the user's own."""
    found = _files()
    return [*(name for name in ORDER if name in found), *sorted(set(found) - set(ORDER))]


def load_task(name: str) -> Task:
    """Return the task of that name; UserError with the nearest name when there is none.

    A mix (law_zh+self_instruct, see converters/generate/mixing.py) and a variant (law_zh~raw, see
    converters/variants.py) are their base task under another name.
    """
    base = root_task(name)
    if base != name:
        return replace(load_task(base), name=name)
    path = _files().get(name)
    if path is None:
        raise unknown("TASK", name, task_names(), "python -m converters list")
    for own in (OWN / f"{name}{kind}" for kind in KINDS):
        if path.parent == BUILT_IN and own.is_file():
            raise UserError(f"{own} has the name of a built-in task", "give it another name")
    if not NAME.fullmatch(name):
        raise UserError(f"{path} has a name that no task can have", f"rename it: {NAMES}")
    return _load(path.resolve(), path.stat().st_mtime_ns)


# A task's converter need not be picklable: other processes load the task by its name.
copyreg.pickle(Task, lambda task: (load_task, (task.name,)))


def task_file(name: str) -> Path | None:
    """Return the file that defines a task, None when it is none of these."""
    return _files().get(root_task(name))


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in (OWN, BUILT_IN):  # a built-in task cannot be replaced by accident
        if folder.is_dir():
            found |= {
                path.stem: path
                for path in sorted(folder.iterdir())
                if path.suffix in KINDS and not path.name.startswith(("_", "."))
            }
    return found


@functools.cache
def _load(path: Path, _changed: int) -> Task:
    if path.suffix != ".py":
        from converters.custom_task import load_yaml

        return load_yaml(path)
    spec = importlib.util.spec_from_file_location(f"converters.tasks.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path} cannot be loaded: {type(error).__name__}: {error}", "fix that file") from error
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task) or task.name != path.stem:
        raise UserError(
            f"{path} does not define TASK, a converters.task.Task named {path.stem!r}",
            "see docs/custom_tasks.md",
        )
    return task


def system_prompt(task: str) -> str:
    """Return the system prompt that a task's rows were written with, to ask with the same; "" when they have none."""
    card = read_object(data_folder(task) / "card.json")
    chosen = card.get("made_from", {}).get("settings", {}).get("system", False)
    return load_task(task).system if chosen is True else chosen or ""
