"""From the words a user types to a recipe: names looked up, rows ensured, facts of the data read."""

from pathlib import Path

from common.errors import UserError
from common.names import root_task
from common.paths import CACHE, data_folder
from common.process import only_one
from common.subprocesses import call
from recipes.catalog.catalog import find_backbone, find_method
from recipes.catalog.datasets import card_of, find_task, has_val, is_own
from recipes.catalog.machine import resolve_hardware
from recipes.choices.settings import DataFacts
from recipes.llamafactory.keys import read_settings
from recipes.prepare.prepare import model_path
from recipes.render import Recipe

ANNOUNCED = (
    "template", "flash_attn", "lora_target", "cutoff_len", "packing", "learning_rate", "num_train_epochs",
    "per_device_train_batch_size", "bf16", "fp16", "disable_gradient_checkpointing",
)  # fmt: skip


def check_names(*, task: str, model: str, method: str, hardware: str, overrides: str, **_: str) -> None:
    """Check every name and SET before anything costs time."""
    if not task:
        raise UserError("no TASK was named", "TASK=medical_en, or see `python -m converters list`")
    find_task(task)
    find_backbone(model)
    find_method(method)
    resolve_hardware(hardware)
    read_settings(overrides)


def ensure_rows(task: str, source: str, limit: int | None) -> None:
    """Convert the rows when they are not there yet, or when the user says which ones."""
    if is_own(task):
        if source or limit is not None:
            raise UserError(f"{task} is trained on as dataset_info.json has it", "leave SOURCE and LIMIT out")
        return
    derived = task != root_task(task)  # a mix or a variant: made anew whenever what it was made from has changed
    if not derived and not source and limit is None and (data_folder(task) / "card.json").is_file():
        return
    with only_one(CACHE / "locks" / f"rows-{root_task(task)}", wait=True):  # runs beside this one need the same rows
        call("converters", "convert", task=task, source=source, limit=limit)


def assemble(*, task: str, model: str, method: str, variant: str, hardware: str, overrides: str) -> Recipe:
    """Build the recipe that these words name."""
    check_names(task=task, model=model, method=method, hardware=hardware, overrides=overrides)
    backbone = find_backbone(model)
    return Recipe(
        task=task,
        backbone=backbone,
        method=find_method(method),
        hardware=resolve_hardware(hardware)[0],
        data=data_facts(task),
        model_path=model_path(backbone),
        variant=variant,
        overrides=read_settings(overrides),
        hardware_name=hardware,
    )


def data_facts(task: str) -> DataFacts:
    """Read what is known of a task's rows; nothing is, before they are converted."""
    language, card = find_task(task).language, card_of(task)
    if not card:
        return DataFacts(language=language)
    lengths = card["lengths"]["total"]
    return DataFacts(card["files"]["train"]["rows"], language, lengths["mean"], lengths["p95"], has_val(task))


def announcement(recipe: Recipe) -> str:
    """Say what will be trained, on what, and each derived choice with its reason."""
    card = card_of(recipe.task)
    assert card, "announced once the rows are there"
    lines = [
        f"{recipe.task} x {recipe.backbone.name} x {recipe.method.name} on {recipe.hardware.title}",
        f"  rows: {card['files']['train']['rows']:,} to train on, from {card['source']}",
        f"  why this hardware: {resolve_hardware(recipe.hardware_name)[1]}",
    ]
    chosen = [(key, recipe.choices[key]) for key in ANNOUNCED if key in recipe.choices]
    lines += [f"  {key} = {choice.value}" + (f": {choice.why}" if choice.why else "") for key, choice in chosen]
    lines += [f"  {key} = {value} (SET)" for key, value in recipe.overrides.items() if key not in ANNOUNCED]
    return "\n".join([*lines, f"  recipe: {Path(recipe.folder) / 'recipe.yaml'}"])
