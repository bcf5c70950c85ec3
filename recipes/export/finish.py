"""`python -m recipes.export.finish RUN/export.yaml BASE [REVISION]`: complete what LLaMA-Factory exported, and try it.

transformers 5 saves a sentencepiece tokenizer without its scores. It needs none itself, but what else reads the
folder (llama.cpp, Ollama) then cuts text into other tokens than the model was trained on, and says nothing. So
tokenizer.model is put beside it, and what transformers 4 wrote into tokenizer_config.json; then the Modelfile.
transformers 4 (and what is built on it, vLLM among others) finds no rope_theta in what transformers 5 writes, takes
the default of 10,000 without a word, and does not load the tokenizer at all. So its names stand beside the new ones.
A process of its own, so that its memory is free again.
"""

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from common.errors import UserError, run_cli
from common.files import read_json, write_json, write_text
from common.hub import Repository, snapshot
from common.yaml_files import read_yaml
from recipes.export.modelfile import modelfile
from recipes.llamafactory.chat_format import ChatFormat, format_of
from recipes.llamafactory.loading import from_modelscope, model_class
from recipes.prepare.probe import TEXTS

PROMPT = "Hello! / 你好！"
TOKENS = 16
"""What it may answer."""


def complete(settings: dict[str, Any], base: str, revision: str) -> None:
    """Complete the folder that these settings (an export.yaml) exported a model on `base` into."""
    export = Path(settings["export_dir"])
    tokenizer = load_tokenizer(export)
    before = _encoded(tokenizer)
    form = format_of(settings, tokenizer)
    kept = (export / "tokenizer_config.json").read_bytes()
    config = tokenizer_as_of_4(read_json(export / "tokenizer_config.json"))
    config["add_bos_token"] = adds_first(tokenizer)
    if is_sentencepiece(export) and (model := sentencepiece_file(base, revision)):
        shutil.copyfile(model, export / "tokenizer.model")
        config["added_tokens_decoder"] = {
            str(number): {key: getattr(token, key) for key in _TOKEN}
            for number, token in sorted(tokenizer.added_tokens_decoder.items())
        }
    if asking := as_trained(tokenizer, form.thought):
        write_text(export / "chat_template.jinja", asking)
        config.pop("chat_template", None)
    write_json(export / "tokenizer_config.json", config)
    if _encoded(load_tokenizer(export)) != before:
        (export / "tokenizer_config.json").write_bytes(kept)
        (export / "tokenizer.model").unlink(missing_ok=True)
    _name_positions(export / "config.json")
    write_text(export / "Modelfile", modelfile_of(export, tokenizer, form, "."))


def as_trained(tokenizer: Any, thought: str) -> str:
    """Return a chat template that asks as the model was trained, behind an empty thought; "" where its own does.

    DeepSeek-R1's opens a thought, Qwen3's leaves that to the model; `enable_thinking` still says otherwise.
    """
    if not (thought and tokenizer.chat_template):
        return ""

    def asked(**options: bool) -> str:
        messages = [{"role": "user", "content": PROMPT}]
        return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **options))

    begun = next(length for length in range(len(thought), -1, -1) if asked().endswith(thought[:length]))
    if begun == len(thought):
        return ""
    rest = json.dumps(thought[begun:], ensure_ascii=False)
    switched = asked(enable_thinking=False).endswith(thought)  # it knows the switch
    off = "enable_thinking is not defined" if switched else "not enable_thinking"
    return f"{tokenizer.chat_template}{{% if add_generation_prompt and {off} %}}{{{{ {rest} }}}}{{% endif %}}"


def tokenizer_as_of_4(config: dict[str, Any]) -> dict[str, Any]:
    """Return a tokenizer's configuration with the names that transformers 4 knows. Pure."""
    if isinstance(config.get("extra_special_tokens"), list):
        config = {**config, "additional_special_tokens": config["extra_special_tokens"]}
        del config["extra_special_tokens"]
    if config.get("tokenizer_class") == "TokenizersBackend":
        config = {**config, "tokenizer_class": "PreTrainedTokenizerFast"}
    return config


def _name_positions(path: Path) -> None:
    """Put transformers 4's names of the rotary positions beside those of 5, where that changes nothing for 5."""
    from transformers import AutoConfig

    before = AutoConfig.from_pretrained(path.parent, trust_remote_code=True).to_dict()
    kept = path.read_bytes()
    write_json(path, positions_as_of_4(read_json(path)))
    if AutoConfig.from_pretrained(path.parent, trust_remote_code=True).to_dict() != before:
        path.write_bytes(kept)


