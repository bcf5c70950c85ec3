"""`python -m tests.bench.activations`: what a layer of each kind of model keeps for its backward pass, measured.

A small model of the real class runs forward with one layer and with two, as LLaMA-Factory trains it (adapters in
float32, autocast), and autograd is asked what it holds (saved_tensors_hooks). Its sizes are all different, so that
every tensor tells by its size what it is: the difference of the two, in bytes a token for each unit of hidden size,
feed-forward size, queries and keys, and of tokens x heads, is what recipes/estimate/activations.yaml holds.
"""

import contextlib
import itertools
from collections import Counter
from typing import Any
from unittest import mock

import click

TOKENS, VOCABULARY, RANK = 48, 97, 4
SIZE = {"hidden": 360, "mlp": 416, "query": 384, "key": 128}
HEADS, KEY_HEADS, HEAD = 12, 4, 32
WAYS = ("lora", "qlora", "full", "lora float32", "full float32", "lora half", "full half")
ATTENTIONS = ("fused", "masked", "eager")
"""Fused attention without a mask, fused attention under the mask of packed or padded rows, and none."""
MORE: dict[str, dict[str, Any]] = {
    "seed_oss": {"attention_dropout": 0.0},  # which is fused on a card, and not on a CPU
    "gemma4_text": {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "global_head_dim": HEAD},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 1, "moe_intermediate_size": SIZE["mlp"]},
}
"""What else a kind's configuration takes to be one layer like the next."""
WITH_ATTENTION = ("gemma4_text", "qwen3_5_text", "lfm2")
"""Kinds of several kinds of layers, of which the one with whole attention is measured."""
KINDS = (
    "llama", "mistral", "qwen2", "qwen3", "granite", "glm", "glm4", "phi3", "gemma2", "gemma3_text", "bloom",
    "ministral3", "ernie4_5", "hunyuan_v1_dense", "seed_oss", "gemma4_text", "qwen3_5_text", "lfm2", "qwen3_moe",
)  # fmt: skip


def config(kind: str, layers: int) -> Any:
    """Return a configuration of this kind (transformers' model_type)."""
    from transformers import AutoConfig

    tokens = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "bloom":  # has one size for all, and four times that in between
        return AutoConfig.for_model(kind, n_layer=layers, hidden_size=SIZE["query"], n_head=HEADS, **tokens)
    more = MORE.get(kind, {}) | ({"layer_types": ["full_attention"] * layers} if kind in WITH_ATTENTION else {})
    return AutoConfig.for_model(
        kind, num_hidden_layers=layers, hidden_size=SIZE["hidden"], intermediate_size=SIZE["mlp"],
        num_attention_heads=HEADS, num_key_value_heads=KEY_HEADS, head_dim=HEAD, **tokens, **more,
    )  # fmt: skip


def model_of(kind: str, layers: int, way: str, attention: str) -> Any:
    """Return the model as LLaMA-Factory trains it in this way."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    precision = torch.float32 if "float32" in way or way == "full" else torch.bfloat16
    attention = "eager" if attention == "eager" else "sdpa"
    model = AutoModelForCausalLM.from_config(config(kind, layers), dtype=precision, attn_implementation=attention)
    model.config.use_cache = False
    if way.startswith("full"):
        return model.train()
    if way == "qlora":
        _quantize(model)
    wanted = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_dropout=0.0, target_modules="all-linear")
    model = get_peft_model(model, wanted, autocast_adapter_dtype=False)
    for weight in model.parameters():
        if weight.requires_grad and way != "lora half":
            weight.data = weight.data.float()
    return model.train()


def _quantize(model: Any) -> None:
    """Put 4-bit layers in the place of the linear ones."""
    import bitsandbytes as bnb
    import torch

    for name, layer in list(model.named_modules()):
        if isinstance(layer, torch.nn.Linear) and "lm_head" not in name:
            four = bnb.nn.Linear4bit(
                layer.in_features, layer.out_features, layer.bias is not None, torch.bfloat16, quant_type="nf4"
            )
            four.load_state_dict(layer.state_dict())
            where, _, last = name.rpartition(".")
            setattr(model.get_submodule(where), last, four.requires_grad_(False).to("cpu"))
    model.is_loaded_in_4bit = True


def held(kind: str, layers: int, way: str, attention: str) -> Counter[int]:
    """Return what autograd holds after one forward pass: features a token -> bytes a token; weights are left out."""
    import torch

    torch.manual_seed(0)
    model = model_of(kind, layers, way, attention)
    weights = {weight.untyped_storage().data_ptr() for weight in itertools.chain(model.parameters(), model.buffers())}
    shapes = {tuple(sorted(weight.shape)) for weight in model.parameters()}
    found: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tuple(sorted(tensor.shape)) not in shapes:  # cast weights neither
            found[storage.data_ptr()] = (storage, tensor.element_size())
        return tensor

    mixed = way in ("lora", "qlora", "full")
    rows = {"inputs_embeds": model.get_input_embeddings()(torch.randint(3, VOCABULARY, (1, TOKENS))).detach()}
    if attention == "masked":
        shown = torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
        shown[-1, 0] = False
        empty = torch.finfo(torch.bfloat16).min
        rows["attention_mask"] = torch.where(shown, 0.0, empty)[None, None].to(rows["inputs_embeds"].dtype)
        if kind == "bloom":
            rows["attention_mask"] = torch.ones(1, TOKENS)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16) if mixed else contextlib.nullcontext(),
        # peft asks whether autocast is on for a card
        mock.patch("torch.is_autocast_enabled", return_value=mixed),
    ):
        rows["inputs_embeds"].requires_grad_()
        out = model(**rows).logits
    counted: Counter[int] = Counter()
    for storage, width in found.values():
        counted[round(storage.nbytes() / width / TOKENS)] += storage.nbytes() / TOKENS
    del out
    return counted


def layer(kind: str, way: str, attention: str) -> dict[str, float]:
    """Return the bytes a token that one layer keeps, by what they grow with."""
    more = held(kind, 2, way, attention)
    more.subtract(held(kind, 1, way, attention))
    size = {**SIZE, "scores": HEADS * TOKENS}
    if kind == "bloom":
        size |= {"hidden": SIZE["query"], "mlp": 4 * SIZE["query"], "query": 0, "key": 0}
    known = {count: {name: 1.0} for name, count in size.items() if count}
    known |= {2 * size["mlp"]: {"mlp": 2.0}, size["query"] + 2 * size["key"]: {"query": 1.0, "key": 2.0}}
    terms = dict.fromkeys(size, 0.0) | {"rest": 0.0}
    for features, taken in more.items():
        parts = known.get(features, {"rest": float(features)})
        for name, times in parts.items():
            terms[name] += taken * times / features if features else 0.0
    return {name: round(value, 1) for name, value in terms.items()}


@click.command()
@click.option("--kinds", default=",".join(KINDS), help="transformers' model types.")
@click.option("--ways", default=",".join(WAYS))
@click.option("--attentions", default=",".join(ATTENTIONS))
def main(kinds: str, ways: str, attentions: str) -> None:
    """Print the table as YAML."""
    for kind in kinds.split(","):
        print(f"{kind}:", flush=True)
        for way, attention in itertools.product(ways.split(","), attentions.split(",")):
            with contextlib.suppress(ValueError):  # no fused attention for this kind
                print(f"  {way}, {attention}: {layer(kind, way, attention)}", flush=True)


if __name__ == "__main__":
    main()
