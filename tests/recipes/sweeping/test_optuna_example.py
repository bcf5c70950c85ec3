"""The search by Optuna that docs/sweeps.md shows, as it stands there: Optuna and make are stand-ins."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from common.overrides import parse_settings
from recipes.llamafactory.keys import sorted_out
from tests.checkout import ROOT


def test_the_search_chooses_by_the_validation_loss(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = re.search(
        r"```python\n(import json, .*?)```", (ROOT / "docs/sweeps.md").read_text(encoding="utf-8"), re.DOTALL
    )[1]
    asked, losses = [], {}

    def make(command, check):
        asked.append(command)
        words = dict(word.split("=", 1) for word in command[2:])
        settings, problems = sorted_out(parse_settings(words["SET"]))
        assert (command[:2], check, problems) == (["make", "train"], True, [])
        folder = Path("runs", words["TASK"], words["MODEL"], f"lora-{words['VARIANT']}", "adapter")
        folder.mkdir(parents=True)
        loss = abs(settings["lora_rank"] - 16) + settings["learning_rate"]
        (folder / "all_results.json").write_text(json.dumps({"eval_loss": loss, "train_loss": 0}))

    class Study:
        def optimize(self, loss, n_trials):
            for number in range(n_trials):
                trial = SimpleNamespace(
                    suggest_categorical=lambda name, values, number=number: values[number % len(values)],
                    suggest_float=lambda name, low, high, log, number=number: low + (high - low) * number / 12,
                )
                losses[loss(trial)] = number
            self.best_params = losses[min(losses)]

    monkeypatch.setattr(subprocess, "run", make)
    monkeypatch.setitem(sys.modules, "optuna", SimpleNamespace(create_study=lambda **_: Study()))
    exec(code, {})
    assert len(asked) == 12
    assert capsys.readouterr().out.strip() == "2"
