"""Command-line options that several packages share, so that they read the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.paths import run_folder

Command = Callable[..., Any]


def run_options(command: Command) -> Command:
    """Add --task, --model, --method and --variant, which name a run and its folder."""
    for option in (
        click.option("--variant", default="", help="Name of a second run beside an earlier one."),
        click.option("--method", default="lora", show_default=True, help="How to train: lora, qlora, full ..."),
        click.option("--model", default="", help="A backbone's name, a hub id or a local folder."),
        click.option("--task", default="", help="A task's name: medical_en, law_zh ..."),
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
            f"make train TASK={task or 'medical_en'} MODEL={model or 'smollm2-135m'} METHOD={method}",
        )
    return folder
