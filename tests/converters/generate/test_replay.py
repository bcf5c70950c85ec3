"""make replay as typed: general instructions answered by the model itself, as a share of the rows to train on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from converters.__main__ import cli
from converters.generate.prompts import load_prompt
from tests.endpoint import Endpoint, completion
from tests.recipes.disc_law import write_rows

Run = Callable[..., None]
ReadRows = Callable[[str], list[dict[str, Any]]]
BASE = Path("data/medical_en")


def answers(body: dict[str, Any], number: int) -> Any:
    said = f"<think>\nHm.\n</think>\n\nHere is what I know of it, number {number}."
    return completion(said, "length") if number % 5 == 4 else said


def test_a_tenth_of_the_rows_are_the_models_own_answers(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = answers
    run("replay", "--concurrency", "1")
    made = read_rows(f"{BASE}/replay/rows.jsonl")
    assert all(row["output"].startswith("Here is what I know of it") for row in made), "without the thought"
    assert len({row["instruction"] for row in made}) == len(made)
    assert {row["step"] for row in read_rows(f"{BASE}/replay/rejected.jsonl")} == {"cut_off"}
    real = read_rows(f"{BASE}/train.jsonl")
    card = json.loads((BASE / "replay" / "card.json").read_text())
    assert (card["kind"], card["part"]) == ("replay", "replay")
    mixed = read_rows("data/medical_en+replay/train.jsonl")
    assert mixed[: len(real)] == real
    assert [row["output"] for row in mixed[len(real) :]] == [row["output"] for row in made]
    cli.main(["convert", "--task", "medical_en+replay@0.1"], standalone_mode=False)
    shared = read_rows("data/medical_en+replay@0.1/train.jsonl")
    assert len(shared) - len(real) == round(len(real) / 9)
    with pytest.raises(UserError, match="takes 1,000 generated rows") as told:
        cli.main(["convert", "--task", "medical_en+replay@1000"], standalone_mode=False)
    assert "make replay TASK=medical_en LIMIT=1000" in told.value.hint


def test_there_are_enough_instructions_in_both_languages() -> None:
    english, chinese = "Explain photosynthesis to a ten-year-old", "用几句话向十岁的孩子讲讲光合作用"
    for language, letters in (("en", english), ("zh", chinese)):
        lines = load_prompt("replay", language, "law").render().splitlines()
        assert len(lines) == len(set(lines)) == 480
        assert any(line.startswith(letters) for line in lines)


def test_the_model_must_be_named() -> None:
    with pytest.raises(UserError, match="the model that will be trained"):
        cli.main(["replay", "--task", "medical_en"], standalone_mode=False)


def test_another_tasks_rows_are_mixed_in_by_its_name(read_rows: ReadRows) -> None:
    write_rows(Path("disc_law"))
    cli.main(["convert", "--task", "law_zh", "--source", "disc_law"], standalone_mode=False)
    real, other = (read_rows(f"data/{name}/train.jsonl") for name in ("medical_en", "law_zh"))
    cli.main(["convert", "--task", "medical_en+law_zh"], standalone_mode=False)
    mixed = read_rows("data/medical_en+law_zh/train.jsonl")
    assert mixed[: len(real)] == real
    assert {row["output"] for row in mixed[len(real) :]} == {row["output"] for row in other}
    assert "medical_en+law_zh" in json.loads(Path("dataset_info.json").read_text())
    for split in ("val", "test"):
        assert read_rows(f"data/medical_en+law_zh/{split}.jsonl") == read_rows(f"data/medical_en/{split}.jsonl")
    cli.main(["convert", "--task", "medical_en+law_zh@20"], standalone_mode=False)
    assert len(read_rows("data/medical_en+law_zh@20/train.jsonl")) == len(real) + 20
    with pytest.raises(UserError, match="finance_zh has no converted rows"):
        cli.main(["convert", "--task", "medical_en+finance_zh"], standalone_mode=False)
