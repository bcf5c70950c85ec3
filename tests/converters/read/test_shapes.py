"""Files in the shapes that people have them: the same rows come out of all."""

import bz2
import gzip
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from common.errors import UserError
from converters.convert import convert
from converters.read.files import read_chunks
from converters.read.json_rows import parse_line
from converters.read.text import Broken, encoding_of
from converters.task import Record, Task, text

ROWS = [{"question": f"米饭第{i}种做法要煮多长时间？", "answer": f"煮{i + 10}分钟，然后关火。"} for i in range(20)]


def read(path):
    rows = [row for chunk in read_chunks(Path(path)) for row in chunk.rows]
    return [parse_line(row) if isinstance(row, bytes) else row for row in rows]


def dumps(value, **how):
    return json.dumps(value, ensure_ascii=False, **how)


LINES = "".join(dumps(row) + "\n" for row in ROWS)
CSV = "question,answer\n" + "".join(f"{row['question']},{row['answer']}\n" for row in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES), ("a.ndjson", LINES), ("a.json", LINES),
        ("a.jsonl", dumps(ROWS)),
        ("a.jsonl", "[\n" + ",\n".join(map(dumps, ROWS)) + "\n]\n"),
        ("a.jsonl", "".join(dumps(row) + ",\n" for row in ROWS)),
        ("a.jsonl", "\n".join(dumps(row, indent=2) for row in ROWS)),
        ("a.json", dumps({"version": 1, "data": ROWS})), ("a.json", dumps({"data": ROWS}, indent=1)),
        ("a.jsonl", dumps({"rows": ROWS})), ("a.json", dumps({"status": "ok", "result": {"total": 20, "rows": ROWS}})),
        ("a.json", dumps({row["question"]: row["answer"] for row in ROWS})),
        ("a.json", dumps({f"id{i}": row for i, row in enumerate(ROWS)}, indent=1)),
        ("a.json", dumps({name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ROWS[0]})),
        ("a.json", dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        ("a.json", dumps({"columns": list(ROWS[0]), "index": [0], "data": [list(row.values()) for row in ROWS]})),
        ("a.jsonl", LINES.replace('\n{"', '\n\ufeff{"', 3)),
        ("a.csv", CSV), ("a.csv", "\ufeff" + CSV.replace("\n", "\r\n")), ("a.csv", CSV.replace(",", "|")),
        ("a.csv", "sep=;\n" + CSV.replace(",", ";")), ("a.tsv", CSV.replace(",", "\t")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_rows_are_read_in_every_shape(name, content, encoding):
    if encoding != "utf-8" and "\ufeff" in content:
        return
    Path(name).write_bytes(content.encode(encoding))
    assert encoding_of(Path(name)) == encoding
    assert read(name) == ROWS


def test_big5_is_not_taken_for_gbk():
    Path("a.csv").write_bytes(
        "問題,答案\n".encode("big5") + "這種米飯應該煮多長時間？,煮十分鐘後關火。\n".encode("big5") * 20
    )
    assert encoding_of(Path("a.csv")) == "big5"
    assert read("a.csv")[0] == {"問題": "這種米飯應該煮多長時間？", "答案": "煮十分鐘後關火。"}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files(pack):
    Path("a.jsonl.gz").write_bytes(pack(LINES.encode()))
    assert read("a.jsonl.gz") == ROWS


def mine():
    def to_record(row, file, options):
        return Record(text(row, "question"), "", text(row, "answer"))

    return Task("mine", "Mine", "zh", "food", (), to_record, columns=("question", "answer"), defaults={"near": 0})


def test_archives_are_unpacked_once():
    Path("in").mkdir()
    Path("in/train.jsonl").write_text(LINES)
    Path("in/._train.jsonl").write_bytes(b"\0\5")
    for kind, suffix in (("zip", ".zip"), ("gztar", ".tar.gz")):
        shutil.make_archive("rows", kind, "in")
        assert convert(mine(), f"rows{suffix}", given={"decontaminate": False})["rows"] == 20
    assert len(list(Path("cache/unpacked").iterdir())) == 2


def workbook(path, sheets):
    """Write a workbook the way Excel does, as far as its cells go: {name: rows of cells}."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def cell(place, value):
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{place}"><v>{value}</v></c>'

    numbered = list(enumerate(sheets, 1))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{types}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in numbered) + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="sheet{i}.xml"/>' for i, _ in numbered)
        + "</Relationships>",
    }  # fmt: skip
    for i, name in numbered:
        rows = "".join(
            f'<row r="{r}">{"".join(cell("ABCDEF"[c] + str(r), value) for c, value in enumerate(row))}</row>'
            for r, row in enumerate(sheets[name], 1)
        )
        parts[f"xl/sheet{i}.xml"] = f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
    with zipfile.ZipFile(path, "w") as out:
        for part, content in parts.items():
            out.writestr(part, content)


def test_workbooks():
    table = [["question", "answer", "n"], *([*row.values(), i] for i, row in enumerate(ROWS))]
    workbook("a.xlsx", {"empty": [], "rows": [["All about rice"], *table]})
    assert read("a.xlsx") == [{**row, "n": str(i)} for i, row in enumerate(ROWS)]
    workbook("b.xlsx", {"rows": table, "other": [["n"], [1]]})
    with pytest.raises(UserError, match=r"rows in several sheets: rows, other"):
        read("b.xlsx")


@pytest.mark.slow
def test_folders_of_save_to_disk():
    from datasets import Dataset, DatasetDict

    saved = Dataset.from_list(ROWS)
    DatasetDict({"train": saved, "test": saved.select(range(3))}).save_to_disk("saved")
    (Path("saved/train") / "cache-1.arrow").write_bytes(b"left by map")
    card = convert(mine(), "saved", given={"decontaminate": False})
    assert (card["rows"], card["files"]["test"]["rows"]) == (23, 3)


def test_lists_that_pandas_wrote_as_text_are_lists():
    import pandas

    messages = [
        [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": "it's 'done'"}] for row in ROWS
    ]
    cells = pandas.DataFrame(
        {"statutes": [["甲，乙", "丙"], ["丁"]] * 10, "messages": messages, "note": ["[1] see", "x"] * 10}
    )
    cells.to_csv("a.csv", index=False)
    assert read("a.csv")[0] == {"statutes": ["甲，乙", "丙"], "messages": messages[0], "note": "[1] see"}
    Path("b.csv").write_text("statutes\n\"['甲' '乙']\"\n")  # numpy has no commas
    assert read("b.csv") == [{"statutes": ["甲", "乙"]}]


def test_a_header_in_the_middle_is_no_row():
    Path("a.csv").write_text(CSV + "\ufeff" + CSV)
    rows = read("a.csv")
    assert [row.reason for row in rows if isinstance(row, Broken)] == ["the header once more, line 22"]
    assert len(rows) == 41


def test_one_row_with_a_conversation_in_it_is_one_row():
    row = {"question": "一个问题是什么？", "messages": [{"role": "user", "content": "x"}]}
    Path("a.json").write_text(dumps(row))
    assert read("a.json") == [row]


def test_a_table_is_told_by_its_first_record_and_by_its_header():
    Path("a.csv").write_text("id;question, as asked;answer, as given\n1;How long, at most?;An hour.\n")
    assert read("a.csv") == [{"id": "1", "question, as asked": "How long, at most?", "answer, as given": "An hour."}]
    Path("b.csv").write_text("How long is it?,About an hour.\nWho pays for it?,The owner pays.\n")
    with pytest.raises(UserError, match=r"b\.csv has no header"):
        read("b.csv")
