"""A model folder that transformers loads, made of a GGUF file inside an installed package.

transformers reads the weights of a GGUF rightly, but not its tokenizer: it guesses another class, swaps the begin
and end tokens, leaves out the padding token and the splitting of digits. So the tokenizer is built from the GGUF's
own vocabulary and merges. (transformers 5.5.4; what it makes turns every space into <|endoftext|> on reload.)
"""

import io
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import write_json, write_text

CONTROL = 3
"""The GGUF token type of special tokens."""


def locate(package: str, file: str) -> Path:
    """Return the path of a GGUF file inside an installed package, which is not imported."""
    spec = find_spec(package)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise UserError(f"the package {package} with {file} is not installed", "make setup")
    return path


def convert(gguf: Path, folder: Path) -> None:
    """Write weights (bfloat16), config, tokenizer, chat template and generation settings into `folder`."""
    metadata = read_metadata(gguf)
    write_tokenizer(metadata, folder)
    write_weights(gguf, folder, metadata)


def read_metadata(gguf: Path) -> dict[str, Any]:
    """Return what the GGUF says of its tokenizer, the "tokenizer." before each name left out."""
    from gguf import GGUFReader

    fields = GGUFReader(gguf).fields
    metadata = {
        name.removeprefix("tokenizer."): field.contents()
        for name, field in fields.items()
        if name.startswith("tokenizer.")
    }
    splitting = metadata.get("ggml.pre")
    if splitting != "smollm":
        raise UserError(f"{gguf.name}: its pre-tokenizer is {splitting!r}", "only 'smollm' is known here")
    return metadata


def write_tokenizer(metadata: dict[str, Any], folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = metadata["ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, metadata["ggml.token_type"], strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        **{f"{name}_token": tokens[i] for name, i in token_ids(metadata).items()},
    }
    write_json(folder / "tokenizer_config.json", config)
    write_text(folder / "chat_template.jinja", metadata["chat_template"])


def token_ids(metadata: dict[str, Any]) -> dict[str, int]:
    """Return the ids of the begin, end, padding and unknown tokens."""
    names = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    return {short: int(metadata[f"ggml.{name}_token_id"]) for short, name in names.items()}


def write_weights(gguf: Path, folder: Path, metadata: dict[str, Any]) -> None:
    """Write the weights, dequantized to bfloat16, and config.json and generation_config.json."""
    import torch
    from transformers import AutoModelForCausalLM

    ids = token_ids(metadata)
    with redirect_stderr(io.StringIO()):  # three progress bars for three seconds
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    for settings in (model.config, model.generation_config):
        settings.bos_token_id, settings.eos_token_id, settings.pad_token_id = ids["bos"], ids["eos"], ids["pad"]
    model.config.dtype = torch.bfloat16
    with redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
