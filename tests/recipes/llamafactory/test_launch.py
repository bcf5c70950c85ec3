"""Failures of LLaMA-Factory's commands come with their cure."""

import pytest

from recipes.llamafactory.launch import explain


@pytest.mark.parametrize(
    ("log", "cure"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "METHOD=qlora"),
        ("OSError: You are trying to access a gated repo.", "hf auth login"),
        ("RuntimeError: Cannot find valid samples, check `data/README.md`", "make convert"),
        ("OSError: We couldn't connect to 'https://huggingface.co'", "check the network"),
        ("OSError: [Errno 28] No space left on device", "free some disk"),
        ("ValueError: something new", "the same command goes on"),
    ],
)
def test_the_failures_users_meet_most_come_with_their_cure(log, cure):
    assert cure in explain(log)


@pytest.mark.parametrize(("log", "code"), [("", 247), ("", 137), ("exitcode: -9 ... Signal 9 (SIGKILL) received", 1)])
def test_a_run_that_the_system_killed_is_told_that_ram_ran_out(log, code):
    assert "RAM runs out" in explain(log, code)
    assert "RAM runs out" not in explain("", 1)
