"""Huatuo26M-Lite: patients' questions from the web, answers rewritten by a language model. Chinese.

https://huggingface.co/datasets/FreedomIntelligence/Huatuo26M-Lite - Apache-2.0, not gated, about 177,700 rows, one
split. Columns id, question, answer, score (1-5), label (a hospital department), related_diseases.

What is odd about it, and what is done:
- Nothing is called instruction or output: question is the prompt, answer the answer.
- Nobody has said what `score` means; others train on rows from 3 or 4 up. SET score=4 keeps those of at least 4
  (default 0: all). A row whose score is not a number is kept only while no threshold is set.
- SET department=儿科,内科 keeps the rows of these departments.
- related_diseases is often empty and is not used. The answers give advice that no doctor has checked.
"""

import re

from converters.task import File, Options, Record, Row, Skip, Task, text

COMMA = re.compile("[,，、]")


def score_of(row: Row) -> float | None:
    """Return the row's score, None when it has none."""
    try:
        return float(text(row, "score"))
    except ValueError:
        return None


def convert(row: Row, file: str, options: Options) -> Record:
    """Return question and answer of a row that is good enough and of the wanted department."""
    score, department = score_of(row), text(row, "label").strip()
    record = Record(text(row, "question"), "", text(row, "answer"))
    if options["score"] and (score is None or not score >= options["score"]):
        raise Skip("score", f"score {text(row, 'score') or 'missing'} is below {options['score']}", record)
    wanted = [name.strip() for name in COMMA.split(options["department"]) if name.strip()]
    if wanted and department not in wanted:
        raise Skip("domain", f"department {department or 'missing'} is not wanted", record)
    return record


TASK = Task(
    name="medical_zh",
    title="Huatuo26M-Lite, Chinese patients' questions",
    language="zh",
    domain="medicine",
    hub="FreedomIntelligence/Huatuo26M-Lite",
    licence="Apache-2.0",
    rows=177_703,
    files=(File("format_data.jsonl", ("question", "answer")),),
    convert=convert,
    system="你是一位认真负责的医生，请用通俗的语言回答患者的问题，并说明何时应当就医。",
    options={"score": 0, "department": ""},
    option_help={
        "score": "keep rows with at least this score (1-5; 0 keeps all)",
        "department": "keep these departments, separated by commas: 儿科,内科",
    },
)