def positions_as_of_4(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with rope_theta, rope_scaling and Gemma 3's rope_local_base_freq beside rope_parameters. Pure."""
    positions = config.get("rope_parameters")
    if not isinstance(positions, dict):
        return config
    whole, local = positions.get("full_attention", positions), positions.get("sliding_attention")
    named = {"rope_theta": whole.get("rope_theta")}
    if whole.get("rope_type", "default") != "default":
        named["rope_scaling"] = {key: value for key, value in whole.items() if key != "rope_theta"}
    if local:
        named["rope_local_base_freq"] = local.get("rope_theta")
    return {**config, **{key: value for key, value in named.items() if value is not None}}


_TOKEN = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")


def load_tokenizer(folder: Path) -> Any:
    """Load an exported tokenizer, its own code included (the user has let it run in training)."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


def _encoded(tokenizer: Any) -> list[list[int]]:
    texts = [*TEXTS, *tokenizer.all_special_tokens, *(f"a{token} b" for token in tokenizer.all_special_tokens)]
    return [tokenizer.encode(text, add_special_tokens=special) for text in texts for special in (True, False)]


def adds_first(tokenizer: Any) -> bool:
    """Tell whether the tokenizer puts its begin token before every text."""
    return tokenizer.bos_token_id is not None and tokenizer.encode("")[:1] == [tokenizer.bos_token_id]


def is_sentencepiece(folder: Path) -> bool:
    """Tell whether a folder's tokenizer.json was made of a sentencepiece model: merges with bytes to fall back on."""
    path = folder / "tokenizer.json"
    return path.is_file() and bool(read_json(path)["model"].get("byte_fallback"))


def sentencepiece_file(base: str, revision: str) -> Path | None:
    """Return the backbone's tokenizer.model, None where it has none."""
    folder = base if Path(base).is_dir() else from_modelscope(base, revision)
    with suppress(UserError, OSError):
        path = Path(folder) / "tokenizer.model" if folder else Repository(base).download("tokenizer.model", revision)
        return path if path.is_file() else None
    return None


def modelfile_of(export: Path, tokenizer: Any, form: ChatFormat, source: str) -> str:
    """Return the Modelfile of an exported model whose weights Ollama takes from `source`."""
    context = read_json(export / "config.json").get("max_position_embeddings", 0)
    return modelfile(form, source, adds_first(tokenizer), context)


def has_learnt(adapter: Path) -> bool:
    """Tell whether an adapter changes anything: what it adds begins at zero, and is so after a step at rate zero."""
    added = [read() for name, read in _tensors(adapter).items() if "lora_B" in name or "oft" in name]
    return not added or any(tensor.any() for tensor in added)


AROUND = ("model", "language_model")
"""Parts of a tensor's name that say only what its model stands in."""


def is_its_base(export: Path, base: Path) -> bool:
    """Tell whether the weights of both folders are the same, as when merging an adapter did nothing, silently."""
    import torch

    ours, theirs = _tensors(export), _tensors(base)
    both = sorted(ours.keys() & theirs.keys())
    return bool(both) and all(torch.equal(made := ours[name](), theirs[name]().to(made.dtype)) for name in both)


def _tensors(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return how each tensor of a folder is read, by its name without the models around it.

    Of a model that sees pictures transformers writes them otherwise than it reads them (language_model.model.layers).
    """
    import torch
    from safetensors import safe_open

    found: dict[str, Callable[[], Any]] = {}
    for path in folder.glob("*.safetensors"):
        file: Any = safe_open(path, "pt")
        found |= {name: partial(file.get_tensor, name) for name in file.keys()}  # noqa: SIM118
    for path in [] if found else filter(is_zipfile, folder.glob("pytorch_model*.bin")):  # older ones are left out
        weights = torch.load(path, mmap=True, weights_only=True)
        found |= {name: partial(weights.get, name) for name in weights}
    return {".".join(part for part in name.split(".") if part not in AROUND): read for name, read in found.items()}


def problem_with(folder: str) -> str:
    """Load a model as any program would and let it answer once; return what is wrong with it, "" when it generates.

    Wrong are logits that are infinite or not numbers, and an answer without a word.
    """
    import torch
    from transformers import AutoConfig

    tokenizer = load_tokenizer(Path(folder))
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    model = model_class(config).from_pretrained(folder, trust_remote_code=True, dtype="auto").eval()
    asked: Any = [{"role": "user", "content": PROMPT}] if tokenizer.chat_template else PROMPT
    encode: Any = tokenizer.apply_chat_template if tokenizer.chat_template else tokenizer
    options = {"add_generation_prompt": True, "return_dict": True} if tokenizer.chat_template else {}
    ids = encode(asked, return_tensors="pt", **options)["input_ids"]
    with torch.inference_mode():
        logits = model(input_ids=ids).logits
        if not torch.isfinite(logits).all():
            return "its logits are not finite numbers"
        answer = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False)
    new = answer[0][ids.shape[1] :]
    print(f"answers {tokenizer.decode(new)!r} to {PROMPT!r}")
    return "" if len(new) else "it generates nothing"


def finish(path: str, base: str, revision: str = "main") -> None:
    """Complete the export that a YAML file describes, then let its model answer once."""
    settings = read_yaml(Path(path))
    complete(settings, base, revision)
    here, adapter = Path(base) if Path(base).is_dir() else snapshot(base), settings.get("adapter_name_or_path")
    if here and adapter and has_learnt(Path(adapter)) and is_its_base(Path(settings["export_dir"]), here):
        merged = f"the weights in {settings['export_dir']} are those of {base}: {adapter} was not merged into them"
        raise UserError(merged, "export again; if it stays so, the adapter was trained on another model")
    if problem := problem_with(settings["export_dir"]):
        raise UserError(f"the model in {settings['export_dir']} {problem}", "export again, or train at a smaller rate")


if __name__ == "__main__":
    run_cli(lambda: finish(*sys.argv[1:]))
