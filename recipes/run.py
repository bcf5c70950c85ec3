"""Training and exporting one run: LLaMA-Factory does it, this starts it, watches it, and records what came of it."""

import os
import resource
import shutil
import sys
from pathlib import Path

from common import tracking
from common.errors import UserError
from common.files import read_json
from common.process import free_port, last_line, only_one
from common.progress import Progress
from common.run_files import Step
from recipes.catalog.machine import ram_gb
from recipes.llamafactory.launch import environment, llamafactory, watched
from recipes.llamafactory.results import checkpoints, peak_vram, seconds_spent, step_of, whole_loss
from recipes.llamafactory.training_log import TrainingProgress
from recipes.manifest import finish, is_done, write_run
from recipes.preflight.surroundings import cannot_merge, weights_on_disk
from recipes.prepare.prepare import ensure_prepared
from recipes.recipe import Recipe


def train(recipe: Recipe, force: bool = False) -> None:
    """Train, or go on from the last checkpoint, or do nothing when this very run is trained already."""
    folder = Path(recipe.folder)
    with only_one(folder):
        write_run(recipe, force)
        if is_done(folder, "train"):
            print(f"trained already: {folder}/adapter")
            return
        ensure_prepared(recipe.backbone, recipe.settings.get("template") or "", recipe.dtype)
        resumed_at = _resume_point(folder / "adapter")
        before = seconds_spent(folder / "adapter") if resumed_at else 0.0
        variables = environment(recipe.hardware, recipe.settings, os.environ)
        # Not left to LLaMA-Factory, which takes a MASTER_PORT that is set but empty at its word.
        variables.setdefault("MASTER_PORT", str(free_port()))
        if recipe.settings["report_to"] in tracking.TRACKERS:
            variables |= tracking.begin(folder, recipe.settings, "/".join(filter(None, recipe.names)))
        with TrainingProgress(folder) as progress:
            seconds = llamafactory(folder, "train", "recipe.yaml", progress.update, variables)
        if variables.get("NODE_RANK", "0") != "0":
            print("this machine has done its part; the first one (NODE_RANK=0) holds what was trained")
            return
        seconds += before
        results = read_json(folder / "adapter" / "all_results.json")
        results["train_loss"] = whole_loss(folder / "adapter", resumed_at)
        finish(folder, "train", seconds, {"results": results, **_peaks(recipe, folder / "adapter")})
        print(f"trained: {folder}/adapter (loss {results['train_loss']:.3f}, {seconds:.0f} s)")


def export(recipe: Recipe) -> None:
    """Merge the adapter into its backbone and see that the model speaks, or do nothing when that is done already."""
    folder = Path(recipe.folder)
    with only_one(folder):
        if not is_done(folder, "train"):
            raise UserError(f"{folder} has not been trained yet", recipe.command("train"))
        if is_done(folder, "export"):
            print(f"exported already: {folder}/export")
            return
        if why := too_big_to_merge(recipe):
            answer = recipe.command("answer", with_set=False)
            without = f"{answer} does without it: 4-bit weights with {recipe.folder}/adapter beside them"
            elsewhere = "the same command on a machine with more RAM, the run's folder copied there"
            raise UserError(f"not exported: {why}", without if recipe.why_four_bits else elsewhere)
        for name in ("export", "gguf"):
            shutil.rmtree(folder / name, ignore_errors=True)
        with Progress("exporting", 0) as progress:
            seconds = llamafactory(folder, "export", "export.yaml", lambda _: progress.show())
        said = _finish_export(recipe, folder)
        finish(folder, "export", seconds, {"tried": said})
        print(f"exported: {folder}/export ({seconds:.0f} s); it {said}")


def too_big_to_merge(recipe: Recipe) -> str:
    """Return why this machine cannot merge the run's adapter, "" when it can or the merged model is here already."""
    done = is_done(Path(recipe.folder), "export")
    return "" if done else cannot_merge(recipe, weights_on_disk(recipe), ram_gb())


def _finish_export(recipe: Recipe, folder: Path) -> str:
    """Complete the exported folder and let its model generate, in a process of its own; return what it said."""
    log = folder / "logs" / "export.log"
    command = [sys.executable, "-m", "recipes.export.finish", f"{folder}/export.yaml", recipe.loaded_path]
    cure = "if the loss was fine, the export went wrong: the export command again; if not, train with a smaller rate"
    watched("trying the exported model", [*command, recipe.backbone.revision], log, cure)
    return last_line(log)


def _resume_point(adapter: Path) -> int:
    """Delete checkpoints whose saving was broken off; return the step that training goes on from."""
    whole = checkpoints(adapter)
    for checkpoint in set(adapter.glob("checkpoint-*")) - set(whole):
        shutil.rmtree(checkpoint)
    return step_of(whole[-1]) if whole else 0


def _peaks(recipe: Recipe, folder: Path) -> Step:
    """Return the measured peak of memory, GiB: of the card as LLaMA-Factory recorded it, or of the process."""
    if recipe.hardware.kind == "cuda":
        return {"peak_vram_gb": peak_vram(folder)}
    return {"peak_ram_gb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2)}
