"""The tasks, and the settings of each, as tables for the terminal."""

from common.paths import data_folder
from common.schema import meanings, typed
from converters.registry import load_task, task_names
from converters.settings import settings_model

WIDTH = 42
"""Characters for where a task's rows come from."""


def all_tasks() -> str:
    """Return one line for each task."""
    lines = [f"{'TASK':<16} {'ROWS':>8}  {'FROM':<{WIDTH}} TITLE"]
    for name in task_names():
        task = load_task(name)
        here = "*" if (data_folder(name) / "card.json").is_file() else " "
        size = f"{task.rows:,}" if task.rows else ""
        where = task.hub or task.source
        where = where if len(where) <= WIDTH else f"...{where[3 - WIDTH :]}"
        lines.append(f"{name:<15}{here} {size:>8}  {where:<{WIDTH}} {task.title}")
    return "\n".join([*lines, "* converted already.  `python -m converters list --task NAME` shows what SET can set."])


def one_task(name: str) -> str:
    """Return a task's facts and every setting with its default and meaning."""
    task = load_task(name)
    lines = [
        f"{task.name}: {task.title}",
        f"  from     {f'{task.hub}@{task.revision}' if task.hub else task.source or 'SOURCE'}",
        f"  files    {', '.join(file.path for file in task.files) or 'all that hold rows'}",
        f"  licence  {task.licence or 'not given'}",
        f"  language {task.language}, domain {task.domain}",
        f"  system   {task.system or '-'}",
        "",
        'SET="key=value ..." with these defaults',
    ]
    settings = sorted(meanings(settings_model(task)), key=lambda one: one[0] not in task.options)
    lines += [f"  {f'{key}={typed(task.defaults.get(key, default))}':<24} {told}" for key, default, told in settings]
    return "\n".join(lines)
