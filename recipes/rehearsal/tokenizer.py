"""A twin's tokenizer, trained on the text that this repository holds, in the files its backbone's repository ships."""

import io
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from common.errors import UserError
from common.files import write_text
from common.schema import Schema
from recipes.catalog.catalog import HERE

TEXTS = ("eval/questions", "converters/examples")
"""Folders of English and Chinese text, at the root of the checkout."""
LONGEST_LINE = 1000
SUFFIXES = (".jsonl", ".json", ".csv", ".txt", ".md")
FROM_ONE_FILE = 60_000
"""Characters: so that no language drowns the other."""


class Twin(Schema):
    """What a twin is made of."""

    tokenizer: Literal["sentencepiece", "bytelevel"]
    """sentencepiece (a tokenizer.model) or bytelevel (a tokenizer.json)."""
    vocabulary: int = 2000
    sentencepiece: dict[str, Any] = Field(default_factory=dict)
    """Settings of sentencepiece's trainer that the backbone's own tokenizer was trained with."""
    both_files: bool = False
    """sentencepiece: whether the hub ships a tokenizer.json made of it beside it."""
    split: str = ""
    """bytelevel: the regular expression that cuts text before the merges; "" is GPT-2's."""
    digits: bool = False
    """bytelevel: every digit is a token of its own, whatever `split` says."""
    first: list[str] = Field(default_factory=list)
    """bytelevel: special tokens with the lowest ids."""
    special: list[str] = Field(default_factory=list)
    """bytelevel: special tokens behind the vocabulary."""
    added: list[str] = Field(default_factory=list)
    """bytelevel: tokens behind those that are whole but not special."""
    begin: str = ""
    """bytelevel: the token that the tokenizer itself puts before every text."""
    tokenizer_config: dict[str, Any] = Field(default_factory=dict)
    special_tokens_map: dict[str, Any] = Field(default_factory=dict)
    chat_template: str = ""
    """In the model folder as chat_template.jinja; "" when the hub ships none."""
    config: dict[str, Any] = Field(default_factory=dict)
    """More of the model's config: what the small sizes do not say."""
    weights: str = "model.safetensors"
    code: str = ""
    """A folder in twin_code/: the Python files that the hub ships beside the weights."""


def corpus(root: Path = HERE.parent) -> list[str]:
    """Return lines of text, the same for the same checkout."""
    paths = sorted(path for folder in TEXTS for path in (root / folder).rglob("*") if path.suffix in SUFFIXES)
    texts = [path.read_text(encoding="utf-8", errors="ignore")[:FROM_ONE_FILE] for path in paths]
    lines = [line[:LONGEST_LINE] for text in texts for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"no text to train a tokenizer on under {root} ({', '.join(TEXTS)})", "run in a full checkout")
    return lines


def write_tokenizer(twin: Twin, folder: Path) -> dict[str, int]:
    """Train and write it; return the size of its vocabulary and the ids of the begin, end and padding tokens."""
    write = _write_sentencepiece if twin.tokenizer == "sentencepiece" else _write_bytelevel
    vocabulary = write(twin, folder)
    ids = {"vocabulary": max(vocabulary.values()) + 1}
    for name in ("bos", "eos", "pad"):
        token = twin.tokenizer_config.get(f"{name}_token")
        if token:
            ids[f"{name}_token_id"] = vocabulary[token if isinstance(token, str) else token["content"]]
    return ids


def _write_sentencepiece(twin: Twin, folder: Path) -> dict[str, int]:
    """Write tokenizer.model: BPE with byte fallback, digits apart, as Llama's and those modelled on it."""
    import sentencepiece

    model = io.BytesIO()
    usual: dict[str, Any] = {
        "model_type": "bpe",
        "byte_fallback": True,
        "split_digits": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "character_coverage": 0.98,
        "unk_id": 0,
        "bos_id": 1,
        "eos_id": 2,
        "pad_id": -1,
        "num_threads": 1,  # several make it differ from run to run
        "minloglevel": 2,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, vocab_size=twin.vocabulary, **(usual | twin.sentencepiece)
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    if twin.both_files:
        _write_converted(folder)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return {processor.IdToPiece(i): i for i in range(len(processor))}


def _write_converted(folder: Path) -> None:
    """Write tokenizer.json too: the same tokenizer, a space before the first word only."""
    from transformers import LlamaTokenizer

    tokenizer = LlamaTokenizer.from_pretrained(folder, legacy=False)
    write_text(folder / "tokenizer.json", tokenizer.backend_tokenizer.to_str())


def _write_bytelevel(twin: Twin, folder: Path) -> dict[str, int]:
    """Write tokenizer.json: byte-level BPE, as GPT-2's and those modelled on it."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if twin.digits else []
    steps += [pre_tokenizers.Split(Regex(twin.split), "isolated")] if twin.split else []
    steps += [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not twin.split)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=twin.vocabulary,
        special_tokens=twin.first,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in twin.special])
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in twin.added])
    if twin.begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{twin.begin} $A",
            pair=f"{twin.begin} $A {twin.begin} $B",
            special_tokens=[(twin.begin, tokenizer.token_to_id(twin.begin))],
        )
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    return tokenizer.get_vocab()
