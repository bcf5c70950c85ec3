"""A model that no entry speaks for, a local folder or any hub id: what its own config.json says of it.

With its shape the plan can tell whether it fits; with its kind (model_type) it gets the switches that take effect on
our backbones of that kind. Of another kind, it gets the ones that are right for any.
"""

from functools import cache
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import BrokenJSONError, read_json, read_object
from common.hub import snapshot
from recipes.catalog.catalog import HERE, Backbone, Shape, backbones

TABLE = HERE / "llamafactory" / "llamafactory_models.json"
WEIGHTS = ("*.safetensors", "*.bin")
DTYPES = ("bfloat16", "float16", "float32")
NAMES = {
    "layers": ("num_hidden_layers", "n_layer"),
    "hidden": ("hidden_size", "n_embed"),
    "heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads", "num_attention_heads", "n_head"),
    "vocabulary": ("vocab_size",),
}
"""What configs call the sizes; the first that is there counts."""


@cache
def known_models() -> dict[str, dict[str, Any]]:
    """Return what LLaMA-Factory knows: hub id, in lower case -> template, id on ModelScope, whether it thinks.

    `python -m tests.recipes.llamafactory.tables` makes the table anew; a test compares.
    """
    return read_json(TABLE)


def from_folder(name: str) -> Backbone:
    """Return the backbone in a local folder; stop when the folder cannot be a model's."""
    folder = Path(name)
    missing = [needed for needed in ("config.json", "tokenizer_config.json") if not (folder / needed).is_file()]
    missing += [] if any(path for kind in WEIGHTS for path in folder.glob(kind)) else ["weights (*.safetensors)"]
    if missing:
        raise UserError(
            f"the model folder {name} has no {' and no '.join(missing)}",
            "give a folder that transformers' save_pretrained wrote for model and tokenizer",
        )
    formats = [folder / "chat_template.jinja", folder / "tokenizer_config.json"]
    thinks = any(b"<think>" in path.read_bytes() for path in formats if path.is_file())
    return Backbone(name=name, note="a local folder", thinks=thinks, **facts(_read(folder / "config.json")))


def from_hub(name: str) -> Backbone:
    """Return the backbone of a hub id; its shape is known once its config.json was downloaded."""
    folder = snapshot(name)
    config = _read(folder / "config.json") if folder and (folder / "config.json").is_file() else {}
    known = known_models().get(name.lower(), {"thinks": True})  # it may: what its tokenizer says is not here yet
    return Backbone(name=name, hub=name, note="a hub id", **known, **facts(config))


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except BrokenJSONError as error:
        raise UserError(error.message, "download or export the model again") from None


def facts(config: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of Backbone that a config.json decides. Pure."""
    kind, text = str(config.get("model_type", "")), config.get("text_config") or config
    right_for_any = Backbone(name="", sdpa=False)
    alike = next((backbone for backbone in backbones().values() if backbone.architecture == kind), right_for_any)
    return {
        "architecture": kind,
        "shape": _shape(config, alike),
        "dtype": dtype if (dtype := config.get("dtype") or config.get("torch_dtype")) in DTYPES else "",
        "context": text.get("max_position_embeddings") or 0,
        "window": (text.get("sliding_window") or 0) if text.get("use_sliding_window", True) else 0,
        **{switch: getattr(alike, switch) for switch in ("float16", "sdpa", "packs", "liger", "unsloth")},
    }


def template_hint(kind: str) -> str:
    """Say how a chat template is named, those of our backbones of that kind first."""
    alike = {backbone.template for backbone in backbones().values() if backbone.architecture == kind}
    names = ", ".join(sorted(name for name in alike if name))
    used = f" ({names} are used with {kind})" if names else ""
    return f'name one of LLaMA-Factory\'s: SET="template=..."{used}, or default for a model without a format'


def _shape(config: dict[str, Any], alike: Backbone) -> Shape | None:
    """Return the sizes; None where they would not say what it takes (experts, pictures, quantized weights)."""
    found = {
        name: next((config[key] for key in keys if isinstance(config.get(key), int)), 0) for name, keys in NAMES.items()
    }
    if not all(found.values()) or any("expert" in key for key in config):
        return None
    if config.keys() & {"text_config", "vision_config", "quantization_config"}:
        return None
    mlp = config.get("intermediate_size") or config.get("n_inner") or 4 * found["hidden"]
    return Shape(
        **found,
        mlp=mlp,
        head_size=config.get("head_dim") or 0,
        tied=bool(config.get("tie_word_embeddings")),
        mlp_matrices=alike.shape.mlp_matrices if alike.shape else 3,
    )
