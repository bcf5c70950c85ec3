"""Held-out loss: how surprised the base and the tuned model are by the test rows' answers, row by row.

LLaMA-Factory encodes the rows and loads the models, exactly as in training. Its own evaluation gives one mean over
batches; keeping each row's loss gives a token-weighted mean, a perplexity, and an interval for the difference.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from common import tracking
from common.errors import UserError
from common.files import sha256_of
from common.paired_loss import change_told, paired_difference
from common.process import only_one
from common.progress import Progress
from common.run_files import HeldOut, Interval, Loss, read_heldout, read_manifest, write
from recipes.catalog.datasets import is_own
from recipes.llamafactory.loading import load
from recipes.manifest import data_identity
from recipes.prepare.prepare import ensure_prepared, is_prepared
from recipes.recipe import FORMAT_KEYS, Recipe

BATCH = 4
LOGITS = 2**28
"""Most entries (tokens x vocabulary) of one batch, 10 bytes each: 2.5 GiB beside the weights, which a T4 has."""

RowLoss = tuple[float, int]
"""Summed negative log-likelihood (nats) of one row's answer tokens, and how many they are."""


def measure(recipe: Recipe, split: str = "test") -> HeldOut:
    """Measure both models on a split, write heldout.json and return it; do nothing when it is there for this run."""
    folder = Path(recipe.folder)
    path = folder / "heldout.json"
    if not (folder / "adapter" / "all_results.json").is_file():
        raise UserError(f"{folder} has not been trained yet", recipe.command("train"))
    files, trained = data_identity(recipe.task)["files"], read_manifest(folder)["identity"]
    if not files.get(split, {}).get("rows"):
        how = f"make convert TASK={recipe.task} with more rows"
        raise UserError(
            f"{recipe.task} has no {split} rows", "only a task's rows are split" if is_own(recipe.task) else how
        )
    trained_on = sha256_of([trained, files[split]])
    known = read_heldout(folder)
    if known and (known["identity"], known["split"]) == (trained_on, split):
        print(f"measured already: {path}")
        return known
    if not is_prepared(recipe.backbone, recipe.dtype):  # trained on another machine, or in another precision
        ensure_prepared(recipe.backbone, recipe.settings.get("template") or "", recipe.dtype)
    with only_one(folder):
        began = time.monotonic()
        losses = {}
        for who in ("base", "tuned"):
            progress, log = Progress(f"{who} model on {split} rows", 0), folder / "logs" / f"heldout-{who}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            # what LLaMA-Factory prints meanwhile goes to the log
            with progress, log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
                losses[who] = row_losses(arguments_of(recipe, who, split, trained["settings"]), progress)
        result: HeldOut = {
            "split": split,
            "unit": "nats a token of the answers, weighted by tokens",
            **summarise(losses["base"], losses["tuned"]),
            "seconds": round(time.monotonic() - began, 1),
            "identity": trained_on,
        }
        write(path, result)
    measured = {who: result[who]["loss"] for who in ("base", "tuned")}
    tracking.add(folder, {f"held_out/{who}": loss for who, loss in measured.items()})
    print(sentence(result))
    return result


def summarise(base: list[RowLoss], tuned: list[RowLoss]) -> HeldOut:
    """Return loss and perplexity of both, their paired difference with its interval, and each row's summed loss."""
    tokens = [count for _, count in base]
    if tokens != [count for _, count in tuned]:
        raise ValueError("base and tuned were not measured on the same tokens")
    before, after = [loss for loss, _ in base], [loss for loss, _ in tuned]
    change = paired_difference(before, after, tokens)

    def summary(losses: list[float]) -> Loss:
        loss = sum(losses) / sum(tokens)
        return {"loss": loss, "perplexity": math.exp(loss)}

    return {
        "rows": len(tokens),
        "tokens": sum(tokens),
        "base": summary(before),
        "tuned": summary(after),
        "difference": Interval(mean=change["mean"], low=change["low"], high=change["high"]),
        "rows_better": sum(a < b for a, b in zip(after, before, strict=True)),
        "row_losses": {"tokens": tokens, "base": before, "tuned": after},
    }


