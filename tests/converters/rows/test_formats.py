"""The written rows are what LLaMA-Factory, stanford_alpaca, FastChat and LLMZoo expect of alpaca and sharegpt files."""

import json
from pathlib import Path

import pytest

from converters.convert import convert
from converters.output.dataset_info import register
from converters.registry import ORDER, load_task
from tests.checkout import ROOT

ROWS = ROOT / "tests/converters/raw_rows"


def test_alpaca_is_a_list_of_objects_with_three_texts(read_rows):
    """stanford_alpaca formats instruction, input (by truth value) and output of each."""
    convert(load_task("finance_en"), str(ROWS / "finance_en"))
    rows = read_rows("data/finance_en/train.jsonl")
    assert rows
    for row in rows:
        assert {key: type(row[key]) for key in ("instruction", "input", "output")} == dict.fromkeys(
            ("instruction", "input", "output"), str
        )
        assert row["instruction"]
        assert row["output"]


def test_sharegpt_turns_alternate_between_human_and_gpt(read_rows):
    """FastChat and LLMZoo take `conversations`: human first, gpt next, `from` and `value`."""
    convert(load_task("law_zh"), str(ROWS / "law_zh"), given={"format": "sharegpt"})
    rows = read_rows("data/law_zh/train.jsonl")
    assert rows
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
        assert all(set(turn) == {"from", "value"} and turn["value"] for turn in row["conversations"])


def test_both_formats_say_the_same(read_rows):
    convert(load_task("finance_zh"), str(ROWS / "finance_zh"))
    alpaca = read_rows("data/finance_zh/train.jsonl")
    convert(load_task("finance_zh"), str(ROWS / "finance_zh"), given={"format": "sharegpt"})
    turns = [row["conversations"] for row in read_rows("data/finance_zh/train.jsonl")]
    assert [f"{row['instruction']}\n{row['input']}" for row in alpaca] == [turn[0]["value"] for turn in turns]
    assert [row["output"] for row in alpaca] == [turn[1]["value"] for turn in turns]


@pytest.mark.parametrize("formatting", ["alpaca", "sharegpt"])
@pytest.mark.parametrize(("system", "wanted"), [(True, "法律顾问"), ("请简短回答。", "请简短回答。")])
def test_system_prompts_are_a_column_on_request(read_rows, formatting, system, wanted):
    convert(load_task("law_zh"), str(ROWS / "law_zh"), given={"format": formatting, "system": system})
    assert all(wanted in row["system"] for row in read_rows("data/law_zh/train.jsonl"))
    assert json.loads(Path("dataset_info.json").read_text())["law_zh"]["columns"]["system"] == "system"


def test_dataset_info_covers_every_task_and_split_in_ascii():
    register()
    content = Path("dataset_info.json").read_bytes()
    assert content.isascii()
    info = json.loads(content)
    assert set(info) == {f"{task}{split}" for task in ORDER for split in ("", "_val", "_test")}
    assert json.loads(Path("data/dataset_info.json").read_text()) == {}


def test_entries_of_the_user_stay_untouched(capsys):
    own = {
        "mine": {"hf_hub_url": "me/mine", "columns": {"prompt": "提问"}},
        "law_en": {"file_name": "elsewhere.json"},
    }
    Path("dataset_info.json").write_text(json.dumps(own))
    convert(load_task("law_en"), str(ROWS / "law_en"))
    info = json.loads(Path("dataset_info.json").read_text())
    assert {name: info[name] for name in own} == own
    assert list(info)[:2] == list(own)
    assert "law_en is an entry of your own" in capsys.readouterr().err
    convert(load_task("medical_en"), str(ROWS / "medical_en"))
    assert {name: json.loads(Path("dataset_info.json").read_text())[name] for name in own} == own


def test_a_split_without_rows_is_not_offered():
    convert(load_task("law_en"), str(ROWS / "law_en"), given={"test": 0})
    assert "law_en_test" not in json.loads(Path("dataset_info.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("formatting", ["alpaca", "sharegpt"])
@pytest.mark.parametrize("system", [False, True])
def test_llamafactory_loads_every_entry(formatting, system, read_rows):
    """The rows as LLaMA-Factory itself aligns them, for each name in both files."""
    from llamafactory.data.converter import align_dataset
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    for task in ORDER:
        convert(load_task(task), str(ROWS / task), given={"format": formatting, "system": system})
    training = Seq2SeqTrainingArguments(output_dir="out", report_to=[], use_cpu=True)
    for folder, beginning in ((".", ""), ("data", "data/")):
        info = json.loads(Path(folder, "dataset_info.json").read_text())
        assert len(info) == 18
        for name, entry in info.items():
            arguments = DataArguments(dataset=[name], dataset_dir=folder, overwrite_cache=True)
            (attributes,) = get_dataset_list([name], folder)
            loaded = _load_single_dataset(attributes, ModelArguments("none"), arguments, training)
            assert set(loaded.column_names) >= {"_prompt", "_response", "_system"}, align_dataset
            written = read_rows(f"{beginning}{entry['file_name']}")
            assert len(loaded) == len(written)
            for row, one in zip(written, loaded, strict=True):
                said = row.get("conversations") or [
                    {"value": f"{row['instruction']}\n{row['input']}".strip()},
                    {"value": row["output"]},
                ]
                assert one["_prompt"] == [{"role": "user", "content": said[0]["value"]}]
                assert one["_response"] == [{"role": "assistant", "content": said[1]["value"]}]
                assert one["_system"] == (load_task(name.split("_val")[0].split("_test")[0]).system if system else "")
