"""Recipes as text: the YAML files that LLaMA-Factory's commands take, written as a person would. Pure."""

import json
import re
import shlex
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import jinja2

from common.overrides import as_set
from common.paths import run_folder
from recipes.catalog.catalog import HERE, Backbone, Hardware, Method
from recipes.choices.choice import Choice, Choices, DataFacts
from recipes.choices.settings import choose
from recipes.choices.sharding import CPU_MEMORY, environment, files
from recipes.llamafactory.keys import check_settings
from recipes.preflight.expected import adapter_choices, in_four_bits, serve_choices

SECTIONS = {
    "model": ("model_name_or_path", "trust_remote_code", "template", "flash_attn", "quant", "double_quant"),
    "method": (
        "stage", "do_train", "finetuning_type", "lora", "freeze", "oft", "module_dropout", "pissa", "use_dora",
        "use_rslora", "use_galore", "galore", "use_apollo", "apollo", "use_badam", "badam", "use_muon", "pref",
    ),
    "data": (
        "dataset", "eval_dataset", "cutoff_len", "packing", "neat_packing", "train_sampling", "overwrite_cache",
        "preprocessing",
    ),
    "training": (
        "learning_rate", "num_train_epochs", "per_device", "gradient_accumulation", "lr_scheduler", "warmup", "seed",
    ),
    "speed and memory": (
        "use_cpu", "bf16", "fp16", "pure_bf16", "optim", "enable_liger", "disable_gradient", "deepspeed", "fsdp",
        "dataloader",
    ),
    "output": ("output_dir", "overwrite_output_dir", "logging", "save", "eval", "plot_loss", "report_to", "include"),
}  # fmt: skip
"""Which keys (by their beginnings) stand under which heading; what fits none comes last."""
FORMAT_KEYS = (
    "template", "default_system", "enable_thinking", "preserve_thinking", "tool_format", "model_revision",
    "trust_remote_code", "rope_scaling", "resize_vocab", "add_tokens", "add_special_tokens",
    "new_special_tokens_config", "split_special_tokens", "use_fast_tokenizer",
)  # fmt: skip
"""What a user sets of these for training also holds when the model is measured, exported and served."""


@dataclass(frozen=True)
class Recipe:
    """All that decides one training run."""

    task: str
    backbone: Backbone
    method: Method
    hardware: Hardware
    data: DataFacts
    model_path: str
    """What LLaMA-Factory loads: a hub id or a folder."""
    variant: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    hardware_name: str = "auto"

    @property
    def folder(self) -> str:
        """The run's folder, as a POSIX path."""
        return run_folder(self.task, self.backbone.name, self.method.name, self.variant).as_posix()

    @cached_property
    def choices(self) -> Choices:
        """Every key of the training recipe, with its reason; the user's own words win."""
        overrides = check_settings(self.overrides)
        chosen = choose(self.backbone, self.method, self.hardware, self.data, folder=self.folder, overrides=overrides)
        return {**self._fixed(), **chosen}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The training recipe's keys and values alone."""
        return {key: choice.value for key, choice in self.choices.items()}

    def _fixed(self) -> Choices:
        return {
            **self.model_choices(),
            "stage": Choice(self.method.stage),
            "do_train": Choice(True),
            "dataset": Choice(self.task),
            "dataset_dir": Choice(".", "where dataset_info.json lies"),
            **self._evaluating(),
            "overwrite_cache": Choice(False, "rows are encoded once, until tokenizer, template or cutoff differ"),
            "output_dir": Choice(f"{self.folder}/adapter"),
            "logging_steps": Choice(1 if self.data.rows < 5_000 else 10),
            **self._saving(),
            "plot_loss": Choice(True),
            "report_to": Choice("none"),
            "include_num_input_tokens_seen": Choice(True),
        }

    def _evaluating(self) -> Choices:
        if not self.data.has_val:
            return {"eval_strategy": Choice("no", f"dataset_info.json has no {self.task}_val")}
        return {
            "eval_dataset": Choice(f"{self.task}_val", "the loss on these rows is logged while training"),
            "eval_strategy": Choice("epoch"),
            "per_device_eval_batch_size": Choice(2),
        }

    def _saving(self) -> Choices:
        if not self.method.resumable:
            return {
                "overwrite_output_dir": Choice(True, f"an interrupted {self.method.title} run begins anew"),
                "save_strategy": Choice("no", "a run resumed half-way would end in wrong weights"),
            }
        resume = {"overwrite_output_dir": Choice(False, "an interrupted run goes on from its last checkpoint")}
        if not self.method.adapter:
            return {
                **resume,
                "save_strategy": Choice("epoch", "a checkpoint is the whole model with its optimizer state"),
                "save_total_limit": Choice(1),
            }
        every = 10 if self.data.rows < 5_000 else 200
        return {
            **resume,
            "save_strategy": Choice("steps"),
            "save_steps": Choice(every, "at most so many steps are lost to a crash"),
            "save_total_limit": Choice(2),
        }

    def model_choices(self) -> Choices:
        """The keys that name the model and how to talk to it; the same for training, export and serving."""
        choices = {"model_name_or_path": Choice(self.model_path)}
        if self.backbone.revision != "main" and self.model_path == self.backbone.hub:
            choices["model_revision"] = Choice(self.backbone.revision)
        if self.backbone.trust_remote_code:
            choices["trust_remote_code"] = Choice(True, "this backbone's code comes with its weights")
        if self.backbone.template:
            choices["template"] = Choice(self.backbone.template, "the format this backbone was tuned with")
        given = check_settings({key: value for key, value in self.overrides.items() if key in FORMAT_KEYS})
        return choices | {key: Choice(value, "from SET") for key, value in given.items()}

    def command(self, verb: str, with_set: bool = True) -> str:
        """Return the make command that a user types for this run, its SET included."""
        words = [f"make {verb}", f"TASK={self.task}", f"MODEL={self.backbone.name}"]
        words += [f"METHOD={self.method.name}"] if self.method.name != "lora" else []
        words += [f"HARDWARE={self.hardware_name}"] if self.hardware_name != "auto" else []
        words += [f"VARIANT={self.variant}"] if self.variant else []
        words += [f"GPUS={self.hardware.devices}"] if self.hardware.devices > 1 else []
        words += [f"NNODES={self.hardware.nodes}"] if self.hardware.nodes > 1 else []
        words += [f"SET={shlex.quote(as_set(self.overrides))}"] if self.overrides and with_set else []
        return " ".join(words)


