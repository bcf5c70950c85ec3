"""Rendered files as they are today: any change of what users get shows as a diff of tests/recipes/golden/.

After a change that is meant: `UPDATE_GOLDEN=1 python -m pytest tests/recipes/test_golden_recipes.py`, then look at
the diff.
"""

import os
from pathlib import Path

import pytest

from recipes.recipe import Recipe
from recipes.render import render_all
from tests.recipes.samples import MANY_ROWS, recipe

GOLDEN = Path(__file__).with_name("golden")
SAMPLES: dict[str, Recipe] = {
    "smollm2-135m-lora-cpu": recipe(),
    "llama2-7b-qlora-t4": recipe("llama2-7b", "qlora", "t4"),
    "llama2-7b-full-80gb-x4": recipe("llama2-7b", "full", "80gb", devices=4),
    "llama2-70b-lora-80gb-x8": recipe("llama2-70b", "lora", "80gb", devices=8),
    "qwen3-8b-lora-24gb-law_zh": recipe("qwen3-8b", "lora", "24gb", task="law_zh", data=MANY_ROWS),
    "qwen3-8b-dpo-80gb": recipe("qwen3-8b", "dpo", "80gb"),
    "smollm2-135m-pissa-cpu": recipe(method="pissa"),
    "qwen3-0.6b-galore-12gb-changed": recipe("qwen3-0.6b", "galore", "12gb", learning_rate=3e-5, packing=False),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_files_of_a_run_are_those_in_golden(name: str) -> None:
    rendered = render_all(SAMPLES[name])
    text = "".join(f"===== {path}\n{content}" for path, content in rendered.items())
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "see this file's head for how to accept a change"


def test_golden_holds_nothing_else() -> None:
    assert {path.stem for path in GOLDEN.glob("*")} == set(SAMPLES)
