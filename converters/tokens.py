"""Lengths in tokens of a tokenizer that the user names, over an even sample of the rows."""

from pathlib import Path
from typing import Any

import numpy
import orjson

from common.errors import UserError
from converters.output.card import percentiles

SAMPLE = 20_000


def token_lengths(path: Path, tokenizer: Any) -> dict[str, Any]:
    """Return the card's percentiles in tokens (no chat format, no special tokens) of at most SAMPLE rows."""
    with path.open("rb") as file:
        count = sum(1 for _ in file)
        step = max(1, -(-count // SAMPLE))
        file.seek(0)
        texts = [_texts(orjson.loads(line)) for number, line in enumerate(file) if number % step == 0]
    prompt = _lengths(tokenizer, [asked for asked, _ in texts])
    output = _lengths(tokenizer, [told for _, told in texts])
    parts = {"prompt": prompt, "output": output, "total": prompt + output}
    return {"rows": len(texts), **{name: percentiles(part) for name, part in parts.items()}}


def _lengths(tokenizer: Any, texts: list[str]) -> Any:
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return numpy.array([len(one.ids) for one in encoded], numpy.int64)


def _texts(row: dict[str, Any]) -> tuple[str, str]:
    if "conversations" in row:
        values = [turn["value"] for turn in row["conversations"]]
        return "\n".join(values[:-1]), values[-1]
    history = [part for turn in row.get("history", []) for part in turn]
    return "\n".join([*history, row["instruction"], row["input"]]), row["output"]


def load_tokenizer(name: str) -> Any:
    """Return the tokenizer of a folder, a tokenizer.json, or the hub."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UserError("SET tokenizer= needs the package tokenizers", "pip install tokenizers") from None
    path = Path(name).expanduser()
    path = path / "tokenizer.json" if path.is_dir() else path
    try:
        return Tokenizer.from_file(str(path)) if path.exists() else Tokenizer.from_pretrained(name)
    except Exception as error:  # the library raises plain Exception for all it meets
        raise UserError(
            f"no tokenizer can be loaded from {name}: {str(error).splitlines()[0]}",
            "give a folder with tokenizer.json, or a model's id on the hub",
        ) from None
