"""`python -m tests.bench.training`: our default recipe against plain settings: speed, memory, held-out loss.

Both train the same rows of the same model through llamafactory-cli, one after the other. Ours keeps a checkpoint now
and then; each is measured on the test rows as recipes/heldout.py does, and compared with what the plain settings
reached at their end.
"""

import platform
import shutil
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from common.errors import UserError, run_cli
from common.files import read_json, write_json, write_text
from common.process import run_logged, tail, tool
from common.progress import Progress
from common.versions import versions
from recipes.__main__ import options
from recipes.heldout import RowLoss, arguments_of, row_losses
from recipes.llamafactory.launch import environment
from recipes.llamafactory.loading import load
from recipes.prepare.prepare import ensure_prepared
from recipes.recipe import Recipe, make_recipe
from recipes.render import render_all

PEAK = Path(__file__).with_name("peak.py")
PLAIN: dict[str, Any] = {
    "packing": False,
    "train_sampling_strategy": "random",
    "cutoff_len": 2048,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "disable_gradient_checkpointing": False,
    "bf16": False,
    "fp16": False,
    "enable_liger_kernel": False,
}
"""What one gets without thinking: LLaMA-Factory's LoRA example at eight rows a step, without mixed precision.

The example's learning rate (1e-4) is left out: a small model barely moves at it, and ours would win by that alone.
"""


@dataclass(frozen=True)
class Measured:
    """What one training took."""

    steps: int
    seconds: float
    """Of training alone: without imports, encoding and loading."""
    cpu_seconds: float
    """Processor time of the whole process."""
    tokens: int
    """Computed, padding counted."""
    peak_gib: float

    def speed(self, real_tokens: float) -> float:
        """Return the tokens trained on in a second, padding not counted."""
        return real_tokens / self.seconds


def variants(recipe: Recipe, epochs: float, points: int) -> dict[str, Recipe]:
    """Return the two recipes: ours with checkpoints for the curve, and the plain one."""
    length = {"num_train_epochs": epochs, "eval_strategy": "no"}
    ours = replace(recipe, variant="bench-ours", overrides={**recipe.overrides, **length})
    every = max(1, steps_of(ours) // points)
    ours = replace(ours, overrides={**ours.overrides, "save_steps": every, "save_total_limit": points + 2})
    plain = {**PLAIN, **length, "save_strategy": "no"}
    return {"ours": ours, "plain": replace(recipe, variant="bench-plain", overrides={**recipe.overrides, **plain})}


def steps_of(recipe: Recipe) -> int:
    """Return the optimizer steps of a recipe, as its own reason states them for an epoch."""
    from recipes.choices.batch import sequences_of

    settings = recipe.settings
    together = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
    return max(1, int(sequences_of(settings, recipe.data) / together * settings["num_train_epochs"]))


def train(recipe: Recipe, own_launch: bool) -> Measured:
    """Train one recipe from the beginning and return what it took."""
    folder = Path(recipe.folder)
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in render_all(recipe).items():
        write_text(folder / name, text)
    log, taken = folder / "logs" / "train.log", folder / "peak.json"
    command = [sys.executable, "-P", str(PEAK), str(taken), tool("llamafactory-cli"), "train", f"{folder}/recipe.yaml"]
    variables = environment(recipe.hardware, recipe.settings, {}) if own_launch else {}
    with Progress(f"training {recipe.variant}", 0) as progress:
        code = run_logged(command, log, lambda _: progress.show(), {"RECORD_VRAM": "1", **variables})
    if code:
        raise UserError(f"llamafactory-cli train ended with code {code}; the end of {log}:\n{tail(log)}", f"see {log}")
    results, process = read_json(folder / "adapter" / "all_results.json"), read_json(taken)
    state = read_json(folder / "adapter" / "trainer_state.json")
    return Measured(
        steps=state["global_step"],
        seconds=results["train_runtime"],
        cpu_seconds=process["cpu_seconds"],
        tokens=results["num_input_tokens_seen"],
        peak_gib=process["peak_gib"],
    )


def loss_of(losses: list[RowLoss]) -> float:
    """Return the loss a token."""
    return sum(value for value, _ in losses) / sum(tokens for _, tokens in losses)


def held_out(recipe: Recipe, adapter: Path | None) -> float:
    """Measure the loss on the test rows, of the base or with an adapter."""
    arguments = arguments_of(recipe, "base" if adapter is None else "tuned", "test", recipe.settings)
    if adapter is not None:
        arguments["adapter_name_or_path"] = str(adapter)
    title = f"held-out loss of {recipe.variant if adapter else 'the base'} {adapter.name if adapter else ''}"
    with Progress(title.strip(), 0, sys.__stderr__) as progress:
        return loss_of(row_losses(arguments, progress))


def curve(recipe: Recipe, measured: Measured, enough: float) -> list[tuple[float, float]]:
    """Return (seconds, held-out loss) of ours, checkpoint by checkpoint, until one is good enough."""
    folder = Path(recipe.folder) / "adapter"
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    points = []
    for path in found:
        seconds = measured.seconds * int(path.name.rpartition("-")[2]) / measured.steps
        points.append((seconds, held_out(recipe, path)))
        if points[-1][1] <= enough:
            break
    return points


def seconds_to(points: list[tuple[float, float]], loss: float, start: float) -> float | None:
    """Return when the curve, which begins at (0, start), first reaches `loss`; None when it never does."""
    before = (0.0, start)
    for point in points:
        if point[1] <= loss:
            share = (before[1] - loss) / (before[1] - point[1]) if before[1] != point[1] else 1.0
            return before[0] + max(0.0, share) * (point[0] - before[0])
        before = point
    return None


def real_tokens(recipe: Recipe) -> int:
    """Count the tokens of the training rows as encoded, padding left out."""
    encoded = arguments_of(recipe, "base", "test", recipe.settings)
    settings = {**encoded, "dataset": recipe.task, "do_train": True, "packing": False}
    rows, _ = load({**settings, "output_dir": f"{recipe.folder}/count"}, "train_dataset", with_model=False)
    return sum(len(row["input_ids"]) for row in rows)


def run_bench(recipe: Recipe, epochs: float, points: int) -> dict[str, Any]:
    """Measure both, write runs/<task>/<model>/bench.json and return it."""
    ensure_prepared(recipe.backbone, dtype=recipe.dtype)
    both = variants(recipe, epochs, points)
    measured = {name: train(each, own_launch=name == "ours") for name, each in both.items()}
    log = Path(both["ours"].folder) / "logs" / "measuring.log"
    # one file for all of it: LLaMA-Factory's logger keeps the stream that it found first
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        # each by its own cutoff: a longer one trains on more of the longest rows
        tokens = {name: real_tokens(each) * epochs for name, each in both.items()}
        base = held_out(both["ours"], None)
        plain = held_out(both["plain"], Path(both["plain"].folder) / "adapter")
        points_found = curve(both["ours"], measured["ours"], plain)
        final = held_out(both["ours"], Path(both["ours"].folder) / "adapter")
    reached = seconds_to(points_found, plain, base)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{recipe.hardware.title}, {platform.machine()}, {recipe.hardware.cores or '?'} CPU cores",
        "model": recipe.backbone.name,
        "rows": recipe.data.rows,
        "epochs": epochs,
        "loss": {"base": base, "plain": plain, "ours": final},
        "plain": _row(measured["plain"], tokens["plain"]),
        "ours": _row(measured["ours"], tokens["ours"]),
        "seconds_to_the_plain_loss": {"plain": measured["plain"].seconds, "ours": reached},
        "faster": measured["plain"].seconds / reached if reached else None,
        "curve": points_found,
        "versions": versions("llamafactory", "transformers", "torch", "peft"),
    }
    write_json(Path(recipe.folder).parent / "bench.json", result)
    return result


