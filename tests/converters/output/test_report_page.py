"""The data report: complete, self-contained, and nothing of the data becomes markup."""

import json
import re
from pathlib import Path

import pytest

from common.errors import UserError
from converters.convert import convert
from converters.output.report_page import histogram, write_report
from converters.registry import ORDER, load_task
from tests.checkout import ROOT

ROWS = ROOT / "tests/converters/raw_rows"


@pytest.mark.parametrize("task", ORDER)
@pytest.mark.parametrize("formatting", ["alpaca", "sharegpt"])
def test_every_task_has_its_page(task, formatting):
    card = convert(load_task(task), str(ROWS / task), given={"format": formatting, "system": True})
    page = write_report(task).read_text()
    assert page.count("<svg") == 2
    assert not re.search(r"(?:src|href)\s*=", page)
    for step in card["steps"]:
        shown = f'<td>{step["step"]}</td><td class="n">' in page
        assert shown == bool(step["dropped"])
    assert card["files"]["train"]["sha256"] in page


def test_rows_cannot_put_markup_into_the_page():
    attack = "<script>alert(1)</script> & <img src=x onerror=alert(1)>"
    rows = [{"question": f"{attack} 第{i}个问题怎么办", "answer": f"{attack} 第{i}个回答请看医生"} for i in range(9)]
    rows += [{"question": "", "answer": attack}]
    Path("format_data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"html": False, "near": 0, "language": False, "decontaminate": False}
    convert(load_task("medical_zh"), "format_data.jsonl", given=given)
    page = write_report("medical_zh").read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_a_histogram_counts_every_row():
    plot = histogram([1, 10, 10, 100, 1_000])
    counts = [int(bar["title"].split(": ")[1].split()[0]) for bar in plot["bars"]]
    assert sum(counts) == 5
    assert plot["most"] == max(counts) == 2


def test_a_report_needs_rows():
    with pytest.raises(UserError, match="has not been converted yet"):
        write_report("law_en")
    convert(load_task("law_en"), str(ROWS / "law_en"))
    Path("data/law_en/rejected.jsonl").unlink()
    with pytest.raises(UserError, match=r"has no rejected\.jsonl any more"):
        write_report("law_en")
