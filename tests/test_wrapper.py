"""./whetstone: the words of make as options."""

import subprocess

import pytest

from tests.checkout import ROOT


def make_of(*words: str) -> list[str]:
    """Return the words that make is called with."""
    shown = 'make() { printf "%s\\n" "$@"; }; exec() { "$@"; }; set -- "$@"; source ./whetstone "$@"'
    done = subprocess.run(
        ["bash", "-c", shown, "whetstone", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[1:]


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ([], ["help"]),
        (["train", "--task", "law_zh", "--model=baichuan2-7b"], ["train", "TASK=law_zh", "MODEL=baichuan2-7b"]),
        (["train", "--force", "--set", "seed=1 lora_rank=8"], ["train", "FORCE=1", "SET=seed=1 lora_rank=8"]),
        (["judge", "--max-tokens", "64", "--dry"], ["judge", "MAX_TOKENS=64", "DRY=1"]),
    ],
)
def test_options_become_variables(words: list[str], made: list[str]) -> None:
    assert make_of(*words) == made


def test_a_bare_word_is_told() -> None:
    done = subprocess.run([ROOT / "whetstone", "train", "law_zh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: law_zh is no option\n  next: write it like --task law_zh\n"


@pytest.mark.parametrize(("typed", "completed"), [(["swee"], "sweep"), (["train", "--varian"], "--variant")])
def test_completion_knows_targets_and_variables(typed: list[str], completed: str) -> None:
    typing = 'COMP_WORDS=(./whetstone "$@"); COMP_CWORD=$#; _whetstone; echo ${COMPREPLY[*]}'
    script = f'eval "$(./whetstone completion)"; {typing}'
    done = subprocess.run(["bash", "-c", script, "bash", *typed], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == completed
