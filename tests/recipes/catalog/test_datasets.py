"""Rows of the user's own, as dataset_info.json has them: a TASK like any other, trained on as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from recipes.catalog.datasets import card_of, data_facts, find_task, own_names, read_own
from recipes.preflight.surroundings import look_around
from recipes.recipe import ensure_rows, make_recipe

PAIRS = [{"q": "Why is it " + "so " * n + "?", "good": "Because." * 5, "bad": "No."} for n in range(40)]
COLUMNS = {"prompt": "q", "chosen": "good", "rejected": "bad"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    read_own.cache_clear()
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)))
    (tmp_path / "zh.json").write_text(json.dumps([{"instruction": "什么是合同？", "output": "合同是协议。"}]))
    (tmp_path / "broken.json").write_text("{")
    entries = {
        "medical_en": {"file_name": "data/medical_en/train.jsonl"},
        "my_pairs": {"file_name": "pairs.jsonl", "ranking": True, "columns": COLUMNS},
        "my_zh": {"file_name": "zh.json"},
        "my_zh_val": {"file_name": "zh.json"},
        "broken": {"file_name": "broken.json"},
        "gone": {"file_name": "gone.json"},
        "elsewhere": {"hf_hub_url": "a/b"},
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    return tmp_path


def names(task: str, method: str) -> dict[str, Any]:
    return {
        "task": task, "model": "qwen3-0.6b", "method": method, "variant": "", "hardware": "24gb", "overrides": "",
    }  # fmt: skip


def test_they_are_a_task_whose_facts_are_read_off_them(place: Path) -> None:
    assert "my_pairs" in own_names()
    assert "medical_en" not in own_names()
    facts = data_facts("my_pairs")
    assert (facts.rows, facts.language, facts.has_val) == (40, "en", False)
    assert facts.mean_characters == pytest.approx(sum(len(row["q"] + row["good"]) for row in PAIRS) / 40)
    assert (find_task("my_zh").language, data_facts("my_zh").has_val) == ("zh", True)


def test_they_are_trained_on_by_a_method_for_their_form(place: Path) -> None:
    made = make_recipe(**names("my_pairs", "dpo"))
    assert (made.settings["dataset"], made.settings["eval_strategy"]) == ("my_pairs", "no")
    assert "eval_dataset" not in made.settings
    assert look_around(made).form == "pairs"


def test_other_rows_are_another_run(place: Path) -> None:
    before = card_of("my_pairs")
    (place / "pairs.jsonl").write_text(json.dumps(PAIRS[0]))
    read_own.cache_clear()
    after = card_of("my_pairs")
    assert before
    assert after
    assert before["files"] != after["files"]


@pytest.mark.parametrize(
    ("task", "says"),
    [("broken", "is not JSON"), ("gone", "No such file"), ("elsewhere", "no file_name"), ("my_pair", "unknown TASK")],
)
def test_what_is_wrong_with_them_is_said(task: str, says: str, place: Path) -> None:
    with pytest.raises(UserError, match=says) as caught:
        data_facts(task)
    assert task != "my_pair" or "did you mean my_pairs?" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": {},}', "trailing comma"),
        ('{"合同": {}}'.encode("gbk"), "not valid UTF-8"),
        (b"[{}]", "holds no object"),
        (b'{"my_zh": "zh.json"}', "unknown TASK"),
        (b'{"my_zh": {"file_name": 5}}', "no file_name"),
        (b'{"my_zh": {"file_name": "zh.json", "columns": ["q"]}}', "must be names"),
    ],
)
def test_a_file_edited_by_hand_gets_one_line(content: bytes, says: str, place: Path) -> None:
    (place / "dataset_info.json").write_bytes(content)
    with pytest.raises(UserError, match=says):
        data_facts("my_zh")


def test_they_are_not_converted(place: Path) -> None:
    ensure_rows("my_pairs", "", None)
    with pytest.raises(UserError, match="is trained on as"):
        ensure_rows("my_pairs", "", 5)
