"""Twins: tiny random-weight models of a backbone's own kind, on which every command works as on the real one.

A twin has its backbone's architecture class, tokenizer kind, special tokens, chat format and file layout, so its
folder can stand under the backbone's own hub id on a stand-in hub. What it is made of stands in the backbone's
`twin:` entry (the fields of Twin) and, for the proportions, in its shape. Its tokenizer is trained on the text that
this repository holds.
"""

import io
import random
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from common.errors import UserError
from common.files import write_json, write_text
from common.overrides import as_set
from common.paths import MODELS, folder_name
from common.schema import Schema, build
from recipes.catalog.catalog import HERE, Backbone
from recipes.llamafactory.loading import model_class

CODE = Path(__file__).with_name("twin_code")
LAYERS, HEADS, HEAD_SIZE = 2, 4, 16
"""Newer CPUs bring to 4 bits only layers of a multiple of 64 inputs and 32 outputs."""
CONTEXT = 2048
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


def twin_of(backbone: Backbone) -> Twin:
    """Read the backbone's `twin:` entry."""
    if backbone.trust_remote_code and not backbone.twin:
        raise UserError(f"{backbone.name} has no twin: its code comes from the hub", "rehearse on another backbone")
    return build(Twin, backbone.twin, f"`twin:` of {backbone.name}", hint="see another's in recipes/backbones/")


def make_twin(backbone: Backbone, folder: Path | None = None, seed: int = 0) -> Path:
    """Make the twin's folder (whole, or not at all) and return it; equal seeds make equal files."""
    twin = twin_of(backbone)
    folder = folder or MODELS / "twins" / folder_name(backbone.name)
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


def settings_for(backbone: Backbone) -> dict[str, Any]:
    """Return the recipe keys that its backbone's entry would have set, for a twin that is named by its path."""
    keys = ("template", "default_system", "trust_remote_code")
    return {key: value for key in keys if (value := getattr(backbone, key))}


def training_command(backbone: Backbone, folder: Path) -> str:
    """Return the command that trains a twin by its path."""
    words = as_set(settings_for(backbone))
    command = f"make train TASK=medical_en SOURCE=converters/examples/medical_en MODEL={folder}"
    return command + (f' SET="{words}"' if words else "")


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

    made = io.BytesIO()
    usual: dict[str, Any] = {
        "model_type": "bpe", "byte_fallback": True, "split_digits": True, "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False, "character_coverage": 0.98, "unk_id": 0, "bos_id": 1, "eos_id": 2,
        "pad_id": -1, "minloglevel": 2,
        "num_threads": 1,  # several make it differ from run to run
    }  # fmt: skip
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=made, vocab_size=twin.vocabulary, **(usual | twin.sentencepiece)
    )
    (folder / "tokenizer.model").write_bytes(made.getvalue())
    if twin.both_files:  # the same tokenizer, a space before the first word only
        from transformers import LlamaTokenizer

        tokenizer = LlamaTokenizer.from_pretrained(folder, legacy=False)
        write_text(folder / "tokenizer.json", tokenizer.backend_tokenizer.to_str())
    processor = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    return {processor.IdToPiece(i): i for i in range(len(processor))}


def _write_bytelevel(twin: Twin, folder: Path) -> dict[str, int]:
    """Write tokenizer.json: byte-level BPE, as GPT-2's and those modelled on it."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if twin.digits else []
    steps += [pre_tokenizers.Split(Regex(twin.split), "isolated")] if twin.split else []
    steps += [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not twin.split)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=twin.vocabulary, special_tokens=twin.first, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in twin.special])
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in twin.added])
    if twin.begin:
        one, token = f"{twin.begin} $A", (twin.begin, tokenizer.token_to_id(twin.begin))
        tokenizer.post_processor = processors.TemplateProcessing(
            single=one, pair=f"{one} {twin.begin} $B", special_tokens=[token]
        )
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    return tokenizer.get_vocab()


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
    if "text_config" not in twin.config:
        return config | twin.config
    whole = {"tie_word_embeddings": config["tie_word_embeddings"]}  # a model that sees pictures too
    return {**twin.config, **whole, "text_config": config | twin.config["text_config"]}


def write_model(backbone: Backbone, twin: Twin, ids: dict[str, int], folder: Path, seed: int) -> None:
    """Write config.json, generation_config.json, the weights in bfloat16 and the code beside them, if any."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

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
    kind = model_class(config)
    model = kind.from_config(config, trust_remote_code=bool(twin.code)).to(torch.bfloat16)
    if kind is AutoModelForImageTextToText:
        _write_processor(backbone.architecture, config, folder)
    if not twin.code:
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
    write_json(folder / "generation_config.json", ids)
    _save(model, folder / twin.weights)


def _write_processor(kind: str, config: Any, folder: Path) -> None:
    """Write what LLaMA-Factory wants of a model that sees pictures: training on text, it shows an empty one."""
    from transformers.models.auto import image_processing_auto, processing_auto, video_processing_auto

    named: dict[str, Any] = {"processor_class": processing_auto.PROCESSOR_MAPPING_NAMES[kind]}
    images = image_processing_auto.IMAGE_PROCESSOR_MAPPING_NAMES[kind]["torchvision"]
    seen = config.vision_config.to_dict()
    named |= {name: seen[name] for name in ("patch_size", "temporal_patch_size") if name in seen}
    named |= {"merge_size": seen["spatial_merge_size"]} if "spatial_merge_size" in seen else {}
    heard = {"feature_extractor_type": "Gemma4AudioFeatureExtractor"} if getattr(config, "audio_config", None) else {}
    write_json(folder / "preprocessor_config.json", {**named, "image_processor_type": images, **heard})
    if videos := video_processing_auto.VIDEO_PROCESSOR_MAPPING_NAMES.get(kind):
        write_json(folder / "video_preprocessor_config.json", {**named, "video_processor_type": videos})
    merged = {"spatial_merge_size": config.spatial_merge_size} if hasattr(config, "spatial_merge_size") else {}
    write_json(folder / "processor_config.json", named | merged)


def _save(model: Any, path: Path) -> None:
    import torch
    from safetensors.torch import save_model

    if path.suffix == ".safetensors":
        save_model(model, str(path), metadata={"format": "pt"})
    else:
        torch.save(model.state_dict(), path)
