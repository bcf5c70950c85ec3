"""MedQuad: consumers' questions about diseases, answered by the US National Institutes of Health. English.

https://huggingface.co/datasets/keivalya/MedQuad-MedicalQnADataset - 16,407 rows, one split, not gated. The hub page
names no licence; the source, MedQuAD (https://github.com/abachaa/MedQuAD), is CC BY 4.0.

What is odd about it, and what is done:
- Questions were made from templates: " ?" at the end, "? ?" twice, "What is (are) X ?", "what research (or clinical
  trials) is being done for X", "What causes Causes of Diabetes". They become what a person would ask. Those that name
  no disease are dropped, as are some of the CDC's that no person would ask ("how is hps diagnosed for Hantavirus").
- Many answers begin by asking the question again: that goes, when it is about the same.
- Answers are scraped pages: runs of spaces stand for line breaks and bullets. Bullets get lines of their own. What
  belongs to the page goes: "Key Points" with their list (the text says it all again), "Summary:", "Espaol", the name of
  the institute at the end, sentences that send the reader elsewhere and the lists that they introduce, remarks about
  a video, digits of footnotes.
- Tables of signs and symptoms become lists, without the modes of inheritance among them and without the 900 characters
  on their source that follow each. A list that names only the disease itself is dropped.
- The source lost dashes, accents and apostrophes. medical_en.tsv lists the words that become right again ("dont"), and
  of words run together those that are separated: rare ones, both halves of which are frequent words of these very
  answers, checked by eye. "a persons risk" becomes "a person's risk". Others stay.
- A page's headings are lost: of many answers to "What is High Blood Cholesterol?" only the first says what it is
  (SET answers=1 keeps that one).
- 1,086 answers begin with "These resources": lists of links without the links. They are dropped as boilerplate, and so
  are tables of contents and addresses (SET boilerplate=false keeps all these). Answers of less than 20 characters
  ("Topics") and of more than 8,000 go too.
- The same question comes with different answers: all of one question stay in the same split.
- `qtype` (information, symptoms, treatment ...) is not part of the prompt; SET qtype=symptoms keeps one kind.
- SET templates=true keeps the words of the question's template, and the question at the head of an answer.
"""

import functools
import re
from pathlib import Path

from converters.task import File, Options, Record, Row, Skip, Task, text