def _row(measured: Measured, tokens: float) -> dict[str, float]:
    return {
        "steps": measured.steps,
        "seconds": measured.seconds,
        "cpu_seconds": measured.cpu_seconds,
        "tokens_a_second": measured.speed(tokens),
        "padding": 1 - tokens / measured.tokens,
        "peak_gib": measured.peak_gib,
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as the table of docs/performance.md."""
    lines = [
        f"{result['model']}, {result['rows']} rows, {result['epochs']:g} epochs, {result['machine']}, {result['date']}",
        "| | plain settings | default recipe |",
        "|---|---|---|",
    ]
    rows = [
        ("optimizer steps", "steps", "{:.0f}"),
        ("seconds of training", "seconds", "{:.0f}"),
        ("processor seconds, start-up counted", "cpu_seconds", "{:.0f}"),
        ("tokens a second, padding not counted", "tokens_a_second", "{:.0f}"),
        ("padding", "padding", "{:.1%}"),
        ("peak memory of the process, GiB", "peak_gib", "{:.2f}"),
    ]
    lines += [f"| {title} | {f.format(result['plain'][k])} | {f.format(result['ours'][k])} |" for title, k, f in rows]
    loss, reach = result["loss"], result["seconds_to_the_plain_loss"]
    lines.append(f"| held-out loss (base {loss['base']:.3f}) | {loss['plain']:.3f} | {loss['ours']:.3f} |")
    ours = f"{reach['ours']:.0f}" if reach["ours"] else "not reached"
    lines.append(f"| seconds to a held-out loss of {loss['plain']:.3f} | {reach['plain']:.0f} | {ours} |")
    if result["faster"]:
        lines.append(f"\n{result['faster']:.1f} times faster to the same held-out loss.")
    return "\n".join(lines)


@click.command()
@options("run", "recipe")
@click.option("--epochs", default=1.0, show_default=True, help="Passes over the rows, for both.")
@click.option("--points", default=6, show_default=True, help="Checkpoints of ours that are measured.")
def main(epochs: float, points: int, **names: str) -> None:
    """Measure the default recipe against plain settings: speed, memory, seconds to the same held-out loss."""
    names["model"] = names["model"] or "smollm2-135m"
    names["task"] = names["task"] or "medical_en"
    click.echo(table(run_bench(make_recipe(**names), epochs, points)))


if __name__ == "__main__":
    run_cli(main)
