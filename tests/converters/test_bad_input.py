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
from converters.registry import load_task
from converters.report import write_report

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path(__file__).parent / "rows"
GOOD = [
    {"question": f"感冒第{i}天还咳嗽怎么办？", "answer": f"多喝水休息，第{i}天不好转请及时就诊。"} for i in range(40)
]


def lines(*extra: bytes) -> str:
    rows = [json.dumps(row, ensure_ascii=False).encode() for row in GOOD]
    Path("format_data.jsonl").write_bytes(b"\n".join([*rows, *extra]) + b"\n")
    return "format_data.jsonl"


def steps(card):
    return {step["step"]: step["dropped"] for step in card["steps"] if step["dropped"]}


def test_wrong_columns_are_named_with_the_expected_ones():
    Path("mine.csv").write_text("frage,antwort\nx,y\n")
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_en"), "mine.csv")
    assert "found antwort, frage; expected qtype, Question, Answer" in caught.value.message
    assert not Path("data/medical_en/card.json").exists()


def test_broken_lines_and_encodings_are_kept_with_their_reason(read_rows):
    source = lines(b'{"question": "a', '{"question": "乙"}'.encode("gbk"), b"[1, 2]", b"")
    card = convert(load_task("medical_zh"), source, given={"errors": 0.2})
    assert card["rows"] == 43
    assert steps(card)["read"] == 3
    reasons = [row["reason"] for row in read_rows("data/medical_zh/rejected.jsonl") if row["step"] == "read"]
    assert [reason.split(":")[0] for reason in reasons] == ["broken JSON", "not UTF-8", "not an object but list"]
    assert read_rows("data/medical_zh/rejected.jsonl")[0]["number"] == 41


def test_a_few_broken_lines_are_never_fatal_and_many_are():
    assert steps(convert(load_task("medical_zh"), lines(b"{", b"}", b"x")))["read"] == 3
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_zh"), lines(b"{", b"}", b"x", b"y"))
    assert "4 of 44 rows cannot be read, more than 5%" in caught.value.message
    assert caught.value.message.count("format_data.jsonl:") == 3
    assert caught.value.hint == "mend the file, or allow more: SET errors=0.1"
    card = convert(load_task("medical_zh"), lines(b"{", b"}", b"x", b"y"), given={"errors": 0.1})
    assert steps(card)["read"] == 4


def test_a_row_that_lacks_a_column_is_counted_among_the_good_ones():
    card = convert(load_task("medical_zh"), lines('{"question": "没有回答的列？"}'.encode()))
    assert steps(card)["columns"] == 1


def test_what_orjson_refuses_is_still_a_row():
    question, answer = (json.dumps(GOOD[0][name])[1:-1].encode() for name in ("question", "answer"))
    row = b'{"question": "\\ud83d' + question + b'again", "answer": "' + answer + b'", "score": NaN}'
    card = convert(load_task("medical_zh"), lines(row), given={"near": 0})
    assert card["files"]["rejected"]["rows"] == 0


@pytest.mark.parametrize("name", ["medDataset_processed.csv", "x.json", "x.jsonl", "x.parquet"])
def test_an_empty_file_is_told(name):
    Path(name).touch()
    with pytest.raises(UserError, match=f"^{name} is empty"):
        convert(load_task("medical_en"), name)


def test_a_file_with_a_header_only_has_no_rows():
    Path("medDataset_processed.csv").write_text("qtype,Question,Answer\n")
    with pytest.raises(UserError, match=r"there are no rows in medDataset_processed\.csv"):
        convert(load_task("medical_en"), "medDataset_processed.csv")


def test_a_source_that_is_not_there_and_a_folder_without_rows():
    with pytest.raises(UserError, match=r"SOURCE does not exist: no/such\.csv"):
        convert(load_task("medical_en"), "no/such.csv")
    Path("folder").mkdir()
    with pytest.raises(UserError, match=r"no rows in folder: none of medDataset_processed\.csv"):
        convert(load_task("medical_en"), "folder")


