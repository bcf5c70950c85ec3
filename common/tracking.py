"""A run in an experiment tracker (wandb, swanlab, mlflow, TensorBoard), from its training to its judgement.

LLaMA-Factory itself logs the training, by `report_to`; what is measured afterwards is added to the same run here.
"""

import importlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.files import read_json, read_object, write_json
from common.progress import notice

PROJECT = "whetstone"
FILE = "tracking.json"
FOLDER = "tensorboard"


def begin(folder: Path, settings: Mapping[str, Any], name: str) -> dict[str, str]:
    """Note which tracker a run is in; return the variables by which its training begins, or resumes, that very run."""
    path, tracker = folder / FILE, settings["report_to"]
    known = read_object(path)
    run = known.get("id") if known.get("tracker") == tracker else None
    run = run or uuid.uuid4().hex[:21]
    mode = settings.get("swanlab_mode", "cloud")
    write_json(path, {"tracker": tracker, "name": name, "id": run, "project": _project(tracker), "mode": mode})
    return {
        "wandb": {"WANDB_PROJECT": _project(tracker), "WANDB_RUN_ID": run, "WANDB_RESUME": "allow"},
        "swanlab": {"SWANLAB_RUN_ID": run, "SWANLAB_RESUME": "allow"},
        "mlflow": {"MLFLOW_EXPERIMENT_NAME": _project(tracker), "MLFLOW_TAGS": json.dumps({PROJECT: run})},
        "tensorboard": {"TENSORBOARD_LOGGING_DIR": str(folder / FOLDER)},
    }[tracker]


def _project(tracker: str) -> str:
    named = {"wandb": "WANDB_PROJECT", "mlflow": "MLFLOW_EXPERIMENT_NAME"}.get(tracker, "")
    return os.environ.get(named) or PROJECT


def add(folder: Path, figures: Mapping[str, float | None]) -> None:
    """Add what was measured to the run's entry in its tracker, if it has one; a tracker that fails is only told of."""
    path = folder / FILE
    known = {name: float(value) for name, value in figures.items() if value is not None}
    if not path.is_file() or not known:
        return
    run = read_json(path)
    try:
        TRACKERS[run["tracker"]](folder, run, known)
    except Exception as error:  # what a tracker raises is its own, and the figures are in the run's files
        notice(f"{run['tracker']} did not take {', '.join(known)}: {str(error) or type(error).__name__:.200}")


def _wandb(_: Path, run: dict[str, str], figures: dict[str, float]) -> None:
    wandb: Any = importlib.import_module("wandb")
    quiet = wandb.Settings(silent=True)
    entry = wandb.init(project=run["project"], id=run["id"], name=run["name"], resume="allow", settings=quiet)
    entry.summary.update(figures)
    entry.finish()


def _swanlab(_: Path, run: dict[str, str], figures: dict[str, float]) -> None:
    swanlab: Any = importlib.import_module("swanlab")
    swanlab.init(
        project=run["project"], experiment_name=run["name"], id=run["id"], resume="allow", mode=run.get("mode")
    )
    swanlab.log(figures)
    swanlab.finish()


def _mlflow(_: Path, run: dict[str, str], figures: dict[str, float]) -> None:
    mlflow: Any = importlib.import_module("mlflow")
    mlflow.set_experiment(run["project"])
    found = mlflow.search_runs(filter_string=f"tags.{PROJECT} = '{run['id']}'", max_results=1, output_format="list")
    with mlflow.start_run(run_id=found[0].info.run_id):
        mlflow.log_metrics(figures)


def _tensorboard(folder: Path, _: dict[str, str], figures: dict[str, float]) -> None:
    summary: Any = importlib.import_module("tensorboard.summary")
    writer = summary.Writer(str(folder / FOLDER))
    for name, value in figures.items():
        writer.add_scalar(name, value, step=0)
    writer.close()


TRACKERS: dict[str, Callable[[Path, dict[str, str], dict[str, float]], None]] = {
    "wandb": _wandb, "swanlab": _swanlab, "mlflow": _mlflow, "tensorboard": _tensorboard,
}  # fmt: skip
PACKAGES = {"mlflow": ("mlflow-skinny", "sqlalchemy", "alembic")}
"""Tracker -> what it is installed as, where not as itself: all of MLflow wants older libraries than LLaMA-Factory."""


def without_key(settings: Mapping[str, Any]) -> str:
    """Return what to type where a tracker that keeps runs on its makers' servers knows no key; "" where it is fine."""
    given, tracker = os.environ.get, settings["report_to"]
    if tracker == "wandb" and given("WANDB_MODE", "online") == "online" and not given("WANDB_API_KEY"):
        netrc = Path(given("NETRC") or Path.home() / ".netrc")
        if not netrc.is_file() or "wandb" not in netrc.read_text(encoding="utf-8", errors="replace"):
            return "wandb login, or WANDB_MODE=offline make ..."
    cloud = tracker == "swanlab" and not given("SWANLAB_API_KEY") and settings.get("swanlab_mode") != "local"
    if cloud and not (Path.home() / ".swanlab" / ".netrc").is_file():
        return 'swanlab login, or SET="swanlab_mode=local"'
    return ""
