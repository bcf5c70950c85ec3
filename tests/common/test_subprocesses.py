"""Packages call each other by the command that a person could type, and end as it ends."""

import os
import subprocess
import sys

import pytest

from common.subprocesses import call, command
from tests.checkout import ROOT


def test_options_are_as_a_person_types_them():
    line = command("recipes", "train", task="t", max_tokens=5, source="", limit=None, force=True, again=False, number=0)
    assert line[:3] == [sys.executable, "-m", "recipes"]
    assert line[3:] == ["train", "--task", "t", "--max-tokens", "5", "--force", "--number", "0"]


@pytest.fixture
def fails(tmp_path, monkeypatch):
    """A package that fails as it is told to."""
    package = tmp_path / "fails"
    package.mkdir()
    (package / "__main__.py").write_text("import os, sys\nos.kill(os.getpid(), 9) if sys.argv[1] == 'killed' else 0\n"
                                         "sys.exit(int(sys.argv[1]))\n")  # fmt: skip
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("how", "code"), [("2", 2), ("130", 130), ("killed", 137)])
def test_what_fails_ends_us_as_it_ended(fails, how, code):
    with pytest.raises(SystemExit) as ended:
        call("fails", how)
    assert ended.value.code == code


def test_what_works_returns(fails):
    call("fails", "0")


def test_its_words_are_seen(fails, tmp_path):
    (tmp_path / "fails" / "__main__.py").write_text("print('a word')")
    program = "from common.subprocesses import call; call('fails')"
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=path, capture_output=True, text=True, check=True)
    assert done.stdout == "a word\n"
