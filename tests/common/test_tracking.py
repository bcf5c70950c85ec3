"""Figures are added to a run's own entry in its tracker: TensorBoard's files are read back, the rest stand-ins."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from common import tracking


def test_tensorboard_gets_what_is_measured_after_training_in_the_same_folder(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    place = tracking.begin(tmp_path, {"report_to": "tensorboard"}, "a/b")["TENSORBOARD_LOGGING_DIR"]
    tracking.add(tmp_path, {"held_out/tuned": 2.25, "held_out/base": None})
    tracking.add(tmp_path, {"win_rate/reference": 0.75})
    read = event_accumulator.EventAccumulator(place, size_guidance={"tensors": 0}).Reload()
    found = {tag: read.Tensors(tag)[0].tensor_proto.float_val[0] for tag in read.Tags()["tensors"]}
    assert found == {"held_out/tuned": 2.25, "win_rate/reference": 0.75}


@pytest.mark.parametrize("tracker", ["wandb", "swanlab", "mlflow"])
def test_the_other_trackers_are_asked_for_the_same_run(tracker, tmp_path, monkeypatch):
    module = MagicMock()
    module.search_runs.return_value = [SimpleNamespace(info=SimpleNamespace(run_id="r1"))]
    monkeypatch.setitem(sys.modules, tracker, module)
    settings = {"report_to": tracker, "swanlab_mode": "local"}
    variables = tracking.begin(tmp_path, settings, "t/m/lora")
    assert tracking.begin(tmp_path, settings, "t/m/lora") == variables, "a resumed training is the same run"
    run = json.loads((tmp_path / tracking.FILE).read_text())["id"]
    tracking.add(tmp_path, {"held_out/tuned": 2.0})
    calls = str(module.mock_calls)
    assert "'held_out/tuned': 2.0" in calls
    assert {"wandb": f"id='{run}'", "swanlab": f"id='{run}', resume='allow', mode='local'", "mlflow": run}[
        tracker
    ] in calls
    assert all(run in value for key, value in variables.items() if key.endswith(("_RUN_ID", "_TAGS")))


def test_a_tracker_that_fails_is_told_of_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", MagicMock(init=MagicMock(side_effect=RuntimeError("no route to host"))))
    tracking.begin(tmp_path, {"report_to": "wandb"}, "x")
    tracking.add(tmp_path, {"win_rate/gpt": 0.5})
    said = capsys.readouterr()
    assert "wandb did not take win_rate/gpt: no route to host" in said.out + said.err
    tracking.add(Path("nowhere"), {"a": 1.0})


def test_a_missing_key_is_told_with_the_way_to_one(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "SWANLAB_API_KEY", "SWANLAB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "wandb login" in tracking.without_key({"report_to": "wandb"})
    assert "swanlab login" in tracking.without_key({"report_to": "swanlab"})
    assert not tracking.without_key({"report_to": "swanlab", "swanlab_mode": "local"})
    assert not tracking.without_key({"report_to": "tensorboard"})
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not tracking.without_key({"report_to": "wandb"})
