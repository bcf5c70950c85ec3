"""What users and files get wrong: told in one message, counted, kept; never a traceback, never half-written rows."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.errors import UserError
from converters.convert import convert
from converters.output.report_page import write_report
from converters.registry import load_task
from tests.checkout import ROOT
from tests.converters.good_rows import lines, steps

ROWS = ROOT / "tests/converters/raw_rows"


def test_wrong_columns_are_named_with_the_expected_ones():
    Path("mine.csv").write_text("frage,antwort\nx,y\n")
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_en"), "mine.csv")
    assert "found antwort, frage; expected qtype, Question, Answer" in caught.value.message
    assert not Path("data/medical_en/card.json").exists()


def test_a_row_that_lacks_a_column_is_counted_among_the_good_ones():
    card = convert(load_task("medical_zh"), lines('{"question": "没有回答的列？"}'.encode()))
    assert steps(card)["columns"] == 1


def test_a_source_that_is_not_there_and_a_folder_without_rows():
    with pytest.raises(UserError, match=r"SOURCE does not exist: no/such\.csv"):
        convert(load_task("medical_en"), "no/such.csv")
    Path("my_rows.csv").write_text("a\n")
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_en"), "my_rowz.csv")
    assert "did you mean my_rows.csv?" in caught.value.hint
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_en"), r"C:\Users\me\rows.csv")
    assert caught.value.hint == "in WSL it is /mnt/c/Users/me/rows.csv"
    Path("folder").mkdir()
    with pytest.raises(UserError, match=r"no rows in folder: none of medDataset_processed\.csv"):
        convert(load_task("medical_en"), "folder")


def test_a_column_whose_name_is_no_text_is_rejected_like_others(read_rows):
    card = convert(load_task("medical_zh"), lines(b'{"\\ud83d": 1}'))
    assert steps(card) == {"columns": 1}
    (row,) = read_rows("data/medical_zh/rejected.jsonl")
    assert row["row"] == {"\\ud83d": 1}


def test_some_of_the_files_are_enough_and_the_others_are_named(capsys):
    card = convert(load_task("law_zh"), str(ROWS / "law_zh" / "DISC-Law-SFT-Pair-QA-released.jsonl"))
    assert card["rows"] == 4
    Path("part").mkdir()
    name = "DISC-Law-SFT-Triplet-released.jsonl"
    Path("part", name).write_bytes((ROWS / "law_zh" / name).read_bytes())
    convert(load_task("law_zh"), "part")
    assert "part lacks DISC-Law-SFT-Pair.jsonl" in capsys.readouterr().out


def test_all_wrong_settings_are_told_at_once():
    wrong = {"scroe": 3, "near": "much", "clean": 1, "min_output": 2.5}
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_zh"), str(ROWS), given={**wrong, "overlap": 7})
    message = caught.value.message
    assert "unknown key 'scroe'; did you mean score?" in message
    assert "near must be a number, got 'much'" in message
    assert "overlap must be from 0 to 1, got 7" in message
    assert "clean must be true or false, got 1" in message
    assert "min_output must be a whole number, got 2.5" in message
    assert message.startswith("SET has 5 invalid entries:")
    with pytest.raises(UserError, match="format must be one of alpaca, sharegpt, got 'csv'"):
        convert(load_task("medical_zh"), str(ROWS), given={"format": "csv"})
    with pytest.raises(UserError, match=r"(?s)max_output is smaller than min_output") as caught:
        convert(load_task("medical_zh"), str(ROWS), given={"nea": 0, "min_output": 9, "max_output": 3})
    assert "unknown key 'nea'; did you mean near?" in caught.value.message
    with pytest.raises(UserError, match="test: must be a share below 1, or -1, got 2"):
        convert(load_task("medical_zh"), str(ROWS), given={"test": 2})
    with pytest.raises(UserError, match="test and val leave nothing"):
        convert(load_task("medical_zh"), str(ROWS), given={"test": 0.5, "val": 0.5})
    with pytest.raises(UserError, match="LIMIT must be at least 1"):
        convert(load_task("medical_zh"), str(ROWS), limit=0)


@pytest.mark.parametrize("content", ["", "no JSON\n", '{"id": "1"}\n', "[1]\n"])
def test_judged_questions_that_cannot_be_read_are_told(content):
    if content:
        Path("questions.jsonl").write_text(content)
    with pytest.raises(UserError, match=r"questions\.jsonl"):
        convert(load_task("medical_zh"), lines(), given={"questions": "questions.jsonl"})


def test_a_card_that_cannot_be_read_is_written_anew():
    source = lines()
    convert(load_task("medical_zh"), source)
    Path("data/medical_zh/card.json").write_text("{")
    assert convert(load_task("medical_zh"), source)["rows"] == 40
    assert json.loads(Path("data/medical_zh/card.json").read_text())["rows"] == 40


@pytest.mark.slow
def test_what_was_made_of_earlier_rows_goes_with_them():
    source = lines()
    convert(load_task("medical_zh"), source)
    write_report("medical_zh")
    with pytest.raises(UserError, match="no such file of judged questions"):
        convert(load_task("medical_zh"), source, given={"questions": "nowhere.jsonl"})
    assert Path("data/medical_zh/card.json").exists()
    convert(load_task("medical_zh"), source, given={"seed": 1})
    assert sorted(path.name for path in Path("data/medical_zh").glob("[a-z]*")) == [
        "card.json", "rejected.jsonl", "test.jsonl", "train.jsonl", "val.jsonl",
    ]  # fmt: skip


def test_a_full_disk_is_told_and_leaves_no_card(monkeypatch, capsys):
    from common.errors import run_cli
    from converters.passes import second_pass as finishing

    source = lines()
    convert(load_task("medical_zh"), source)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "data/medical_zh/train.jsonl")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(finishing.shutil, "copyfileobj", full)
        run_cli(lambda: convert(load_task("medical_zh"), source, given={"seed": 1}))
    assert "no space left on disk (data/medical_zh/train.jsonl)" in capsys.readouterr().err
    assert not Path("data/medical_zh/card.json").exists()
    assert not list(Path("data/medical_zh").glob("*.part"))
    assert not Path("data/medical_zh/.work").exists()
    assert convert(load_task("medical_zh"), "format_data.jsonl")["rows"] == 40


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_simply_run_again(tmp_path, number, monkeypatch):
    row = '{{"question": "第{0}个问题：这种药应该吃几次？", "answer": "第{0}个回答，请遵医嘱，每日{0}次。"}}\n'
    Path("format_data.jsonl").write_text("".join(row.format(i) for i in range(60_000)))
    command = [sys.executable, "-m", "converters", "convert", "--task", "medical_zh", "--source", "format_data.jsonl"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 60
    staged = Path("data/medical_zh/.work/rows.tsv")
    while not (staged.exists() and staged.stat().st_size) and time.monotonic() < until:
        time.sleep(0.02)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.kill()
    _, said = process.communicate(timeout=60)  # the workers have this pipe too: it ends when they do
    assert b"Traceback" not in said
    assert not Path("data/medical_zh/card.json").exists()
    Path("data/medical_zh/.train.jsonl.123.part").write_text("half a split")
    card = convert(load_task("medical_zh"), "format_data.jsonl", limit=500)
    assert card["rows"] == 500
    assert {path.name for path in Path("data/medical_zh").glob(".*")} <= {".lock", ".lock-holder"}


def test_a_source_of_which_no_row_is_kept_says_so():
    Path("format_data.jsonl").write_text('{"question": "这种药应该吃几次？", "answer": ""}\n')
    with pytest.raises(UserError, match="is left to train on"):
        convert(load_task("medical_zh"), "format_data.jsonl")