def render_train(recipe: Recipe) -> str:
    """Render recipe.yaml."""
    limits = []
    if recipe.backbone.gated:
        limits.append(f"gated: accept its licence at its page on the hub ({recipe.backbone.hub}), then `hf auth login`")
    if recipe.backbone.licence:
        limits.append(f"licence {recipe.backbone.licence}")
    return templates().get_template("train.yaml.jinja").render(
        task=recipe.task,
        backbone=recipe.backbone,
        method=recipe.method,
        hardware=recipe.hardware,
        folder=recipe.folder,
        command=recipe.command("train"),
        change=recipe.command("train", with_set=False),
        launch=_launch(recipe),
        needs=f"data/{recipe.task} (make convert TASK={recipe.task}) and the model {recipe.model_path}",
        limits="; ".join(limits),
        sections=[(title, _lines(part)) for title, part in _sections(recipe.choices) if part],
    )  # fmt: skip


def _launch(recipe: Recipe) -> str:
    """Return the variables that a launch without us needs in front of it."""
    if recipe.hardware.devices * recipe.hardware.nodes == 1:
        return ""
    variables = environment(recipe.hardware, recipe.settings, {})
    left_out = {*CPU_MEMORY, "CUDA_VISIBLE_DEVICES"}
    return "".join(f"{key}={value} " for key, value in variables.items() if key not in left_out)


def render_export(recipe: Recipe) -> str:
    """Render export.yaml, which merges the adapter (a fully trained model is only re-saved)."""
    choices = recipe.model_choices() | adapter_choices(recipe)
    if recipe.method.stage == "rm":
        choices["stage"] = Choice("rm", "takes the value head along")
    if recipe.backbone.dtype:
        choices["infer_dtype"] = Choice(recipe.backbone.dtype, "as the backbone's own; auto is float32 without a GPU")
    choices |= {
        "export_dir": Choice(f"{recipe.folder}/export"),
        "export_size": Choice(5, "GB a file"),
        "export_device": Choice("cpu"),
        "export_legacy_format": Choice(False),
    }
    return templates().get_template("export.yaml.jinja").render(
        folder=recipe.folder, command=recipe.command("export"), lines=_lines(choices)
    )  # fmt: skip


def render_serve(recipe: Recipe, who: str) -> str:
    """Render serve/base.yaml or serve/tuned.yaml."""
    tuned = "the adapter on its backbone" if in_four_bits(recipe) else "the exported model"
    what = {"base": f"{recipe.backbone.name} as it was", "tuned": tuned}[who]
    return templates().get_template("serve.yaml.jinja").render(
        folder=recipe.folder, name=who, what=what, lines=_lines(serve_choices(recipe, who))
    )  # fmt: skip


def render_all(recipe: Recipe) -> dict[str, str]:
    """Render every file of the run: path inside its folder -> text."""
    return {
        "recipe.yaml": render_train(recipe),
        "export.yaml": render_export(recipe),
        "serve/base.yaml": render_serve(recipe, "base"),
        "serve/tuned.yaml": render_serve(recipe, "tuned"),
        **{name: json.dumps(content, indent=2) + "\n" for name, content in files(recipe.settings).items()},
    }


def _sections(choices: Choices) -> list[tuple[str, Choices]]:
    grouped: dict[str, Choices] = {title: {} for title in [*SECTIONS, "more"]}
    for key, choice in choices.items():
        title = next((title for title, begin in SECTIONS.items() if key.startswith(begin)), "more")
        grouped[title][key] = choice
    return list(grouped.items())


def _lines(choices: Choices) -> list[str]:
    pairs = [(f"{key}: {_scalar(choice.value)}", choice.why) for key, choice in choices.items()]
    width = min(48, max(len(pair) for pair, _ in pairs))
    return [f"{pair:<{width}} # {why}" if why else pair for pair, why in pairs]


def _scalar(value: Any) -> str:
    """Write one value as YAML 1.1 and 1.2 both read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        text = repr(value)
        mantissa, exponent, power = text.partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(power):+d}" if exponent else text
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z./][\w./,-]*", value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@cache
def templates() -> jinja2.Environment:
    """Return the loader of `templates/`; an undefined name in one is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
