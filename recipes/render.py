"""Recipes as text: the YAML files that LLaMA-Factory's commands take, written as a person would. Pure."""

import json
import re
from typing import Any

from common.templates import fill
from recipes.catalog.catalog import HERE, methods
from recipes.catalog.datasets import card_of
from recipes.choices.batch import deepspeed_file
from recipes.choices.choice import Choice, Choices
from recipes.estimate.memory import computed
from recipes.llamafactory.keys import groups
from recipes.llamafactory.launch import CPU_MEMORY, environment
from recipes.recipe import Recipe

TEMPLATES = HERE / "templates"
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""What YAML reads as something else than a text."""
QUANTIZATION = ("quantization_method", "quantization_bit", "quantization_type", "double_quantization")


def render_train(recipe: Recipe) -> str:
    """Render recipe.yaml."""
    sections = [(title, _lines(part)) for title, part in _sections(recipe.choices) if part]
    return fill(TEMPLATES / "train.yaml.jinja", recipe=recipe, launch=_launch(recipe), sections=sections)


def _launch(recipe: Recipe) -> str:
    """Return the variables that a launch without us needs in front of it."""
    if recipe.hardware.world == 1:
        return ""
    variables = environment(recipe.hardware, recipe.settings, {})
    left_out = {*CPU_MEMORY, "CUDA_VISIBLE_DEVICES"}
    return "".join(f"{key}={value} " for key, value in variables.items() if key not in left_out)


def render_export(recipe: Recipe) -> str:
    """Render export.yaml, which merges the adapter (a fully trained model is only re-saved)."""
    choices = recipe.model_choices() | recipe.tuned_choices()
    if recipe.method.stage == "rm":
        choices["stage"] = Choice("rm", "takes the value head along")
    if recipe.dtype:
        choices["infer_dtype"] = Choice(recipe.dtype, "as it is computed here")
    elif recipe.backbone.dtype:
        choices["infer_dtype"] = Choice(recipe.backbone.dtype, "as the backbone's own; auto is float32 without a GPU")
    choices |= {
        "export_dir": Choice(f"{recipe.folder}/export"),
        "export_size": Choice(5, "GB a file"),
        "export_device": Choice("cpu"),
        "export_legacy_format": Choice(False),
    }
    return fill(TEMPLATES / "export.yaml.jinja", recipe=recipe, lines=_lines(choices))


def render_serve(recipe: Recipe, who: str) -> str:
    """Render serve/base.yaml or serve/tuned.yaml."""
    tuned = "the adapter on its backbone" if recipe.why_four_bits else "the exported model"
    what = {"base": f"{recipe.backbone.name} as it was", "tuned": tuned}[who]
    lines = _lines(serve_choices(recipe, who))
    return fill(TEMPLATES / "serve.yaml.jinja", folder=recipe.folder, name=who, what=what, lines=lines)


def serve_choices(recipe: Recipe, who: str) -> Choices:
    """Return the keys of serve/base.yaml or serve/tuned.yaml."""
    choices, why = recipe.model_choices(), recipe.why_four_bits
    if who == "tuned":
        choices |= recipe.tuned_choices() if why else {"model_name_or_path": Choice(f"{recipe.folder}/export")}
    stored = "the huggingface backend computes in what the weights are stored in"
    dtype = Choice(recipe.dtype or recipe.backbone.dtype or "auto", stored)
    if why:
        choices |= _quantization(recipe, why)
        dtype = Choice(computed(recipe.settings), "as in training")
    choices |= {"infer_backend": Choice("huggingface"), "infer_dtype": dtype}
    return choices | {key: Choice(value, "both sides alike") for key, value in recipe.backbone.serving.items()}


def _quantization(recipe: Recipe, why: str) -> Choices:
    """Return the quantization that the run was trained with, or QLoRA's where it was trained without."""
    source = recipe.settings if recipe.settings.get("quantization_bit") else methods()["qlora"].settings
    choices = {key: Choice(source[key]) for key in QUANTIZATION if key in source}
    choices["quantization_bit"] = Choice(source["quantization_bit"], why)
    if recipe.hardware.devices > 1 and source["quantization_bit"] == 4:
        choices["quantization_device_map"] = Choice("auto", "over all cards of this machine")
    return choices


def announcement(recipe: Recipe) -> str:
    """Say what will be trained, on what, and each derived choice with its reason."""
    facts = {"recipe": recipe, "card": card_of(recipe.task), "announced": groups()["announced"]}
    return fill(TEMPLATES / "announcement.txt.jinja", **facts).rstrip()


def render_all(recipe: Recipe) -> dict[str, str]:
    """Render every file of the run: path inside its folder -> text."""
    return {
        "recipe.yaml": render_train(recipe),
        "export.yaml": render_export(recipe),
        "serve/base.yaml": render_serve(recipe, "base"),
        "serve/tuned.yaml": render_serve(recipe, "tuned"),
        **{name: json.dumps(content, indent=2) + "\n" for name, content in deepspeed_file(recipe.settings).items()},
    }


def _sections(choices: Choices) -> list[tuple[str, Choices]]:
    grouped: dict[str, Choices] = {title: {} for title in [*groups()["sections"], "more"]}
    for key, choice in choices.items():
        title = next((title for title, begin in groups()["sections"].items() if key.startswith(tuple(begin))), "more")
        grouped[title][key] = choice
    return list(grouped.items())


def _lines(choices: Choices) -> list[str]:
    pairs = [(f"{key}: {_scalar(choice.value)}", choice.why) for key, choice in choices.items()]
    width = min(48, max(len(pair) for pair, _ in pairs))
    return [f"{pair:<{width}} # {why}" if why else pair for pair, why in pairs]


def _scalar(value: Any) -> str:
    """Write one value as YAML 1.1 and 1.2 both read it."""
    if isinstance(value, float) and "e" in repr(value):
        mantissa, _, power = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(power):+d}"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z./][\w./,-]*", value) and value.lower() not in WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
