"""`python -m tests.gpu.measure`: default recipes on a real card, held against their plans, in at most 12 minutes.

No network is needed: the models are random, of the shape of 1B and 7B ones, and the rows come along. Each way trains a
few steps through llamafactory-cli; memory and speed do not ask what the weights are. Prints a Markdown table and writes
it to runs/gpu-measured.md. `--tiny` goes the same way with tiny models, where there is no card.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from common.errors import UserError, run_cli
from common.files import write_json, write_text
from common.paths import MODELS
from common.subprocesses import call
from recipes.catalog.lookup import find_backbone
from recipes.catalog.machine import installed
from recipes.estimate.duration import tokens_a_second
from recipes.llamafactory.results import peak_vram
from recipes.prepare.prepare import ensure_prepared
from recipes.recipe import Recipe, make_recipe
from recipes.rehearsal.twins import make_twin
from tests.bench.training import train

MINUTES = 12
TASK, ROWS = "medical_en", "converters/examples/medical_en"
SHAPES = {
    "1b": {"num_hidden_layers": 16, "hidden_size": 2048, "intermediate_size": 8192, "num_key_value_heads": 8},
    "7b": {"num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 11008, "num_key_value_heads": 32},
}
TINY = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_key_value_heads": 4}
FEW = {"max_steps": 6, "eval_strategy": "no", "save_strategy": "no", "plot_loss": False, "template": "llama2"}
EXAMPLE = {
    "lora_rank": 8, "lora_alpha": 16, "cutoff_len": 2048, "per_device_train_batch_size": 1, "packing": False,
    "gradient_accumulation_steps": 8, "disable_gradient_checkpointing": False, "enable_liger_kernel": False,
}  # fmt: skip
"""What LLaMA-Factory's examples/train_lora sets, half precision as here."""
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("lora", {}),
    "with checkpointing": ("lora", {"disable_gradient_checkpointing": False}),
    "without": ("lora", {"disable_gradient_checkpointing": True, "per_device_train_batch_size": 1}),
    "QLoRA": ("qlora", {}),
    "LLaMA-Factory's example": ("lora", EXAMPLE),
}
"""Method and SET. The default packs rows, by torch's own fused attention unless flash-attn is installed."""


def make_model(name: str, sizes: dict[str, int]) -> str:
    """Make the folder of a random Llama with Llama 2's tokenizer, once; return it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = MODELS / f"random-{name}"
    if (folder / "whole").is_file():
        return folder.as_posix()
    make_twin(find_backbone("llama2-7b"), folder)
    config = AutoConfig.from_pretrained(folder)
    heads = 4 if sizes == TINY else 32
    config.update({**sizes, "num_attention_heads": heads, "vocab_size": 32000, "max_position_embeddings": 4096})
    config.head_dim = sizes["hidden_size"] // heads
    (folder / "model.safetensors").unlink()  # the twin's, which would win over several files of these
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    write_json(folder / "whole", sizes)
    return folder.as_posix()


def measured(recipe: Recipe) -> str:
    """Train and return a line of the table."""
    ensure_prepared(recipe.backbone, dtype=recipe.dtype, template="llama2")
    taken, settings = train(recipe, own_launch=True), recipe.settings
    peak = peak_vram(Path(recipe.folder) / "adapter") or taken.peak_gib
    assert recipe.memory
    assert recipe.backbone.shape
    expected, speed = recipe.memory.total, tokens_a_second(recipe.backbone.shape, settings, recipe.hardware)
    batch = f"{settings['per_device_train_batch_size']} x {settings['cutoff_len']}"
    return (
        f"| {batch} | {expected:.2f} | {peak:.2f} | {expected / peak - 1:+.0%} "
        f"| {speed:,.0f} | {taken.tokens / taken.seconds:,.0f} |"
    )


@click.command()
@click.option("--tiny", is_flag=True, help="Tiny models, on whatever is here.")
@click.option("--ways", default=",".join(WAYS), help="Which of them.")
def main(*, tiny: bool, ways: str) -> None:
    """Hold plans against short trainings on this machine."""
    began = time.monotonic()
    lines = [
        "| model | way | batch | expected GiB | measured | error | tokens/s expected | measured |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    if not Path("data", TASK, "card.json").is_file():
        call("converters", "convert", task=TASK, source=ROWS)
    for name, sizes in {"tiny": TINY}.items() if tiny else SHAPES.items():
        model = make_model(name, sizes)
        for way in ways.split(","):
            method, settings = WAYS[way]
            if method == "qlora" and not installed(("bitsandbytes",)):
                continue
            if time.monotonic() - began > 60 * (MINUTES - 2):
                lines.append(f"| {name} | {way} | no time was left | | | | | |")
                continue
            made = make_recipe(task=TASK, model=model, method=method, variant="measured")
            wanted = {**settings, **FEW, **({"cutoff_len": 256} if tiny else {})}
            try:
                line = measured(replace(made, overrides=wanted))
            except UserError as error:
                line = f"| {error.message.splitlines()[-1].strip()[:80]} | | | | | |"
            lines.append(f"| {name} | {way} {line}")
            print(lines[-1], flush=True)
    head = f"{made.hardware.title}, {time.strftime('%Y-%m-%d')}, {(time.monotonic() - began) / 60:.1f} minutes\n\n"
    write_text(Path("runs/gpu-measured.md"), head + "\n".join(lines) + "\n")
    click.echo(head + "\n".join(lines))


if __name__ == "__main__":
    run_cli(main)
