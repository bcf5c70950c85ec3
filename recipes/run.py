"""Training and exporting one run: LLaMA-Factory does it, this starts it, watches it, and keeps what it was made of.

`manifest.json` in the run's folder says what the run is of and how far it is. It is rewritten after each step, so
that a step that ended is never done again and one that was broken off is resumed.
"""

import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from common.errors import UserError
from common.files import read_json, sha256_of, write_json, write_text
from common.paths import data_folder
from common.process import free_port, last_line, only_one, run_logged, tail, tool
from common.progress import Progress
from common.versions import versions
from recipes import webui
from recipes.catalog.datasets import card_of
from recipes.catalog.machine import ram_gb
from recipes.choices.sharding import environment
from recipes.llamafactory.training_log import TrainingProgress
from recipes.preflight.checks import expected_memory, expected_seconds
from recipes.preflight.expected import cannot_merge, in_four_bits
from recipes.preflight.surroundings import weights_on_disk
from recipes.prepare.prepare import ensure_prepared
from recipes.render import Recipe, render_all

PACKAGES = ("llamafactory", "transformers", "torch", "peft", "trl", "accelerate", "datasets", "bitsandbytes")
NOT_IDENTITY = (
    "preprocessing_num_workers",
    "dataloader_num_workers",
    "overwrite_output_dir",
    "save_total_limit",
    "disable_gradient_checkpointing",
    "use_unsloth_gc",
    "logging_steps",
    "report_to",
    "run_name",
)
"""Keys that change how a run is done but not what comes out."""


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return a run's manifest, empty when there is none."""
    path = folder / "manifest.json"
    return read_json(path) if path.is_file() else {}


def data_identity(task: str) -> dict[str, Any]:
    """Return where a task's rows came from, and the hashes of its files."""
    card = card_of(task)
    if not card:
        raise UserError(f"there are no converted rows of {task} in {data_folder(task)}", f"make convert TASK={task}")
    return {"source": card["source"], "files": card["files"]}


def identity(recipe: Recipe) -> dict[str, Any]:
    """Return what decides the trained weights: settings and data. Equal identities are the same run."""
    settings = {key: value for key, value in recipe.settings.items() if key not in NOT_IDENTITY}
    hashes = {
        name: entry["sha256"] for name, entry in data_identity(recipe.task)["files"].items() if name != "rejected"
    }
    return {"settings": settings, "data": hashes, "prepared": sha256_of(recipe.backbone.prepare)}


def write_run(recipe: Recipe, force: bool = False) -> Path:
    """Write the run's YAML files and its manifest; refuse a folder that holds another run, unless `force`."""
    folder = Path(recipe.folder)
    known, wanted = manifest_of(folder), identity(recipe)
    if known and known["identity"] != wanted:
        changed = ", ".join(_differences(known["identity"], wanted))
        if not force and known["steps"]:
            raise UserError(
                f"{folder} holds a run of another recipe; changed: {changed}",
                f"keep both with VARIANT=name, or replace it with FORCE=1 (then {folder} is emptied)",
            )
        print(f"replacing the run in {folder} (changed: {changed})")
        _empty(folder)
        known = {}
    for name, text in render_all(recipe).items():
        write_text(folder / name, text)
    webui.offer(recipe)
    manifest = known or {
        "task": recipe.task,
        "model": recipe.backbone.name,
        "method": recipe.method.name,
        "variant": recipe.variant,
        "command": recipe.command("run"),
        "hardware": recipe.hardware.title,
        "status": "rendered",
        "identity": wanted,
        "data": data_identity(recipe.task),
        "expected": _expected(recipe),
        "steps": {},
        "versions": versions(*PACKAGES),
    }
    write_json(folder / "manifest.json", manifest)
    return folder