VERDICTS = {
    "lower": "the tuned model is better", "higher": "the tuned model is worse", "open": "no difference can be told",
}  # fmt: skip


def sentence(result: HeldOut) -> str:
    """Say in one sentence what was found."""
    change = result["difference"]
    verdict = VERDICTS[change_told(change)]
    return (
        f"held-out loss on {result['rows']} {result['split']} rows: {result['base']['loss']:.3f} before, "
        f"{result['tuned']['loss']:.3f} after; difference {change['mean']:+.3f} "
        f"[{change['low']:+.3f}, {change['high']:+.3f}]: {verdict}"
    )


def arguments_of(recipe: Recipe, who: str, split: str, trained: Mapping[str, Any]) -> dict[str, Any]:
    """Return LLaMA-Factory arguments that load one of the models and encode the split as in training.

    `trained` holds the settings of the training; what is this machine's affair comes from the recipe.
    """
    adapter = {key: choice.value for key, choice in recipe.tuned_choices().items()} if who == "tuned" else {}
    return {
        **{key: value for key, value in recipe.settings.items() if key in _OF_THIS_MACHINE},
        **{key: value for key, value in trained.items() if key in _OF_TRAINING or key.startswith(_OF_THE_MODEL)},
        **({"model_name_or_path": recipe.loaded_path} if trained["model_name_or_path"] == recipe.model_path else {}),
        **adapter,
        "stage": "sft",
        "do_train": False,
        "do_eval": True,
        "eval_dataset": f"{recipe.task}_{split}",
        "output_dir": f"{recipe.folder}/heldout",
        "report_to": "none",
    }


_OF_TRAINING = (*FORMAT_KEYS, "cutoff_len", "finetuning_type")
_OF_THE_MODEL = ("model_", "quantization", "double_quantization")
_OF_THIS_MACHINE = ("flash_attn", "dataset_dir", "overwrite_cache", "use_cpu", "bf16", "fp16")


def row_losses(arguments: dict[str, Any], progress: Progress) -> list[RowLoss]:
    """Return the loss of each row that the arguments name, by the model that they load."""
    import torch

    rows, model = load(arguments)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]["input_ids"]))
    losses: dict[int, RowLoss] = {}
    with torch.inference_mode():
        for part in batches(order, [len(row["input_ids"]) for row in rows], model.config.get_text_config().vocab_size):
            losses |= dict(zip(part, _batch_losses(model, [rows[i] for i in part]), strict=True))
            progress.total = len(rows)
            progress.step(len(part))
    return [losses[i] for i in range(len(rows))]


def batches(order: list[int], lengths: list[int], vocabulary: int) -> Iterator[list[int]]:
    """Cut rows, the shortest first, into batches whose padded logits stay below LOGITS; a long row is alone."""
    part: list[int] = []
    for i in order:
        if part and (len(part) == BATCH or (len(part) + 1) * lengths[i] * vocabulary > LOGITS):
            yield part
            part = []
        part.append(i)
    if part:
        yield part


def _batch_losses(model: Any, rows: list[dict[str, list[int]]]) -> list[RowLoss]:
    """Return each row's loss over its labelled tokens; padding is on the right and masked out."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def padded(lists: Iterable[list[int]], fill: int) -> torch.Tensor:
        return pad_sequence([torch.tensor(one) for one in lists], batch_first=True, padding_value=fill).to(model.device)

    tokens = padded((row["input_ids"] for row in rows), 0)
    mask = padded(([1] * len(row["input_ids"]) for row in rows), 0)
    logits = model(input_ids=tokens, attention_mask=mask).logits[:, :-1].float()
    labels = padded((row["labels"] for row in rows), -100)[:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="none")
    counts = (labels != -100).sum(dim=1)
    return [(float(loss), int(count)) for loss, count in zip(losses.sum(dim=1), counts, strict=True)]
