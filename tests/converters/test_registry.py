"""What is known of a task by its name."""

from pathlib import Path
from typing import Any

import pytest

from common.files import write_json
from converters.registry import load_task, system_prompt


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"system": True}, load_task("law_zh").system),
        ({"system": "Be brief."}, "Be brief."),
        ({"system": False}, ""),
        ({}, ""),
    ],
)
def test_the_models_are_asked_with_the_system_prompt_of_the_rows(
    settings: dict[str, Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("law_zh", "law_zh~raw"):
        assert system_prompt(name) == "", "nothing is converted yet"
        write_json(Path("data") / name / "card.json", {"made_from": {"settings": settings}})
        assert system_prompt(name) == expected