def test_a_file_of_another_kind():
    Path("rows.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"rows\.xlsx is of a kind that cannot be read"):
        convert(load_task("medical_en"), "rows.xlsx")


def test_a_parquet_file_that_is_none():
    Path("rows.parquet").write_bytes(b"PAR1 nothing of the sort")
    with pytest.raises(UserError, match=r"rows\.parquet is not a readable Parquet file"):
        convert(load_task("finance_zh"), "rows.parquet")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", '{"question": "甲"}\n'.encode("utf-16"), ["x.jsonl is UTF-16", "iconv -f UTF-16"]),
        ("x.csv", "问题,回答\n甲,乙\n".encode("gbk"), ["the header of x.csv is not UTF-8", "iconv -f GB18030"]),
        ("x.jsonl", '{"question": "甲", "answer": "乙"}\n'.encode("gbk") * 9, ["9 of 9 rows", "iconv -f GB18030"]),
        ("x.json", b'{\n "train": [\n  {"question": "a"}\n ]\n}\n', ["x.json holds one JSON object"]),
        ("x.json", b"[]", ["there are no rows in x.json"]),
        ("x.jsonl.gz", b"x", ["cannot be read", "unpack it"]),
    ],
)
def test_what_is_wrong_with_a_whole_file_is_told_with_the_way_out(name, content, words):
    Path(name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_zh"), name)
    told = f"{caught.value.message}\n{caught.value.hint}"
    assert all(word in told for word in words), told
    assert "errors=" not in told


def test_a_column_whose_name_is_no_text_is_rejected_like_others(read_rows):
    card = convert(load_task("medical_zh"), lines(b'{"\\ud83d": 1}'))
    assert steps(card) == {"columns": 1}
    (row,) = read_rows("data/medical_zh/rejected.jsonl")
    assert row["row"] == {"\\ud83d": 1}


def test_parquet_text_that_is_no_utf8_costs_one_row(read_rows):
    import pyarrow
    from pyarrow import parquet

    texts = [f"第{i}题，下列哪项是正确的？".encode() for i in range(30)]
    texts[7] = texts[7][:-1]
    asked = pyarrow.array(texts, pyarrow.binary()).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"instruction": asked, "input": asked, "output": asked}), "train.parquet")
    card = convert(load_task("finance_zh"), "train.parquet", given={"near": 0, "decontaminate": False})
    assert (card["rows"], steps(card)) == (30, {"read": 1})
    (row,) = read_rows("data/finance_zh/rejected.jsonl")
    assert (row["reason"], row["number"]) == ("not UTF-8", 8)
    assert row["row"].startswith("第7题，下列哪项是正确的\\xef\\xbc\n第7题")


def test_some_of_the_files_are_enough_and_the_others_are_named(capsys):
    card = convert(load_task("law_zh"), str(ROWS / "law_zh" / "DISC-Law-SFT-Pair-QA-released.jsonl"))
    assert card["rows"] == 4
    Path("part").mkdir()
    name = "DISC-Law-SFT-Triplet-released.jsonl"
    Path("part", name).write_bytes((ROWS / "law_zh" / name).read_bytes())
    convert(load_task("law_zh"), "part")
    assert "part lacks DISC-Law-SFT-Pair.jsonl" in capsys.readouterr().out


def test_csv_cells_too_many_or_few_and_bytes_that_are_no_text(read_rows):
    row = b"symptoms,What are the symptoms of fever %d ?,The skin is hot and the pulse is fast on day %d.\n"
    odd = b"a,b\nx,y,z,too many\nsymptoms,What is caf\xe9 ?,It is a place where coffee is served.\n"
    good = b"".join(row % (i, i) for i in range(40))
    Path("medDataset_processed.csv").write_bytes(b"\xef\xbb\xbfqtype,Question,Answer\n" + good + odd)
    card = convert(load_task("medical_en"), "medDataset_processed.csv", given={"near": 0, "decontaminate": False})
    assert card["rows"] == 43
    reasons = [row["reason"] for row in read_rows("data/medical_en/rejected.jsonl")]
    assert [reason.split(",")[0] for reason in reasons] == [
        "2 cells where the header has 3", "4 cells where the header has 3", "not UTF-8",
    ]  # fmt: skip


def test_a_table_of_a_spreadsheet_with_semicolons():
    row = "symptoms;What are the symptoms of fever {0} ?;The skin is hot, and the pulse is fast on day {0}.\n"
    Path("rows.csv").write_text("qtype;Question;Answer\n" + "".join(map(row.format, range(20))))
    card = convert(load_task("medical_en"), "rows.csv", given={"near": 0, "decontaminate": False})
    assert (card["rows"], card["files"]["rejected"]["rows"]) == (20, 0)


