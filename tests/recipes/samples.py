"""Recipes for tests, put together without converted rows or a look at this machine."""

from typing import Any

from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.llamafactory.keys import check_settings
from recipes.prepare.prepare import model_path
from recipes.recipe import Recipe

FEW_ROWS = DataFacts(170, "en", 510, 609)
MANY_ROWS = DataFacts(50_000, "zh", 700, 2400)


def recipe(
    model: str = "smollm2-135m",
    method: str = "lora",
    hardware: str = "cpu",
    *,
    task: str = "medical_en",
    data: DataFacts = FEW_ROWS,
    devices: int = 1,
    **overrides: Any,
) -> Recipe:
    backbone = find_backbone(model)
    return Recipe(
        task=task,
        backbone=backbone,
        method=find_method(method),
        hardware=find_hardware(hardware).model_copy(update={"devices": devices}),
        data=data,
        model_path=model_path(backbone),
        overrides=check_settings(overrides),
        hardware_name=hardware,
    )
