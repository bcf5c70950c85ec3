"""LLaMA-Factory's web UI, with our recipes among its saved configurations and our models among its paths.

The UI (LlamaBoard) reads `llamaboard_config/*.yaml`, flat files of "tab.element: value", and remembers model paths in
`llamaboard_cache/user_config.yaml`, both relative to where it is started. Nothing of it is changed.
"""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import write_text
from common.paths import DATA
from common.process import tool
from recipes.catalog.datasets import is_own
from recipes.render import Recipe

CONFIGS = Path("llamaboard_config")
USER_CONFIG = Path("llamaboard_cache/user_config.yaml")
CUSTOM = "Custom"
"""The UI's name for a model that is not in its own list."""
STAGES = {"sft": "Supervised Fine-Tuning", "rm": "Reward Modeling", "dpo": "DPO", "kto": "KTO", "pt": "Pre-Training"}
WIDGETS = {
    "learning_rate": "learning_rate",
    "num_train_epochs": "num_train_epochs",
    "cutoff_len": "cutoff_len",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "lr_scheduler_type": "lr_scheduler_type",
    "packing": "packing",
    "neat_packing": "neat_packing",
    "lora_rank": "lora_rank",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_target": "lora_target",
}
"""Recipe keys with a place on the page, where a person can change them; the others go into its "extra arguments"."""
AS_TEXT = ("learning_rate", "num_train_epochs")
ELSEWHERE = ("stage", "do_train", "dataset", "dataset_dir", "output_dir", "overwrite_output_dir", "finetuning_type",
             "bf16", "fp16", "pure_bf16", "quantization_bit", "quantization_method", "plot_loss")  # fmt: skip
"""Keys that the page sets by other means: tabs, menus, or its own folder for each run."""


def saved_configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """Turn a training recipe's keys into what the UI's "load arguments" button reads."""
    compute = next((name for name in ("pure_bf16", "bf16", "fp16") if settings.get(name)), "fp32")
    extra = {key: value for key, value in settings.items() if key not in {*WIDGETS, *ELSEWHERE}}
    # The page forgets a loaded path and template when it shows another model; these come last and win.
    extra |= {"model_name_or_path": settings["model_name_or_path"], "template": settings.get("template")}
    page = {
        "top.model_name": CUSTOM,
        "top.model_path": settings["model_name_or_path"],
        "top.finetuning_type": settings["finetuning_type"],
        "top.template": settings.get("template") or "default",
        "top.quantization_bit": str(settings.get("quantization_bit", "none")),
        "train.training_stage": STAGES[settings["stage"]],
        "train.dataset": settings["dataset"].split(","),
        "train.compute_type": compute,
        "train.extra_args": json.dumps(extra, ensure_ascii=False),
    }
    for key, element in WIDGETS.items():
        if key in settings:
            page[f"train.{element}"] = str(settings[key]) if key in AS_TEXT else settings[key]
    return page


def offer(recipe: Recipe) -> None:
    """Put a recipe among the UI's saved configurations, and its model where the UI looks for one of its own."""
    name = recipe.folder.removeprefix("runs/").replace("/", "--")
    page = saved_configuration(recipe.settings)
    page["train.dataset_dir"] = "." if is_own(recipe.task) else DATA.as_posix()
    write_text(CONFIGS / f"{name}.yaml", yaml.safe_dump(page, allow_unicode=True))
    known = _user_config()
    if CUSTOM not in known["path_dict"]:
        known["path_dict"][CUSTOM] = recipe.model_path
        known["last_model"] = known["last_model"] or CUSTOM
        write_text(USER_CONFIG, yaml.safe_dump(known, allow_unicode=True))


def _user_config() -> dict[str, Any]:
    found = yaml.safe_load(USER_CONFIG.read_text(encoding="utf-8")) if USER_CONFIG.is_file() else None
    return {"lang": None, "hub_name": None, "last_model": None, "path_dict": {}, "cache_dir": None, **(found or {})}


def launch(port: int) -> None:
    """Become `llamafactory-cli webui`, on this machine only unless GRADIO_SERVER_NAME says otherwise."""
    if not (DATA / "dataset_info.json").is_file():
        raise UserError("no rows have been converted yet, so there is nothing to show", "make convert TASK=medical_en")
    print(f"the web UI of LLaMA-Factory: http://127.0.0.1:{port}  (Ctrl-C ends it)")
    names = ", ".join(sorted(path.name for path in CONFIGS.glob("*.yaml")))
    print(f"recipes to load there, under Train, Config path: {names or 'none yet (make recipe)'}")
    defaults = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    os.execve(tool("llamafactory-cli"), ["llamafactory-cli", "webui"], {**defaults, **os.environ, "PATH": _path()})


def _path() -> str:
    """Return PATH with our environment first: the UI starts `llamafactory-cli` by its bare name."""
    return f"{Path(tool('llamafactory-cli')).parent}{os.pathsep}{os.environ.get('PATH', '')}"