def _expected(recipe: Recipe) -> dict[str, Any]:
    """Return what the plan expects of the run, to be held against what it then took."""
    memory = expected_memory(recipe)
    return {
        "memory_gib": round(memory.total, 2) if memory else None,
        "memory_parts_gib": {name: round(gib, 2) for name, gib in memory.parts.items()} if memory else {},
        "seconds": round(expected_seconds(recipe)),
    }


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found = []
    for key in sorted(before["settings"].keys() | after["settings"].keys()):
        old, new = before["settings"].get(key, "unset"), after["settings"].get(key, "unset")
        if old != new:
            found.append(f"{key} ({old} -> {new})")
    found += ["the rows"] if before["data"] != after["data"] else []
    found += ["the prepared model"] if before["prepared"] != after["prepared"] else []
    return found


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == ".lock":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def train(recipe: Recipe, force: bool = False) -> None:
    """Train, or go on from the last checkpoint, or do nothing when this very run is trained already."""
    folder = Path(recipe.folder)
    with only_one(folder):
        write_run(recipe, force)
        if _is_done(folder, "train"):
            print(f"trained already: {folder}/adapter")
            return
        ensure_prepared(recipe.backbone, recipe.settings.get("template") or "")
        _drop_broken_checkpoints(folder / "adapter")
        progress = TrainingProgress(folder / "adapter")
        variables = environment(recipe.hardware, recipe.settings, os.environ)
        # Not left to LLaMA-Factory, which takes a MASTER_PORT that is set but empty at its word.
        variables.setdefault("MASTER_PORT", str(free_port()))
        seconds = _llamafactory(folder, "train", "recipe.yaml", progress.update, variables)
        progress.finish()
        if variables.get("NODE_RANK", "0") != "0":
            print("this machine has done its part; the first one (NODE_RANK=0) holds what was trained")
            return
        results = read_json(folder / "adapter" / "all_results.json")
        _finish(folder, "train", seconds, {"results": results, **_peaks(recipe, folder / "adapter")})
        print(f"trained: {folder}/adapter (loss {results['train_loss']:.3f}, {seconds:.0f} s)")


def export(recipe: Recipe) -> None:
    """Merge the adapter into its backbone and see that the model speaks, or do nothing when that is done already."""
    folder = Path(recipe.folder)
    with only_one(folder):
        if not _is_done(folder, "train"):
            raise UserError(f"{folder} has not been trained yet", recipe.command("train"))
        if _is_done(folder, "export"):
            print(f"exported already: {folder}/export")
            return
        if why := too_big_to_merge(recipe):
            raise UserError(f"not exported: {why}", _without_export(recipe))
        for name in ("export", "gguf"):
            shutil.rmtree(folder / name, ignore_errors=True)
        with Progress("exporting", 0) as progress:
            seconds = _llamafactory(folder, "export", "export.yaml", lambda _: progress.show())
        said = _finish_export(recipe)
        _finish(folder, "export", seconds, {"tried": said})
        print(f"exported: {folder}/export ({seconds:.0f} s); it {said}")


def too_big_to_merge(recipe: Recipe) -> str:
    """Return why this machine cannot merge the run's adapter, "" when it can or the merged model is here already."""
    if _is_done(Path(recipe.folder), "export"):
        return ""
    return cannot_merge(recipe, weights_on_disk(recipe), ram_gb())


def _without_export(recipe: Recipe) -> str:
    if in_four_bits(recipe):
        answer = recipe.command("answer", with_set=False)
        return f"{answer} does without it: 4-bit weights with {recipe.folder}/adapter beside them"
    return "the same command on a machine with more RAM, the run's folder copied there"


def _finish_export(recipe: Recipe) -> str:
    """Complete the exported folder and let its model generate, in a process of its own; return what it said."""
    folder = Path(recipe.folder)
    log = folder / "logs" / "export.log"
    command = [sys.executable, "-m", "recipes.export.finish", f"{folder}/export.yaml", recipe.model_path]
    with Progress("trying the exported model", 0) as progress:
        code = run_logged([*command, recipe.backbone.revision], log, lambda _: progress.show(), {})
    if code:
        raise UserError(
            f"the model in {folder}/export does not generate; the end of {log}:\n{tail(log)}",
            "if the loss was fine, the export went wrong: the export command again; if not, train with a smaller rate",
        )
    return last_line(log)