@pytest.mark.parametrize("count", [40, 12_000])
def test_a_quote_that_is_never_closed_costs_one_row(read_rows, count):
    row = "symptoms,What are the symptoms of fever {0} ?,The skin is hot and the pulse is fast on day {0} of it.\n"
    rows = [row.format(i) for i in range(count)]
    rows[7] = rows[7].replace(",The", ',"The')
    rows[-9] = rows[-9].replace(",The", ',"The')
    rows[9] = rows[9].replace(",The", ',"The\nvery ').replace("it.", 'it."')
    Path("medDataset_processed.csv").write_text("qtype,Question,Answer\n" + "".join(rows))
    card = convert(load_task("medical_en"), "medDataset_processed.csv", given={"near": 0, "decontaminate": False})
    assert card["rows"] == count
    first, last = read_rows("data/medical_en/rejected.jsonl")
    assert first["reason"] == "broken CSV: ',' expected after '\"', line 9"
    assert last["reason"] == f"a quote is opened and never closed, line {count - 6}"
    assert [first["row"], last["row"]] == [rows[7].strip(), rows[-9].strip()]


def test_a_broken_element_of_an_array_does_not_take_the_others_with_it():
    rows = json.loads((ROWS / "law_en/alpacmygavel.json").read_text())
    texts = [json.dumps(row) for row in rows]
    texts[3] = texts[3][:40]
    Path("alpacmygavel.json").write_text("[" + ",\n".join(texts) + "]")
    card = convert(load_task("law_en"), "alpacmygavel.json")
    assert card["rows"] == 12
    assert steps(card)["read"] == 1


def test_a_bracket_in_the_wrong_place_ends_no_array():
    rows = json.loads((ROWS / "law_en/alpacmygavel.json").read_text())
    texts = [json.dumps(row) for row in rows]
    Path("alpacmygavel.json").write_text("[" + ",".join(texts[:3]) + "]\n[" + ",".join(texts[3:]) + "]\n")
    assert convert(load_task("law_en"), "alpacmygavel.json")["rows"] == len(rows)


def test_an_array_that_was_cut_off():
    content = (ROWS / "law_en/alpacmygavel.json").read_text()
    Path("alpacmygavel.json").write_text(content[:-200])
    card = convert(load_task("law_en"), "alpacmygavel.json")
    assert card["rows"] == 12
    assert steps(card)["read"] == 1


def test_all_wrong_settings_are_told_at_once():
    wrong = {"scroe": 3, "near": "much", "clean": 1, "min_output": 2.5}
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_zh"), str(ROWS), given={**wrong, "overlap": 7})
    message = caught.value.message
    assert "unknown key 'scroe' did you mean score?" in message
    assert "near must be a number, got 'much'" in message
    assert "overlap must lie between 0 and 1, got 7" in message
    assert "clean must be true or false, got 1" in message
    assert "min_output must be a whole number, got 2.5" in message
    with pytest.raises(UserError, match="format must be alpaca or sharegpt, got 'csv'; near must lie between 0 and 1"):
        convert(load_task("medical_zh"), str(ROWS), given={"format": "csv", "near": 2})
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


def test_what_was_made_of_earlier_rows_goes_with_them():
    source = lines()
    convert(load_task("medical_zh"), source, given={"array": True})
    write_report("medical_zh")
    assert Path("data/medical_zh/train.json").exists()
    with pytest.raises(UserError, match="no tokenizer can be loaded"):
        convert(load_task("medical_zh"), source, given={"tokenizer": "./nowhere/tokenizer.json"})
    assert Path("data/medical_zh/card.json").exists()
    convert(load_task("medical_zh"), source)
    assert sorted(path.name for path in Path("data/medical_zh").glob("[a-z]*")) == [
        "card.json", "rejected.jsonl", "test.jsonl", "train.jsonl", "val.jsonl",
    ]  # fmt: skip


def test_a_full_disk_is_told_and_leaves_no_card(monkeypatch, capsys):
    from common.errors import run_cli
    from converters import finishing

    source = lines()
    convert(load_task("medical_zh"), source)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "data/medical_zh/train.jsonl")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(finishing._Output, "write", full)
        run_cli(lambda: convert(load_task("medical_zh"), source, given={"seed": 1}))
    assert "no space left on disk (data/medical_zh/train.jsonl)" in capsys.readouterr().err
    assert not Path("data/medical_zh/card.json").exists()
    assert not list(Path("data/medical_zh").glob("*.part"))
    assert not Path("data/medical_zh/.work").exists()
    assert convert(load_task("medical_zh"), "format_data.jsonl")["rows"] == 40


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
    assert sorted(path.name for path in Path("data/medical_zh").glob(".*")) == [".lock"]
