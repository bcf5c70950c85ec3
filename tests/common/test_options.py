"""Names on the command line, in any case."""

from pathlib import Path

import click
import pytest

from common.options import NAME
from converters.__main__ import cli as converters
from eval.__main__ import main as judging
from recipes.__main__ import main as recipes


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("QLoRA", "qlora"), ("T4", "t4"), ("Qwen3-8B", "qwen3-8b"), ("LAW_ZH", "law_zh"), ("", ""),
        ("Law_ZH~Raw", "law_zh~Raw"), ("Medical_EN+self_instruct@0.3", "medical_en+self_instruct@0.3"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"), ("./My Models/A B", "./My Models/A B"),
        ("law_zh MEDICAL_EN", "law_zh medical_en"),
        ("Mine", "Mine"), ("My Own", "My Own"),
    ],
)  # fmt: skip
def test_names_are_known_in_any_case_and_folders_and_hub_ids_stay(
    typed: str, known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("Mine", "My Own", "My Models/A B"):
        Path(folder).mkdir(parents=True)
    assert NAME.convert(typed, None, None) == known


def test_every_option_says_what_it_is() -> None:
    silent = []
    for group in (converters, recipes, judging):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            options = [one for one in command.params if isinstance(one, click.Option)]
            silent += [f"{name} {one.opts[0]}" for one in options if not one.help]
    assert silent == []