MARKS = re.compile(r"\s*\?(?:\s*\?)*\s*$")
SPACE_BEFORE_MARK = re.compile(r"\s+([?.!,;:])(?=\s|$)")
SPOKEN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^what research \(or clinical trials\) is being done for ", "What research is being done on "),
        (r"^What is (?:\(are\) )?What I need to know about ", "What should I know about "),
        (r"(?<= )(?:What I need to know about|Your Guide to|Causes of|Diagnosis of|Treatment Methods for) ", ""),
        (r" and How Its Treated$", ""),
        (r"^What is \(are\) ", "What is "),
        (r"^How to diagnose (.*)", r"How is \1 diagnosed"),
        (r"^How to prevent (.*)", r"How can \1 be prevented"),
        (r"\bi\b", "I"),
        (r"\b(?:hps|visa|vrsa|cdc)\b", lambda match: match[0].upper()),
    )
]
"""What a template says, and what a person does."""
NO_TOPIC = re.compile(r"^(?:(?:\w+ ){0,5}(?:is|\(are\)|of|for|by|about|causes|diagnose|prevent)|Is\s+inherited)$")
UNASKABLE = re.compile(r"^(?:how|what|are) (?!research\b).* for [A-Z]")
BULLET = re.compile(r"[^\S\n]{2,}-[^\S\n]+|(?<=[.:)])[^\S\n]-[^\S\n]+(?=[A-Za-z])")
FIRST_BULLET = re.compile(r"(?m)^([^\n-][^\n]*?\w) - (?=[^\n]*\n- )")
LINE = re.compile(r"[^\S\n]{4,}")
KEY_POINTS = re.compile(r"\s*\bKey Points[^\S\n]*\n?(?:[^\S\n]*(?:\n\s*)?-[^\S\n][^\n]*)*\s*")
HEAD = re.compile(r"^\s*(?:Espaol\b|Summary\s*:)\s*")
VIDEO = re.compile(
    r"\s*\((?:This short video|(?:Watch|To enlarge|See) [^()]*(?:video|keyboard|brackets))(?:[^()]|\([^()]*\))*\)?"
)
SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?]\)))\s+(?=[A-Z(\"'-])")
POINTER = re.compile(
    r"\W*(?:(?:For|To (?:learn|read|find out)|Learn|Read|See|Find out) more\b"
    r"|For (?:more |additional )?\w+ information\b"
    r"|(?:The |Please )?[Mm]ore (?:\w+ )?(?:information\b(?! is needed)|on:)"
    r"|(?:Visit|Check out) (?:the|our|this)\b)|.{0,160}\b[Ww]eb ?(?:site|page)s?\b"
)
LINK = re.compile(
    r"[Cc]lick|https?:|\bwww\b|\.(?:gov|org|com|edu|htm)\b|following links?\b|links? (?:above|below)\b"
    r"|CLICK|[Oo]n this page\b|[Ww]atch the video|[Ee]nlarge the video|@\w+\."
    r"|\bhealth topics?, |\bPDQ\b|\blike to read\b|\b1-8\d\d-"
)
"""A sentence that sends the reader elsewhere begins with the one or has the other."""
INSTITUTE = re.compile(
    r"\n+(?:NIH\b[^\n]*|(?!- )[^\n]{0,110}\b(?:Institutes?|Centers? for|Administration|Department|Agency|Office"
    r"|Commission|Library|Service|Foundation|Association|Endowment)\b[^.\n]{0,90})\s*$"
)
FOOTNOTE = re.compile(
    r"(?<=[a-z)%])([.,])\d{1,2}(?:,\d{1,2})*(?=\s|$)|(?<=\d)(\.)\d{1,2}(?=[^\S\n][A-Z][a-z]{2}|\s*$|\s*\n)"
)
SOURCE_NUMBER = re.compile(r"\[\d{1,4}(?:[-,\s]+\d+)*\]")
CONTENTS = re.compile(r"^\s*(?:On this page\b(?! you)|Frequently Asked Quee?stions)", re.IGNORECASE)
LINK_LIST = re.compile(r"\s*(?:These resources|The following online resources)\b")
POSSESSIVE = re.compile(
    r"\b((?:[Aa]n?|[Ee]ach|[Ee]very|[Aa]nother) (?:person|patient|man|individual|doctor|mother|father|parent|infant"
    r"|gene|goiter|ophthalmologist))s(?= [a-z])"
    r"|\b((?:[Tt]he|[Yy]our) (?:patient|person|mother|father|doctor))s(?= (?:own|immune|health|body|blood|medical"
    r"|general|overall|condition|skin|ability|diet|risk|symptoms|response|life|family)\b)"
)
"""A possessive that lost its apostrophe, where a plural cannot stand."""
ADDRESS = re.compile(r"\b[A-Z]{2},? {1,2}\d{5}(?:-\d{4})?\b")
OPENING = re.compile(
    r"^\s*((?:What|How|Is|Are|Who|Can|Does|Do|Might)\b[^.?!\n]{5,160})\?\s*(?!(?:Yes|No)\b[.,;]|\s)", re.IGNORECASE
)
TABLE = re.compile(
    r"\s*If the information is available, the table below .*?Approximate number of patients \(when available\) (.*?)"
    r"(?:The Human Phenotype Ontology \(HPO\) has collected .*|$)",
    re.DOTALL,
)
ENTRY = re.compile(r"(\S.*?) (?:(\d[\d.]*%|\d+/\d+|\d+ of \d+)|-)(?=\s|$)")
NO_SIGN = re.compile(
    r"\binheritance\b|^(?:Sporadic|Heterogeneous|Genetic anticipation.*|Somatic mutation|Phenotypic variability"
    r"|Genetic heterogeneity|Contiguous gene syndrome|(?:Inc|C)omplete penetrance|Variable expressivity)$"
)
"""Entries of such a table that say how a disease is handed down."""
WORD = re.compile(r"[A-Za-z]{4,}")
TEMPLATE = """
what symptoms treatments causes diagnosed prevented inherited people affected many genetic changes related outlook risk
disease syndrome research being done should about information have
"""
TEMPLATE_WORDS = frozenset(TEMPLATE.split())
"""Words of questions that do not tell what they are about."""


@functools.cache
def _repairs() -> dict[str, str]:
    """Return what a word should be that lost its apostrophe or accent, or that two were run together to."""
    lines = Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
    repairs = dict(line.split("\t") for line in lines)
    return {wrong.capitalize(): right[0].upper() + right[1:] for wrong, right in repairs.items()} | repairs


def question(raw: str, templates: bool = False) -> str:
    """Return a template's question as a person would write it; "" for one that names nothing."""
    cleaned = SPACE_BEFORE_MARK.sub(r"\1", MARKS.sub("", raw.strip()))
    if NO_TOPIC.search(cleaned) or (not templates and UNASKABLE.search(cleaned)):
        return ""
    if not templates:
        for pattern, replacement in SPOKEN:
            cleaned = pattern.sub(replacement, cleaned)
        cleaned = cleaned[:1].upper() + cleaned[1:]
    return f"{_repaired(cleaned)}?" if cleaned else ""


def answer(raw: str, templates: bool = False, asked: str = "") -> str:
    """Return a scraped answer as text: lists on lines of their own, without what belongs to the page."""
    cleaned = HEAD.sub("", raw)
    if not templates:
        cleaned = _without_question(cleaned, asked)
    cleaned = TABLE.sub(_list, KEY_POINTS.sub(_key_points, cleaned))
    cleaned = FIRST_BULLET.sub(r"\1\n- ", LINE.sub("\n", BULLET.sub("\n- ", VIDEO.sub("", cleaned))))
    cleaned = _without_links(SOURCE_NUMBER.sub("", cleaned))
    cleaned = FOOTNOTE.sub(lambda match: match[1] or match[2], INSTITUTE.sub("", cleaned.rstrip()))
    return SPACE_BEFORE_MARK.sub(r"\1", _repaired(cleaned)).strip()


def _repaired(cleaned: str) -> str:
    """Return a text with the apostrophes, accents and blanks that its words certainly lost."""
    for wrong in _repairs().keys() & set(WORD.findall(cleaned)):
        cleaned = re.sub(rf"\b{wrong}\b", _repairs()[wrong], cleaned)
    cleaned = cleaned.replace("Guillain-Barr ", "Guillain-Barré ")
    return POSSESSIVE.sub(lambda found: f"{found[1] or found[2]}'s", cleaned)


def _key_points(found: re.Match[str]) -> str:
    """Return nothing for a list of points that the text below says again; the list where it is all there is."""
    return "\n\n" if found.end() < len(found.string) else re.sub(r"\s*Key Points\s*(?:-\s+)?", "", found[0])


def _without_question(raw: str, asked: str) -> str:
    """Return an answer without the question at its head, when that is the one asked and no "Yes" follows."""
    found = OPENING.match(raw)
    topic = {word[:5] for word in set(re.findall(r"\w{3,}", asked.lower())) - TEMPLATE_WORDS}
    same = found and (not topic or topic & {word[:5] for word in re.findall(r"\w{3,}", found[1].lower())})
    return raw[found.end() :] if found and same else raw


def _without_links(told: str) -> str:
    """Return an answer without the sentences that send the reader elsewhere, and the lists that these introduce."""
    lines, introduced = [], False
    for line in told.split("\n"):
        if introduced and (not line.strip() or line.startswith("- ")):
            continue
        kept = " ".join(one for one in SENTENCE_END.split(line) if not POINTER.match(one) and not LINK.search(one))
        introduced = line.rstrip().endswith(":") and not kept.rstrip().endswith(":")
        lines.append(kept)
    return "\n".join(lines)


def _list(table: re.Match[str]) -> str:
    """Return a table of signs, each with the share of patients or a dash behind it, as a list."""
    entries = [(sign, share) for sign, share in ENTRY.findall(table[1]) if not NO_SIGN.search(sign)]
    return "".join(f"\n- {sign}: {share}" if share else f"\n- {sign}" for sign, share in entries)


def names_only_itself(told: str, asked: str) -> bool:
    """Tell whether a list of signs holds nothing, or nothing but the disease's own name."""
    if "Human Phenotype Ontology provides the following list" not in told:
        return False
    before, _, listed = told.partition("Human Phenotype Ontology provides the following list")
    signs = re.findall(r"\n- ([^\n:]*)", listed)
    disease = set(re.findall(r"\w+", asked.lower()))
    return len(before) < 80 and all(set(re.findall(r"\w+", sign.lower())) <= disease for sign in signs)


def _boilerplate(reply: str, told: str, asked: str) -> str:
    """Return what an answer is in place of one, "" when it is one."""
    if LINK_LIST.match(reply):
        return "a list of links without the links"
    if CONTENTS.match(reply):
        return "a page's table of contents"
    if ADDRESS.search(told):
        return "addresses"
    if told.endswith(":"):
        return "its list is lost"
    return "a list of signs that names none" if names_only_itself(told, asked) else ""


def convert(row: Row, file: str, options: Options) -> Record:
    """Return question and answer, tidied."""
    kind, reply, templates = text(row, "qtype"), text(row, "Answer"), options["templates"]
    asked = question(text(row, "Question"), templates)
    told = answer(reply, templates, asked)
    record = Record(asked, "", told)
    if options["qtype"] and kind.strip() != options["qtype"]:
        raise Skip("domain", f"qtype is {kind.strip()!r}", record)
    if options["boilerplate"] and (wrong := _boilerplate(reply, told, asked)):
        raise Skip("boilerplate", wrong, record)
    return record


TASK = Task(
    name="medical_en",
    title="MedQuad, English consumer health",
    language="en",
    domain="medicine",
    hub="keivalya/MedQuad-MedicalQnADataset",
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
