"""DISC-Law-SFT: legal tasks, questions and judgements, some with the statutes they rest on. Chinese.

https://huggingface.co/datasets/ShengbinYue/DISC-Law-SFT - Apache-2.0, not gated, four files, 285,781 rows:
Pair 166,758, Pair-QA 79,692, Triplet 16,000, Triplet-QA 23,331.

What is odd about it, and what is done:
- The files differ in columns, so the whole repository cannot be loaded at once: each file is read by itself.
- There is no `instruction`: the task's instruction is the beginning of `input`, and all of it is the prompt.
- `reference` holds the statutes. In Triplet rows `input` does not have them, so they are put before it; in Triplet-QA
  rows it has them already (in any order), so nothing is doubled. What decides is whether the text has them, not
  the file's name, and white space makes no difference. SET statutes=false leaves them out of Triplet rows.
- Triplet-QA marks the question with <问题>： - what follows it is what makes two rows ask the same.
- ids collide between Pair-QA and Triplet-QA: rows are known by file and line, never by id.
- Pair rows of kind exam- overlap LawBench and AGIEval: SET exams=false drops them, which an evaluation on
  those benchmarks needs. The answers are partly model-written and can be wrong in law.
- A copy that went through pandas' CSV holds the statutes as text ("['...', '...']"): read as the list it is.
- Some questions say their end twice ("要变更吗要变更吗？"): once is enough. Answers of several lawyers are joined by a
  bare 律师解答: it becomes a line end.
- About 3 % (Pair) and 4 % (Pair-QA) exact duplicates go in the duplicate step.
"""

import re
from typing import Any

from converters.task import File, Options, Record, Row, Skip, Task, is_nan, read_literal, text

MARK = "<问题>"
FEWEST_TWICE = 5
SAID_TWICE = re.compile(r"([^，。？！,.?!；;\s]{5,60})问?\1(?=[？?。！!]*$)")
LONGEST_END = 200
"""Characters of a prompt's end that are looked at."""
ANOTHER_ANSWER = re.compile("(?<=[^请由找向让求等，,])律师解答(?=[^：:，,。])")


def statutes(value: Any) -> list[str]:
    """Return the statutes of a row: a list of texts, one text, or nothing."""
    if value is None or is_nan(value):
        return []
    if isinstance(value, str):
        value = read_literal(value) or [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Skip("columns", "reference is not a list of texts")
    return [item.strip() for item in value if item.strip()]


def _taken_apart(said: str) -> str:
    return ANOTHER_ANSWER.sub("\n", said) if "律师解答" in said else said


def _said_once(prompt: str) -> str:
    before, end = prompt[:-LONGEST_END], prompt[-LONGEST_END:]
    words = end.rstrip("？?。！!")
    if words[-FEWEST_TWICE:] not in words[:-FEWEST_TWICE]:  # most prompts, and much faster
        return prompt
    while (once := SAID_TWICE.sub(r"\1", end)) != end:
        end = once
    return before + end


def _unspaced(value: str) -> str:
    return "".join(value.split())


def convert(row: Row, file: str, options: Options) -> Record:
    """Return the row with its statutes in the prompt exactly once."""
    prompt, answer = _said_once(_taken_apart(text(row, "input").strip())), _taken_apart(text(row, "output"))
    asked = prompt.partition(MARK)[2].lstrip(" ：:\n") if MARK in prompt else prompt
    given = statutes(row.get("reference"))
    known = _unspaced(prompt) if given else ""
    absent = [item for item in given if _unspaced(item) not in known]
    if absent and options["statutes"] and prompt:
        prompt = "\n".join([*absent, "", prompt])
    record = Record(prompt, "", answer, question="" if asked == prompt else asked)
    if not options["exams"] and text(row, "id").startswith("exam-"):
        raise Skip("domain", "an exam question that benchmarks use too", record)
    return record


PAIR = ("input", "output")
TRIPLET = ("reference", "input", "output")
TASK = Task(
    name="law_zh",
    title="DISC-Law-SFT, Chinese law",
    language="zh",
    domain="law",
    hub="ShengbinYue/DISC-Law-SFT",
    revision="fb12cf02809a85724f7e36977529b1d4b5f9f920",
    licence="Apache-2.0",
    rows=285_781,
    files=(
        File("DISC-Law-SFT-Pair.jsonl", PAIR),
        File("DISC-Law-SFT-Pair-QA-released.jsonl", PAIR),
        File("DISC-Law-SFT-Triplet-released.jsonl", TRIPLET),
        File("DISC-Law-SFT-Triplet-QA-released.jsonl", TRIPLET),
    ),
    convert=convert,
    system="你是一位专业的法律顾问，请依据现行法律，准确、清楚地回答问题。",
    options={"statutes": True, "exams": True},
    option_help={
        "statutes": "put the statutes of Triplet rows into the prompt",
        "exams": "keep exam questions, which LawBench and AGIEval share",
    },
)
