"""Twins: tiny random-weight models of a backbone's own kind, on which every command works as on the real one.

A twin has its backbone's architecture class, tokenizer kind, special tokens, chat format and file layout, so its
folder can stand under the backbone's own hub id on a stand-in hub. What it is made of stands in the backbone's
`twin:` entry (the fields of Twin) and, for the proportions, in its shape.
"""

import random
import shutil
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import write_json, write_text
from common.paths import MODELS, folder_name
from recipes.catalog.catalog import HERE, Backbone

CODE = HERE / "twin_code"
LAYERS, HEADS, HEAD_SIZE = 2, 4, 8
CONTEXT = 2048


@dataclass(frozen=True)
class Twin:
    """What a twin is made of."""

    tokenizer: str
    """sentencepiece (a tokenizer.model) or bytelevel (a tokenizer.json)."""
    vocabulary: int = 2000
    sentencepiece: dict[str, Any] = field(default_factory=dict)
    """Settings of sentencepiece's trainer that the backbone's own tokenizer was trained with."""
    both_files: bool = False
    """sentencepiece: whether the hub ships a tokenizer.json made of it beside it."""
    split: str = ""
    """bytelevel: the regular expression that cuts text before the merges; "" is GPT-2's."""
    digits: bool = False
    """bytelevel: every digit is a token of its own, whatever `split` says."""
    first: list[str] = field(default_factory=list)
    """bytelevel: special tokens with the lowest ids."""
    special: list[str] = field(default_factory=list)
    """bytelevel: special tokens behind the vocabulary."""
    added: list[str] = field(default_factory=list)
    """bytelevel: tokens behind those that are whole but not special."""
    begin: str = ""
    """bytelevel: the token that the tokenizer itself puts before every text."""
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    special_tokens_map: dict[str, Any] = field(default_factory=dict)
    chat_template: str = ""
    """In the model folder as chat_template.jinja; "" when the hub ships none."""
    config: dict[str, Any] = field(default_factory=dict)
    """More of the model's config: what the small sizes do not say."""
    weights: str = "model.safetensors"
    code: str = ""
    """A folder in twin_code/: the Python files that the hub ships beside the weights."""


def twin_of(backbone: Backbone) -> Twin:
    """Read the backbone's `twin:` entry; unknown keys are errors, all at once."""
    known = [item.name for item in fields(Twin)]
    problems = sorted(set(backbone.twin) - set(known))
    if problems or "tokenizer" not in backbone.twin:
        what = f"unknown key {', '.join(problems)}" if problems else "no tokenizer" if backbone.twin else "no entry"
        raise UserError(f"twin of {backbone.name}: {what}", f"the keys of `twin:` are {', '.join(known)}")
    return Twin(**backbone.twin)


def default_folder(backbone: Backbone) -> Path:
    """Return where a twin is put when nobody says otherwise."""
    return MODELS / "twins" / folder_name(backbone.name)


def make_twin(backbone: Backbone, folder: Path | None = None, seed: int = 0) -> Path:
    """Make the twin's folder (whole, or not at all) and return it; equal seeds make equal files."""
    from recipes.rehearsal.tokenizer import write_tokenizer

    twin = twin_of(backbone)
    folder = folder or default_folder(backbone)
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    ids = write_tokenizer(twin, unfinished)
    write_json(unfinished / "tokenizer_config.json", twin.tokenizer_config)
    if twin.special_tokens_map:
        write_json(unfinished / "special_tokens_map.json", twin.special_tokens_map)
    if twin.chat_template:
        write_text(unfinished / "chat_template.jinja", twin.chat_template)
    write_model(backbone, twin, ids, unfinished, seed)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


def training_command(backbone: Backbone, folder: Path) -> str:
    """Return the command that trains a twin by its path, with what its backbone's entry would have said."""
    wanted = {"template": backbone.template, "trust_remote_code": backbone.trust_remote_code and "true"}
    words = " ".join(f"{key}={value}" for key, value in wanted.items() if value)
    command = f"make train TASK=medical_en SOURCE=converters/examples/medical_en MODEL={folder}"
    return command + (f' SET="{words}"' if words else "")


def sizes(backbone: Backbone, twin: Twin, vocabulary: int) -> dict[str, Any]:
    """Return the small config: the backbone's proportions where they change how it computes."""
    shape = backbone.shape
    grouped = shape is not None and shape.kv_heads < shape.heads
    config: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": HEADS * HEAD_SIZE,
        "intermediate_size": 2 * HEADS * HEAD_SIZE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS // 2 if grouped else HEADS,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": bool(shape and shape.tied),
    }
    if shape and shape.head_size:
        config["head_dim"] = 2 * HEAD_SIZE  # not hidden / heads, as in the backbone
    return config | twin.config


def write_model(backbone: Backbone, twin: Twin, ids: dict[str, int], folder: Path, seed: int) -> None:
    """Write config.json, generation_config.json, the weights in bfloat16 and the code beside them, if any."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    for path in sorted((CODE / twin.code).glob("*.py")) if twin.code else []:
        shutil.copy(path, folder / path.name)
    settings = sizes(backbone, twin, ids.pop("vocabulary")) | ids
    if twin.code:  # its classes are found through the config's auto_map
        write_json(folder / "config.json", {"model_type": backbone.architecture, "dtype": "bfloat16", **settings})
        config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    else:
        config = AutoConfig.for_model(backbone.architecture, dtype="bfloat16", **settings)
    random.seed(seed)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, trust_remote_code=bool(twin.code)).to(torch.bfloat16)
    if not twin.code:
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
    write_json(folder / "generation_config.json", ids)
    _save(model, folder / twin.weights)


def _save(model: Any, path: Path) -> None:
    import torch
    from safetensors.torch import save_model

    if path.suffix == ".safetensors":
        save_model(model, str(path), metadata={"format": "pt"})
    else:
        torch.save(model.state_dict(), path)
