"""The commands that made a folder are kept as they were typed."""

from pathlib import Path

import click
from click.testing import CliRunner

from common import typed


@click.command("answer")
@click.option("--task", default="")
@click.option("--who", multiple=True)
@click.option("--max-tokens", type=int, default=512)
@click.option("--per-minute", type=int, default=0)
@click.option("--nodes", envvar="NNODES", type=int)
@click.option("--force", is_flag=True)
def answer(**_):
    typed.note(Path())


def note(*words, **variables):
    CliRunner().invoke(answer, words, env=variables, catch_exceptions=False)
    return typed.lines(Path())


def test_words_are_those_of_make_and_one_of_the_same_kind_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert typed.lines(Path()) == []
    assert note("--task", "law zh", "--force") == ["make answer TASK='law zh'"]
    asked = ["--task", "a", "--who", "chatgpt", "--who", "gpt-4o"]
    assert note(*asked)[1:] == ["make answer TASK=a WHO='chatgpt gpt-4o'"]
    assert note("--task", "a", "--max-tokens", "64") == [
        "make answer TASK=a WHO='chatgpt gpt-4o'",
        "make answer TASK=a MAX_TOKENS=64",
    ]
    assert note("--per-minute", "7")[-1] == "answer --per-minute 7"
    assert note(WHETSTONE_WITHIN="1")[-1] == "answer --per-minute 7"
