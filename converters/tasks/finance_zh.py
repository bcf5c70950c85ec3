"""fingpt-fineval: multiple-choice questions of Chinese finance examinations. Chinese.

https://huggingface.co/datasets/FinGPT/fingpt-fineval - train 1,056 and test 265 rows, not gated; the hub page names
no licence; FinEval, the source, is CC BY-NC-SA 4.0 on the hub and Apache-2.0 on GitHub.

What is odd about it, and what is done:
- It comes with a test split. That stays the test split; validation rows are taken from train. Test rows that
  also stand in train are kept in test and dropped from train.
- `input` ends in an empty line, which goes. Blanks stand as "____" and formulas as LaTeX: both are left alone.
- A spreadsheet turned the options of a few questions into the days' numbers of dates (44932, which was 1/6): they go.
- The answer is a letter and the option's text. Most answers are short, so no minimum length holds here, and near
  duplicates are told apart strictly: two questions that differ in a number are two questions.
"""

import re

from converters.task import File, Options, Record, Row, Skip, Task, text

DAYS = re.compile(r"(?:\n[A-D]\. 4[0-7]\d{3}\b){4}")


def convert(row: Row, file: str, options: Options) -> Record:
    """Return instruction, question with options, and answer."""
    record = Record(text(row, "instruction"), text(row, "input").strip(), text(row, "output"))
    if DAYS.search(record.input):
        raise Skip("boilerplate", "a spreadsheet made dates of its options", record)
    return record


COLUMNS = ("instruction", "input", "output")
TASK = Task(
    name="finance_zh",
    title="FinEval, Chinese finance examinations",
    language="zh",
    domain="finance",
    hub="FinGPT/fingpt-fineval",
    licence="CC BY-NC-SA 4.0 (FinEval, the source; the hub page names none)",
    rows=1_321,
    files=(
        File("data/train-00000-of-00001-1fa04e2cd84728f4.parquet", COLUMNS, "train"),
        File("data/test-00000-of-00001-9f770202d9b0d054.parquet", COLUMNS, "test"),
    ),
    convert=convert,
    system="你是一位金融专家，请根据题意作答。",
    defaults={"near": 0.95},
)