def _llamafactory(
    folder: Path, command: str, recipe_file: str, report: Any, variables: Mapping[str, str] = MappingProxyType({})
) -> float:
    """Run one LLaMA-Factory command on one of the run's files; return its seconds."""
    log, began = folder / "logs" / f"{command}.log", time.monotonic()
    program = tool("llamafactory-cli")
    path = f"{Path(program).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # it looks for torchrun there
    given = {"RECORD_VRAM": "1", "PATH": path, **variables}
    code = run_logged([program, command, f"{folder}/{recipe_file}"], log, report, given)
    if code:
        raise UserError(
            f"llamafactory-cli {command} ended with code {code}; the end of {log}:\n{tail(log)}",
            explain(log.read_text(encoding="utf-8", errors="replace")[-8000:], code),
        )
    return time.monotonic() - began


KILLED = (256 - signal.SIGKILL, 128 + signal.SIGKILL)
"""What a command ends with that the system killed: as Python and as a shell hand it on."""
LESS_MEMORY = (
    'SET="disable_gradient_checkpointing=false" takes less and goes on from the last checkpoint; '
    'SET="per_device_train_batch_size=1 cutoff_len=512" or METHOD=qlora begin anew; see `make plan`'
)


def explain(log: str, code: int = 1) -> str:
    """Say what to do about the failures that users meet most, from a log's last part and how the command ended."""
    if code in KILLED or "Signal 9 (SIGKILL)" in log:
        return f"the system killed it, as it does when RAM runs out: {LESS_MEMORY}"
    cures = {
        "out of memory": LESS_MEMORY,
        "can't allocate memory": LESS_MEMORY,
        "gated repo": "accept the model's licence on its page on the hub, then: hf auth login",
        "Cannot find valid samples": "no row was left after encoding: look into data/, then make convert again",
        "couldn't connect": "the hub cannot be reached: check the network, or give MODEL=/a/local/folder",
        "LocalEntryNotFoundError": "the hub cannot be reached: check the network, or give MODEL=/a/local/folder",
        "No space left": "free some disk; the same command then goes on from the last checkpoint",
    }
    return next(
        (cure for sign, cure in cures.items() if sign.lower() in log.lower()),
        "mend it; the same command goes on",
    )


def _is_done(folder: Path, step: str) -> bool:
    return step in manifest_of(folder).get("steps", {})


def _finish(folder: Path, step: str, seconds: float, facts: dict[str, Any]) -> None:
    manifest = manifest_of(folder)
    manifest["steps"][step] = {"seconds": round(seconds, 1), **facts}
    manifest["status"] = {"train": "trained", "export": "exported"}[step]
    write_json(folder / "manifest.json", manifest)


def _drop_broken_checkpoints(folder: Path) -> None:
    """Delete checkpoints whose saving was broken off: trainer_state.json is the last file of a whole one."""
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            orjson.loads((checkpoint / "trainer_state.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            shutil.rmtree(checkpoint)


def _peaks(recipe: Recipe, folder: Path) -> dict[str, float | None]:
    """Return the measured peak of memory, GiB: of the card as LLaMA-Factory recorded it, or of the process."""
    if recipe.hardware.kind == "cuda":
        return {"peak_vram_gb": _peak_vram(folder)}
    return {"peak_ram_gb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2)}


def _peak_vram(folder: Path) -> float | None:
    """Return the highest memory that LLaMA-Factory recorded, GiB, None where there is no GPU."""
    log = folder / "trainer_log.jsonl"
    lines = log.read_bytes().splitlines() if log.is_file() else []
    peaks = [orjson.loads(line).get("vram_reserved", 0.0) for line in lines]
    return max(peaks, default=0.0) or None


def render_only(recipe: Recipe) -> str:
    """Write the run's YAML files (none where another run lies) and return the training recipe."""
    folder = Path(recipe.folder)
    if card_of(recipe.task):
        write_run(recipe)
    else:  # what depends on the rows is not decided yet
        for name, text in render_all(recipe).items():
            write_text(folder / name, text)
    return (folder / "recipe.yaml").read_text(encoding="utf-8")
