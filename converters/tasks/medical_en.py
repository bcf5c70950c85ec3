"""MedQuad: consumers' questions about diseases, answered by the US National Institutes of Health. English.

https://huggingface.co/datasets/keivalya/MedQuad-MedicalQnADataset - 16,407 rows, one split, not gated. The hub page
names no licence; the source, MedQuAD (https://github.com/abachaa/MedQuAD), is CC BY 4.0.

What is odd about it, and what is done:
- Questions were made from templates: " ?" at the end, "? ?" twice, "What is (are) X ?". Spaces before punctuation and
  doubled marks go; "What is (are) X" becomes "What is X" (SET templates=true keeps the template's words).
- A few are no sentences ("Do you have information about Iron"): a question mark is added.
- Many answers begin by asking the question again: that goes (SET templates=true keeps it).
- Answers are scraped pages: runs of spaces stand for line breaks and bullets. Bullets get lines of their own, a leading
  "Key Points" heading goes. Tables of signs and symptoms become lists, without the 900 characters on their source
  that follow each.
- 1,086 answers begin with "These resources": lists of links without the links. They are dropped as boilerplate
  (SET boilerplate=false keeps them). Answers of less than 20 characters ("Topics") and of more than 8,000 go too.
- The same question comes with different answers: all of one question stay in the same split (SET answers=1 keeps one).
- `qtype` (information, symptoms, treatment ...) is not part of the prompt; SET qtype=symptoms keeps one kind.
"""

import re

from converters.task import File, Options, Record, Row, Skip, Task, text

MARKS = re.compile(r"\s*\?(?:\s*\?)*\s*$")
SPACE_BEFORE_MARK = re.compile(r"\s+([?.!,;:])(?=\s|$)")
IS_ARE = re.compile(r"^What is \(are\) ")
BULLET = re.compile(r"[^\S\n]{2,}-[^\S\n]+")
LINE = re.compile(r"[^\S\n]{4,}")
REPEATED_QUESTION = re.compile(r"^\s*(?:What|How|Is|Are|Who)\b[^.?!\n]{5,160}\?\s*(?!Yes\b|No\b|\s)")
TABLE = re.compile(
    r"\s*If the information is available, the table below .*?Approximate number of patients \(when available\) (.*?)"
    r"(?:The Human Phenotype Ontology \(HPO\) has collected .*|$)",
    re.DOTALL,
)
ENTRY = re.compile(r"(\S.*?) (?:(\d[\d.]*%|\d+/\d+)|-)(?=\s|$)")
KEY_POINTS = re.compile(r"^\s*Key Points\s*(?:-\s+)?")


def question(raw: str, templates: bool = False) -> str:
    """Return a template's question as a person would write it."""
    cleaned = SPACE_BEFORE_MARK.sub(r"\1", MARKS.sub("", raw.strip()))
    if not templates:
        cleaned = IS_ARE.sub("What is ", cleaned)
    return f"{cleaned}?" if cleaned else ""


def answer(raw: str, templates: bool = False) -> str:
    """Return a scraped answer with its bullets and paragraphs on lines of their own, and without the question."""
    cleaned = TABLE.sub(_list, raw if templates else REPEATED_QUESTION.sub("", raw))
    cleaned = BULLET.sub("\n- ", KEY_POINTS.sub("", cleaned))
    return SPACE_BEFORE_MARK.sub(r"\1", LINE.sub("\n", cleaned)).strip()


def _list(table: re.Match[str]) -> str:
    """Return a table of signs, each with the share of patients or a dash behind it, as a list."""
    entries = (f"\n- {sign}: {share}" if share else f"\n- {sign}" for sign, share in ENTRY.findall(table[1]))
    return "".join(entries)


def convert(row: Row, file: str, options: Options) -> Record:
    """Return question and answer, tidied."""
    kind, reply = text(row, "qtype"), text(row, "Answer")
    if options["qtype"] and kind.strip() != options["qtype"]:
        raise Skip("domain", f"qtype is {kind.strip()!r}")
    if options["boilerplate"] and reply.lstrip().startswith("These resources"):
        raise Skip("boilerplate", "a list of links without the links")
    return Record(question(text(row, "Question"), options["templates"]), "", answer(reply, options["templates"]))


TASK = Task(
    name="medical_en",
    title="MedQuad, English consumer health",
    language="en",
    domain="medicine",
    hub="keivalya/MedQuad-MedicalQnADataset",
    url="https://huggingface.co/datasets/keivalya/MedQuad-MedicalQnADataset",
    licence="CC BY 4.0 (MedQuAD, the source; the hub page names none)",
    rows=16_407,
    files=(File("medDataset_processed.csv", ("qtype", "Question", "Answer")),),
    convert=convert,
    system="You are a careful medical assistant. Answer truthfully and in plain words, and say when to see a doctor.",
    defaults={"min_output": 20, "max_output": 8_000},
    options={"boilerplate": True, "qtype": "", "templates": False},
    option_help={
        "boilerplate": "drop answers that are link lists without links",
        "qtype": "keep one kind of question: symptoms, treatment ...",
        "templates": "keep `What is (are) X` as it is, and the question at the head of an answer",
    },
)
