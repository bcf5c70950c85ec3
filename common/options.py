"""Command-line options that several packages share, so that they read the same everywhere."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.names import root_task
from common.paths import run_folder

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


def run_options(command: Command) -> Command:
    """Add --task, --model, --method and --variant, which name a run and its folder."""
    for option in (
        click.option("--variant", default="", help="Name of a second run beside an earlier one."),
        click.option(
            "--method", default="lora", type=NAME, show_default=True, help="How to train: lora, qlora, full ..."
        ),
        click.option("--model", default="", type=NAME, help="A backbone's name, a hub id or a local folder."),
        click.option("--task", default="", type=NAME, help="A task's name: medical_en, law_zh ..."),
    ):
        command = option(command)
    return command


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
