"""Rows and models as LLaMA-Factory encodes and loads them in training."""

import os
from collections.abc import Mapping
from typing import Any

from common.process import free_port


def load(arguments: Mapping[str, Any], split: str = "eval_dataset", with_model: bool = True) -> tuple[Any, Any]:
    """Return the rows that the arguments name, encoded (input_ids and labels), and the model, None `with_model` off.

    `split` is eval_dataset or train_dataset.
    """
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_model, load_tokenizer

    spread = cards() > 1
    if spread:  # LLaMA-Factory refuses a process that sees several cards, unless torchrun has started it
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", **address}  # as torchrun tells an only one
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(dict(arguments))
    if spread:
        model_args.device_map = "auto"  # over all cards, as it is served
    modules = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(modules["tokenizer"], data_args)
    rows = get_dataset(template, model_args, data_args, training_args, stage="sft", **modules)[split]
    if not with_model:
        return rows, None
    return rows, load_model(modules["tokenizer"], model_args, finetuning_args, is_trainable=False).eval()


def model_class(config: Any) -> Any:
    """Return the class by which LLaMA-Factory loads a model of this configuration: some that see have no other."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    sees = type(config) in AutoModelForImageTextToText._model_mapping
    return AutoModelForImageTextToText if sees else AutoModelForCausalLM


def cards() -> int:
    """Return how many cards this process sees."""
    import torch

    return torch.cuda.device_count()


def from_modelscope(model: str, revision: str) -> str:
    """Return the folder that a model of ModelScope was downloaded to; "" when that hub was not asked for."""
    from llamafactory.extras.misc import try_download_model_from_other_hub, use_modelscope
    from llamafactory.hparams import ModelArguments

    if not use_modelscope():
        return ""
    return try_download_model_from_other_hub(ModelArguments(model_name_or_path=model, model_revision=revision))
