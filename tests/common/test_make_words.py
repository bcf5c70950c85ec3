"""A variable of make that is misspelt or not taken ends the command; the environment's words do not count."""

import os
import subprocess

import pytest

from tests.checkout import ROOT


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "-n", *words], cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "METOD=qlora"], "there is no variable METOD; did you mean METHOD?"),
        (["train", "task=law_zh"], "there is no variable task; did you mean TASK?"),
        (["run", "BUDGET=3"], "make run does not take BUDGET"),
        (["annotate", "RUN=x", "NAMES=me", "BUDGT=1"], "did you mean NAME?; there is no variable BUDGT"),
    ],
)
def test_what_is_not_taken_is_told_with_the_nearest_name(words: list[str], said: str) -> None:
    done = make(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert f"next: make {words[0]} takes " in done.stderr
    assert "python -m" not in done.stdout


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["annotate", "RUN=runs/x"], '-m eval annotate --run "$RUN"'),
        (["annotate", "RUN=runs/x", "NAME=me"], '-m eval annotate --run "$RUN" --name "$NAME"'),
        (
            ["train", "TASK=t", "MODEL=m", "FORCE=1", "GPUS=2"],
            '-m recipes train --task "$TASK" --model "$MODEL" --force',
        ),
        (["bench", "MODEL=m"], '-m tests.bench.training --model "$MODEL"'),
        (
            ["judge", "RUN=r", "BUDGET=1", "PRICE=1 2", 'EXTRA={"a": 1}'],
            '-m eval judge --run "$RUN" --budget "$BUDGET"',
        ),
    ],
)
def test_only_the_command_lines_words_count(words: list[str], ends: str) -> None:
    done = make(*words, NAME="DESKTOP-4F2K1AB", TASK="", METHOD="host")
    assert done.returncode == 0, done.stderr
    assert " ".join(done.stdout.splitlines()[-1].split()).endswith(ends)
