"""A working directory of its own for each test: the commands write data/ and dataset_info.json where they run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ROOT

ROWS = ROOT / "tests/converters/raw_rows"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHETSTONE_RETRY_SECONDS", "0")
    return tmp_path


@pytest.fixture
def questions(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of judged questions in place of eval/questions."""
    folder = workplace / "questions"
    folder.mkdir()
    monkeypatch.setattr("converters.corpus.judged_questions.QUESTIONS", folder)
    return folder


@pytest.fixture
def read_rows() -> Callable[[str], list[dict[str, Any]]]:
    def read(path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(path).read_text().splitlines()]

    return read
