"""fingpt-fineval: multiple-choice questions of Chinese finance examinations. Chinese.

What is odd about it, and what is done:
- It comes with a test split. That stays the test split; validation rows are taken from train. Test rows that
  also stand in train are kept in test and dropped from train.
- `input` ends in an empty line, which goes. Blanks stand as "____" and formulas as LaTeX: both are left alone.
- A spreadsheet turned the options of a few questions into the days' numbers of dates (44932, which was 1/6): they go.
- The answer is a letter and the option's text. Most answers are short, so no minimum length holds here, and near
  duplicates are told apart strictly: two questions that differ in a number are two questions.
"""

import re

from converters.task import Options, Record, Row, Skip, built_in, text

DAYS = re.compile(r"(?:\n[A-D]\. 4[0-7]\d{3}\b){4}")


def convert(row: Row, file: str, options: Options) -> Record:
    """Return instruction, question with options, and answer."""
    record = Record(text(row, "instruction"), text(row, "input").strip(), text(row, "output"))
    if DAYS.search(record.input):
        raise Skip("boilerplate", "a spreadsheet made dates of its options", record)
    return record


TASK = built_in("finance_zh", convert)
