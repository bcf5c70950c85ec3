"""The tasks, and the settings of each, as tables for the terminal."""

import ast
import functools
import inspect
import itertools

from common.paths import data_folder
from converters import settings as general
from converters.registry import load_task, task_names

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
    defaults = {key: field.default for key, field in general.GENERAL.items()} | dict(task.defaults)
    lines = [
        f"{task.name}: {task.title}",
        f"  from     {task.hub or task.source}@{task.revision}"
        if task.hub
        else f"  from     {task.source or 'SOURCE'}",
        f"  files    {', '.join(file.path for file in task.files) or 'all that hold rows'}",
        f"  licence  {task.licence or 'not given'}",
        f"  language {task.language}, domain {task.domain}",
        f"  system   {task.system or '-'}",
        "",
        'SET="key=value ..." with these defaults',
    ]
    lines += [
        f"  {key + '=' + general.typed(value):<24} {task.option_help.get(key, '')}"
        for key, value in task.options.items()
    ]
    lines += [f"  {key + '=' + general.typed(value):<24} {_meanings().get(key, '')}" for key, value in defaults.items()]
    return "\n".join(lines)


@functools.cache
def _meanings() -> dict[str, str]:
    """Return what each general setting means: the text under it in the source."""
    tree = ast.parse(inspect.getsource(general.Settings))
    body = tree.body[0].body  # type: ignore[attr-defined]
    found = {}
    for field, meaning in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(meaning, ast.Expr) and isinstance(field.target, ast.Name):
            found[field.target.id] = str(ast.literal_eval(meaning.value))
    return found
