"""Lawyer-Instruct: turns of lawyers talking, as instruction and answer. English.

https://huggingface.co/datasets/Alignment-Lab-AI/Lawyer-Instruct - Apache-2.0, not gated, 9,241 rows, one split.

What is odd about it, and what is done:
- It was cut from conversations of several "lawyers", so many answers are bare agreement, and some 860 rows talk about
  reasoning techniques instead of law. Both are dropped as boilerplate (SET boilerplate=false keeps them).
- Most rows carry no legal word. They are kept by default; SET legal_words=true keeps only rows that have one, as the
  data set's card advises.
- `input` is empty in every row: nothing is written where there is nothing, so no empty "Input:" is trained on.
- The file is called .json; array and JSON Lines are both read. About 50 exact duplicates go in the duplicate step.
"""

import re

from converters.task import File, Options, Record, Row, Skip, Task, text

TECHNIQUE = re.compile(
    r"reasoning traces|task-specific actions|interleaved manner|tree[- ]of[- ]thoughts?|\bReAct\b"
    r"|search over a tree|multiple reasoning paths|chain[- ]of[- ]thought",
    re.IGNORECASE,
)
AGREEMENT = re.compile(
    r"^(?:(?:yes|sure|absolutely|definitely|certainly|indeed|great|good point|exactly|right)[,.! ]+)*"
    r"(?:i (?:fully |completely |totally |wholeheartedly )?(?:agree|concur)\b|(?:that|this) (?:sounds|makes|is a good|"
    r"is a great)\b|sounds good|let's (?:do|proceed|start|get started)\b|thank you\b|you're right\b)",
    re.IGNORECASE,
)
AGREEMENT_LENGTH = 250
"""An answer that opens with agreement and ends within so many characters adds nothing to it."""
LEGAL = re.compile(
    r"\b(?:laws?|legal\w*|courts?|statut\w+|attorneys?|lawyers?|plaintiffs?|defendants?|contracts?|liab\w+|tort\w*"
    r"|negligen\w+|judges?|jury|juries|constitution\w*|regulat\w+|crim\w+|prosecut\w+|evidence|precedents?|jurisdiction"
    r"|copyright\w*|patents?|trademarks?|lawsuits?|litigat\w+|appeals?|clauses?|rights?|leases?|landlords?|tenants?|tax(?:es)?|felon\w+|v\.)\b",
    re.IGNORECASE,
)


def convert(row: Row, file: str, options: Options) -> Record:
    """Return the row as it is, unless it is about method or manners instead of matter."""
    instruction, given, answer = text(row, "instruction"), text(row, "input"), text(row, "output")
    if options["boilerplate"]:
        if TECHNIQUE.search(instruction) or TECHNIQUE.search(answer):
            raise Skip("boilerplate", "talks about a reasoning technique, not about law")
        if len(answer) <= AGREEMENT_LENGTH and AGREEMENT.match(answer.strip()):
            raise Skip("boilerplate", "the answer only agrees")
    if options["legal_words"] and not (LEGAL.search(instruction) or LEGAL.search(answer)):
        raise Skip("domain", "no legal word in question or answer")
    return Record(instruction, given, answer)


TASK = Task(
    name="law_en",
    title="Lawyer-Instruct, English law",
    language="en",
    domain="law",
    hub="Alignment-Lab-AI/Lawyer-Instruct",
    revision="1dd073c3f7e27633dcafb18ed16467a32f65b515",
    url="https://huggingface.co/datasets/Alignment-Lab-AI/Lawyer-Instruct",
    licence="Apache-2.0",
    rows=9_241,
    files=(File("alpacmygavel.json", ("instruction", "input", "output")),),
    convert=convert,
    system="You are an experienced lawyer. Explain the law that applies, clearly and accurately.",
    defaults={"min_output": 20},
    options={"boilerplate": True, "legal_words": False},
    option_help={
        "boilerplate": "drop answers that only agree and rows about reasoning techniques",
        "legal_words": "keep only rows with a legal word",
    },
)
