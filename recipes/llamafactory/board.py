"""A training recipe as LLaMA-Factory's web UI (LlamaBoard) saves a configuration: flat "tab.element: value"."""

import json
from typing import Any

from recipes.llamafactory.keys import groups

CUSTOM = "Custom"
"""The UI's name for a model that is not in its own list."""
STAGES = {"sft": "Supervised Fine-Tuning", "rm": "Reward Modeling", "dpo": "DPO", "kto": "KTO", "pt": "Pre-Training"}
AS_TEXT = ("learning_rate", "num_train_epochs", "max_samples")
ALL_ROWS = 10**9
"""The page's own default takes 100,000 rows at most."""


def saved_configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """Turn a training recipe's keys into what the UI's "load arguments" button reads."""
    settings = {"max_samples": ALL_ROWS, **settings}
    compute = next((name for name in ("pure_bf16", "bf16", "fp16") if settings.get(name)), "fp32")
    extra = {
        key: value for key, value in settings.items() if key not in {*groups()["widgets"], *groups()["not on the page"]}
    }
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
    for key, element in groups()["widgets"].items():
        if key in settings:
            page[f"train.{element}"] = str(settings[key]) if key in AS_TEXT else settings[key]
    return page
