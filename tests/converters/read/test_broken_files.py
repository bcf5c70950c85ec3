"""Files that are broken, in whole or in part: told with the way out, and what is whole in them is read."""

import json
from pathlib import Path

import pytest

from common.errors import UserError
from converters.convert import convert
from converters.registry import load_task
from tests.checkout import ROOT
from tests.converters.good_rows import GOOD, lines, steps

ROWS = ROOT / "tests/converters/raw_rows"


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
    assert caught.value.hint == "correct these rows in the file, or allow more: SET errors=0.1"
    card = convert(load_task("medical_zh"), lines(b"{", b"}", b"x", b"y"), given={"errors": 0.1})
    assert steps(card)["read"] == 4


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


def test_a_file_of_another_kind():
    Path("rows.docx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"rows\.docx: unsupported file type"):
        convert(load_task("medical_en"), "rows.docx")
    Path("rows.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"rows\.xlsx is not a readable workbook"):
        convert(load_task("medical_en"), "rows.xlsx")


def test_a_parquet_file_that_is_none():
    Path("rows.parquet").write_bytes(b"PAR1 nothing of the sort")
    with pytest.raises(UserError, match=r"rows\.parquet is not a readable Parquet file"):
        convert(load_task("finance_zh"), "rows.parquet")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "x.json",
            b'{"train": [{"q": "a"}], "test": [{"q": "b"}]}',
            ["x.json holds several lists of rows: train, test"],
        ),
        ("x.json", b"[]", ["there are no rows in x.json"]),
        ("x.jsonl.gz", b"\x1f\x8b broken", ["x.jsonl.gz cannot be unpacked", "get the file again"]),
        ("x.zip", b"PK\3\4 broken", ["x.zip cannot be unpacked", "unpack it"]),
        ("x.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", ["x.jsonl is a Git LFS pointer"]),
        ("x.csv", b"\n<!DOCTYPE html>\n<html>", ["x.csv is a web page", "/resolve/"]),
        ("x.csv", b"question,answer,answer\na,b,c\n", ["x.csv has several columns called answer"]),
    ],
)
def test_what_is_wrong_with_a_whole_file_is_told_with_the_way_out(name, content, words):
    Path(name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        convert(load_task("medical_zh"), name)
    told = f"{caught.value.message}\n{caught.value.hint}"
    assert all(word in told for word in words), told
    assert "errors=" not in told


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


@pytest.mark.slow
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
