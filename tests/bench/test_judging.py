"""The benchmark runs, makes each call once, and stays within the memory and start-up that are promised.

Seconds depend on what else the machine does, so they are printed by `make bench-eval` and not judged here.
"""

import subprocess
import sys

import pytest

from tests.bench.judging import CALLS, ROOT, _run


@pytest.mark.slow
def test_judging_240_pairs_takes_240_calls_and_at_most_90_megabytes() -> None:
    """In a process of its own: a child's peak memory starts from that of whoever forked it."""
    command = [sys.executable, "-m", "tests.bench.judging", "--rounds", "1"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    judge, refused = (line.split()[-2:] for line in shown.splitlines() if line.startswith("judge"))
    assert int(judge[0]) <= 90
    assert int(judge[1]) == CALLS
    assert CALLS < int(refused[1]) < 1.25 * CALLS


def test_help_is_quick() -> None:
    assert min(_run(["-m", "eval", "--help"], ROOT)[0] for _ in range(3)) <= 0.3
