"""A run in an experiment tracker (wandb, swanlab, mlflow, trackio, TensorBoard), from its training to its judgement.

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


def begin(folder: Path, tracker: str, name: str) -> dict[str, str]:
    """Note which tracker a run is in; return the variables by which its training begins, or resumes, that very run."""
    path = folder / FILE
    known = read_object(path)
    run = known.get("id") if known.get("tracker") == tracker else None
    run = run or uuid.uuid4().hex[:21]
    write_json(path, {"tracker": tracker, "name": name, "id": run, "project": _project(tracker)})
    return {
        "wandb": {"WANDB_PROJECT": _project(tracker), "WANDB_RUN_ID": run, "WANDB_RESUME": "allow"},
        "swanlab": {"SWANLAB_RUN_ID": run, "SWANLAB_RESUME": "allow"},
        "mlflow": {"MLFLOW_EXPERIMENT_NAME": _project(tracker), "MLFLOW_TAGS": json.dumps({PROJECT: run})},
        "trackio": {},
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
    entry = wandb.init(project=run["project"], id=run["id"], name=run["name"], resume="allow")
    entry.summary.update(figures)
    entry.finish()


def _swanlab(_: Path, run: dict[str, str], figures: dict[str, float]) -> None:
    swanlab: Any = importlib.import_module("swanlab")
    swanlab.init(project=run["project"], experiment_name=run["name"], id=run["id"], resume="allow")
    swanlab.log(figures)
    swanlab.finish()


def _mlflow(_: Path, run: dict[str, str], figures: dict[str, float]) -> None:
    mlflow: Any = importlib.import_module("mlflow")
    mlflow.set_experiment(run["project"])
    found = mlflow.search_runs(filter_string=f"tags.{PROJECT} = '{run['id']}'", max_results=1, output_format="list")
    with mlflow.start_run(run_id=found[0].info.run_id):
        mlflow.log_metrics(figures)


def _trackio(_: Path, run: dict[str, str], figures: dict[str, float]) -> None:
    trackio: Any = importlib.import_module("trackio")
    trackio.init(project=run["project"], name=run["name"], resume="allow")
    trackio.log(figures)
    trackio.finish()


def _tensorboard(folder: Path, _: dict[str, str], figures: dict[str, float]) -> None:
    summary: Any = importlib.import_module("tensorboard.summary")
    writer = summary.Writer(str(folder / FOLDER))
    for name, value in figures.items():
        writer.add_scalar(name, value, step=0)
    writer.close()


TRACKERS: dict[str, Callable[[Path, dict[str, str], dict[str, float]], None]] = {
    "wandb": _wandb, "swanlab": _swanlab, "mlflow": _mlflow, "trackio": _trackio, "tensorboard": _tensorboard,
}  # fmt: skip


def without_key(tracker: str) -> str:
    """Return what to type where a tracker that keeps runs on its makers' servers knows no key; "" where it is fine."""
    given = os.environ.get
    if tracker == "wandb" and given("WANDB_MODE", "online") == "online" and not given("WANDB_API_KEY"):
        netrc = Path(given("NETRC") or Path.home() / ".netrc")
        if not netrc.is_file() or "wandb" not in netrc.read_text(encoding="utf-8", errors="replace"):
            return "wandb login, or WANDB_MODE=offline make ..."
    cloud = tracker == "swanlab" and not given("SWANLAB_API_KEY") and given("SWANLAB_MODE", "cloud") == "cloud"
    if cloud and not (Path.home() / ".swanlab" / ".netrc").is_file():
        return "swanlab login, or SWANLAB_MODE=local make ..."
    return ""
