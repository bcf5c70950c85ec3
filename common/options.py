"""Command-line options, listed in each package's options.yaml; what all share reads the same everywhere."""

import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.names import root_task
from common.paths import run_folder
from common.tracking import TRACKERS
from common.yaml_files import read_yaml

Command = Callable[..., Any]


class Name(click.ParamType):
    """Names of tasks or of the catalogue, in any case: QLoRA, T4, Qwen3-8B. Hub ids and folders stay as they are."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the names as they are known; a data variant's own name (law_zh~Raw) stays."""
        return str(value) if Path(value).is_dir() else re.sub(r"\S+", lambda name: self._known(name[0]), value)

    def _known(self, name: str) -> str:
        if "/" in name or Path(name).is_dir():
            return name
        root = root_task(name)
        return root.lower() + name[len(root) :]


NAME = Name()
TYPES: dict[str, Any] = {
    "name": NAME, "count": click.IntRange(min=1), "from 0": click.IntRange(min=0), "int": int, "float": float,
    "path": click.Path(path_type=Path), "tracker": click.Choice(list(TRACKERS)),
}  # fmt: skip
"""What `type` may be in an options.yaml, besides a list of choices and `flag`; else the default's own, a text's."""


def options_of(path: Path) -> Callable[..., Callable[[Command], Command]]:
    """Return what gives a command the options of some groups of an options.yaml, or of the one of this folder."""
    known = read_yaml(Path(__file__).with_name("options.yaml")) | read_yaml(path)

    def taking(*groups: str) -> Callable[[Command], Command]:
        options = [_option(*one) for group in groups for one in known[group].items()]
        return lambda command: reduce(lambda made, option: option(made), reversed(options), command)

    return taking


def _option(called: str, about: str | dict[str, Any]) -> Callable[[Command], Command]:
    """Return the option of one line: `help` alone, or what click takes, `name` being the argument's."""
    facts: dict[str, Any] = {"help": about} if isinstance(about, str) else dict(about)
    name, kind = facts.pop("name", called.replace("-", "_")), facts.pop("type", None)
    if kind == "flag":
        facts["is_flag"] = True
    elif kind is not None:
        facts["type"] = click.Choice(kind) if isinstance(kind, list) else TYPES[kind]
    if kind in (None, "name") and not facts.keys() & {"multiple", "required"}:
        facts.setdefault("default", "")
    return click.option(f"--{called}", name, **{"show_default": bool(facts.get("default")), **facts})


def existing_run(run: str, task: str, model: str, method: str, variant: str) -> Path:
    """Return the folder of a run given by its path or by its names; it must exist."""
    if not run and not (task and model):
        raise UserError("no run was named", "give RUN=runs/... or TASK=... MODEL=...")
    folder = Path(run) if run else run_folder(task, model, method, variant)
    if not folder.is_dir():
        raise UserError(
            f"there is no run in {folder}",
            f"make train TASK={task or 'medical_en'} MODEL={model or 'smollm2-135m'} METHOD={method or 'lora'}",
        )
    return folder
