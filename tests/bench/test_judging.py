"""The benchmark runs, makes each call once, and stays within the memory that is promised.

Seconds depend on what else the machine does, so they are printed by `make bench-eval` and not judged here.
"""

import os
import subprocess
import sys

import pytest

from tests.checkout import ROOT

QUESTIONS = 40


@pytest.mark.slow
def test_each_call_is_made_once_and_judging_takes_at_most_90_megabytes() -> None:
    """In a process of its own: a child's peak memory starts from that of whoever forked it."""
    command = [sys.executable, "-m", "tests.bench.judging", "--rounds", "1"]
    asked = os.environ | {"QUESTIONS": str(QUESTIONS)}
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=asked).stdout
    judge, refused = (line.split()[-2:] for line in shown.splitlines() if line.startswith("judge"))
    assert int(judge[0]) <= 90
    assert int(judge[1]) == 2 * QUESTIONS
    assert 2 * QUESTIONS < int(refused[1]) < 2.5 * QUESTIONS
