"""Rendering: quick, without torch, YAML that says what was meant, and the user's own words on top."""

import subprocess
import sys

import pytest
import yaml

from common.errors import UserError
from converters.registry import task_names
from recipes.catalog.catalog import backbones, hardware_profiles, methods
from recipes.render import _scalar, render_all, render_train
from tests.recipes.samples import MANY_ROWS, recipe

RENDER = """
import sys
from tests.recipes.samples import recipe
from recipes.render import render_all
render_all(recipe("llama2-7b", "qlora", "t4"))
print([name for name in ("torch", "transformers", "llamafactory", "pandas", "datasets") if name in sys.modules])
"""


@pytest.mark.slow
def test_rendering_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", RENDER], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_every_backbone_method_and_task_renders_and_no_two_recipes_are_alike() -> None:
    names = [(model, method, "law_zh") for model in backbones() for method in ("lora", "qlora", "full")]
    names += [("qwen3-8b", method, task) for method in methods() for task in task_names()]
    rendered = [
        render_all(recipe(model, method, "24gb", task=task, data=MANY_ROWS))["recipe.yaml"]
        for model, method, task in dict.fromkeys(names)
    ]
    assert all(rendered)
    assert len(set(rendered)) == len(rendered)


@pytest.mark.parametrize("hardware", hardware_profiles())
def test_every_method_renders_for_every_hardware(hardware: str) -> None:
    for method in methods():
        text = render_all(recipe("llama2-7b", method, hardware))["recipe.yaml"]
        assert yaml.safe_load(text)["per_device_train_batch_size"] >= 1


def test_the_text_is_yaml_that_holds_exactly_the_settings() -> None:
    made = recipe("qwen3-8b", "qlora", "24gb")
    assert yaml.safe_load(render_train(made)) == made.settings


@pytest.mark.parametrize(
    "value", [True, False, None, 1, 0.5, 1e-5, 5e8, "no", "on", "null", "1e-5", "a b", "x: y", "[a]", "# no", "", "é"]
)
def test_a_value_is_read_back_as_it_was(value: object) -> None:
    read = yaml.safe_load(_scalar(value))
    assert read == value
    assert type(read) is type(value)


def test_what_the_user_sets_wins_and_says_so() -> None:
    made = recipe(learning_rate=3e-5, seed=7)
    assert made.settings["learning_rate"] == 3e-5
    assert "seed: 7 # from SET" in " ".join(render_train(made).split())


def test_a_set_cutoff_is_known_to_the_batch_that_is_chosen_after_it() -> None:
    short, long = recipe("llama2-7b", "lora", "24gb"), recipe("llama2-7b", "lora", "24gb", cutoff_len=8192)
    assert not long.settings["disable_gradient_checkpointing"]
    assert short.settings["per_device_train_batch_size"] >= long.settings["per_device_train_batch_size"]


def test_packing_that_is_switched_off_stays_off() -> None:
    settings = recipe("llama2-7b", "lora", "24gb", packing=False).settings
    assert settings["packing"] is False
    assert settings["neat_packing"] is False  # LLaMA-Factory would switch packing on for it


def test_half_precisions_exclude_each_other() -> None:
    settings = recipe("llama2-7b", "lora", "24gb", fp16=True).settings
    assert (settings["fp16"], settings["bf16"]) == (True, False)


def test_all_mistakes_in_set_are_told_at_once_with_the_nearest_key() -> None:
    with pytest.raises(UserError) as caught:
        recipe(learning_rat=1e-4, num_train_epochs="many", lora_rank=8.5, flash_attn="quick")
    message = caught.value.message
    assert "did you mean learning_rate?" in message
    assert "num_train_epochs must be a number, got 'many'" in message
    assert "lora_rank must be a whole number, got 8.5" in message
    assert "flash_attn must be one of auto, disabled" in message


def test_the_head_says_how_to_launch_on_several_cards() -> None:
    text = render_train(recipe("llama2-7b", "full", "80gb", devices=4))
    assert "GPUS=4" in text
    assert "FORCE_TORCHRUN=1 NPROC_PER_NODE=4" in text


def test_the_files_that_a_recipe_names_are_rendered_beside_it() -> None:
    made = recipe("llama2-7b", "full", "80gb", devices=4)
    assert made.settings["deepspeed"].removeprefix(f"{made.folder}/") in render_all(made)


def test_an_adapter_that_is_no_lora_is_loaded_as_llamafactory_wants_it() -> None:
    export = yaml.safe_load(render_all(recipe(method="oft"))["export.yaml"])
    assert export["finetuning_type"] == "lora"  # "Adapter is only valid for the LoRA method."


def test_what_is_exported_of_pissa_is_the_adapter_for_the_weights_as_they_were() -> None:
    made = recipe(method="pissa")
    assert yaml.safe_load(render_all(made)["export.yaml"])["adapter_name_or_path"].endswith("adapter/pissa_converted")
    assert made.settings["save_strategy"] == "no"  # resumed, it would be converted from the wrong start
