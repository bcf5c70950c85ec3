"""What runs have in common and is done once before them: rows converted, backbones prepared."""

from pathlib import Path

from common.names import root_task
from common.paths import CACHE, data_folder, folder_name
from common.process import only_one
from common.subprocesses import call
from recipes.assemble import ensure_rows
from recipes.catalog.catalog import find_backbone
from recipes.prepare.prepare import is_prepared
from recipes.sweeping.sweep import Plan, Run


def prepare_shared(plan: Plan, runs: list[Run], anew: bool = False) -> None:
    """Convert the rows and prepare the backbones of these runs; with `anew`, see that the rows are of this sweep."""
    for task in dict.fromkeys(run.base_task for run in runs):
        if anew or not _has_rows(task):
            ensure_rows(task, plan.source, plan.limit)
    for run in {run.task: run for run in runs if run.data}.values():
        if anew or not _has_rows(run.task):
            _convert_variant(run)
    for model in dict.fromkeys(run.model for run in runs):
        backbone = find_backbone(model)
        with only_one(CACHE / "locks" / f"model-{folder_name(backbone.name)}", wait=True):
            if not is_prepared(backbone):
                call("recipes", "prepare", model=model)


def _has_rows(task: str) -> bool:
    return (data_folder(task) / "card.json").is_file() and Path("dataset_info.json").is_file()


def _convert_variant(run: Run) -> None:
    with only_one(CACHE / "locks" / f"rows-{root_task(run.task)}", wait=True):
        call("converters", "convert", task=run.task, set=run.data["set"])
