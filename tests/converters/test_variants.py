"""A variant trains on other rows and is measured on the base task's own."""

import json
import random
from pathlib import Path

import pytest

from common.errors import UserError
from common.names import root_task
from converters.convert import convert
from converters.registry import load_task
from converters.variants import convert_variant, named
from eval.records.questions import bundled
from recipes.catalog.datasets import data_facts
from recipes.manifest import data_identity
from recipes.recipe import ensure_rows
from tests.converters.conftest import ROOT

EXAMPLES = str(ROOT / "converters/examples/medical_en")
NAME = "medical_en~raw"
OFF = {"exact": False, "near": 0, "boilerplate": False, "clean": False, "html": False}


def splits(task):
    return {split: Path(f"data/{task}/{split}.jsonl").read_bytes() for split in ("train", "val", "test")}


def asked(read_rows, task, *names):
    return {row["instruction"].lower() for name in names for row in read_rows(f"data/{task}/{name}.jsonl")}


@pytest.mark.slow
def test_it_has_other_training_rows_and_the_same_held_out_ones(read_rows):
    card = convert_variant(NAME, EXAMPLES, given=OFF)
    base, variant = splits("medical_en"), splits(NAME)
    assert variant["train"] != base["train"]
    assert (variant["val"], variant["test"]) == (base["val"], base["test"])
    assert card["variant"]["settings"] == OFF
    assert card["files"]["train"]["rows"] == 164 + 3  # 2 without the links of their lists, 2 exact repeats; 1 held out
    assert not asked(read_rows, NAME, "train") & asked(read_rows, "medical_en", "val", "test")
    dropped = {step["step"]: step["dropped"] for step in card["steps"]}
    assert dropped["held_out"] == 13 + 24 + 1
    assert card["dropped_for"] == {"judged questions": 0, "val": 1, "test": 8}
    assert card["rows"] == card["files"]["train"]["rows"] + card["files"]["rejected"]["rows"]


@pytest.mark.slow
def test_all_the_same_settings_make_the_same_training_rows():
    convert_variant(NAME, EXAMPLES, given={"near": 0.85})
    assert splits(NAME) == splits("medical_en")


@pytest.mark.slow
def test_no_held_out_row_comes_in_however_the_text_of_its_question_changes(read_rows):
    convert_variant("medical_en~templates", EXAMPLES, given={"templates": True, "decontaminate": False, **OFF})
    held_out = asked(read_rows, "medical_en", "val", "test")
    short = {question.replace("(are) ", "").replace("?", "").strip() for question in held_out}
    trained = asked(read_rows, "medical_en~templates", "train")
    assert any("is (are)" in question for question in trained)
    assert not {question.replace("(are) ", "").replace("?", "").strip() for question in trained} & short


def source_of(pairs):
    lines = [f'fact,"{question}","{answer}"' for question, answer in pairs]
    Path("rows.csv").write_text("\n".join(["qtype,Question,Answer", *lines]) + "\n")
    return "rows.csv"


def prose(seed, words):
    letters = random.Random(seed)
    return " ".join("".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(words))


@pytest.mark.slow
def test_dropping_the_test_rows_of_the_base_does_not_let_their_questions_in(read_rows):
    """Each question has a long and a short answer; where the variant drops the long one, the short one stays out."""
    pairs = [(f"What is {prose(i, 6)}?", prose(100 + i, words)) for i in range(60) for words in (60, 10)]
    convert(load_task("medical_en"), source_of(pairs), given={"answers": 1})
    card = convert_variant(NAME, given={"max_output": 100, "decontaminate": False})
    assert card["files"]["train"]["rows"] == 60 - card["files"]["test"]["rows"] - card["files"]["val"]["rows"]
    assert not asked(read_rows, NAME, "train") & asked(read_rows, "medical_en", "val", "test")


@pytest.mark.slow
def test_near_duplicates_come_in_but_not_those_of_test_rows(read_rows):
    pairs = [(f"What is {prose(i, 12)}?", prose(100 + i, 60)) for i in range(60)]
    near = [(question.replace("?", " please?"), f"{answer} indeed") for question, answer in pairs]
    base = convert(load_task("medical_en"), source_of(pairs + near))
    card = convert_variant(NAME, given={"near": 0})
    assert base["files"]["rejected"]["rows"] == 60
    assert card["files"]["train"]["rows"] > base["files"]["train"]["rows"] + 40
    trained, tested = asked(read_rows, NAME, "train"), asked(read_rows, "medical_en", "test")
    assert tested
    assert not any(question.replace("?", " please?") in trained for question in tested)


@pytest.mark.slow
def test_it_keeps_its_settings_and_follows_its_base(monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    convert_variant(NAME, EXAMPLES, given=OFF)
    before = Path(f"data/{NAME}/card.json").stat().st_mtime_ns
    ensure_rows(NAME, "", None)
    assert Path(f"data/{NAME}/card.json").stat().st_mtime_ns == before
    convert(load_task("medical_en"), EXAMPLES, limit=150)
    ensure_rows(NAME, "", None)
    assert "the rows of medical_en have changed" in capfd.readouterr().out
    assert splits(NAME)["test"] == splits("medical_en")["test"]
    card = json.loads(Path(f"data/{NAME}/card.json").read_text())
    assert card["variant"]["settings"] == OFF
    assert card["rows"] == 150


@pytest.mark.slow
def test_everything_else_takes_it_for_a_task():
    convert_variant(NAME, EXAMPLES, given=OFF)
    assert json.loads(Path("dataset_info.json").read_text())[f"{NAME}_test"]["file_name"] == f"data/{NAME}/test.jsonl"
    assert data_facts(NAME).rows == 167
    assert data_identity(NAME)["files"]["train"]["rows"] == 167
    assert bundled(NAME) == bundled(f"{NAME}+self_instruct@0.3") == bundled("medical_en")
    assert load_task(NAME).name == NAME
    assert root_task(f"{NAME}+self_instruct@0.3") == root_task("medical_en") == "medical_en"


@pytest.mark.parametrize(
    ("given", "arguments", "wrong"),
    [
        ({}, {}, "no SET that says how it differs"),
        ({"seed": 1, "test": 0.2}, {}, "cannot set seed, test"),
        ({"nea": 0, "cleen": True}, {}, r"(?s)'nea'.*'cleen'"),
        (OFF, {"limit": 10}, "made of the same rows"),
        (OFF, {"source": "elsewhere.csv"}, "made of the same rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(given, arguments, wrong):
    convert(load_task("medical_en"), EXAMPLES)
    with pytest.raises(UserError, match=wrong):
        convert_variant(NAME, given=given, **arguments)
    assert not Path(f"data/{NAME}/card.json").exists()


@pytest.mark.parametrize(
    ("task", "variant"), [("a~b", "c"), ("a", "B c"), ("a", "../x"), ("a+mix", "b"), ("a+mix~b", "")]
)
def test_names_that_are_none(task, variant):
    with pytest.raises(UserError, match="names no variant"):
        named(task, variant)
