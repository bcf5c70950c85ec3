"""A model folder that transformers loads, made of a GGUF file inside an installed package.

transformers reads the weights of a GGUF rightly, but not its tokenizer: it guesses another class, swaps the begin
and end tokens, leaves out the padding token and the splitting of digits. So the tokenizer is built from the GGUF's
own vocabulary and merges; its settings stand in the backbone's entry. (transformers 5.5.4; what it makes turns every
space into <|endoftext|> on reload.)
"""

import io
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path

from common.errors import UserError
from common.files import write_text

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
    """Write tokenizer.json, chat_template.jinja, weights (bfloat16), config and generation settings into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM

    write_tokenizer(gguf, folder)
    with redirect_stderr(io.StringIO()):  # three progress bars for three seconds
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
        model.save_pretrained(folder)


def write_tokenizer(gguf: Path, folder: Path) -> None:
    """Write tokenizer.json and chat_template.jinja."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    said = {name: field.contents() for name, field in GGUFReader(gguf).fields.items() if name.startswith("tokenizer.")}
    if (splitting := said.get("tokenizer.ggml.pre")) != "smollm":
        raise UserError(f"{gguf.name}: its pre-tokenizer is {splitting!r}", "only 'smollm' is known here")
    tokens, kinds = said["tokenizer.ggml.tokens"], said["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in said["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    write_text(folder / "chat_template.jinja", said["tokenizer.chat_template"])
