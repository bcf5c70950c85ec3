"""Lawyer-Instruct: turns of lawyers talking, as instruction and answer. English.

https://huggingface.co/datasets/Alignment-Lab-AI/Lawyer-Instruct - Apache-2.0, not gated, 9,241 rows, one split.

What is odd about it, and what is done:
- It was cut from conversations of several "lawyers", so many answers are bare agreement, and some 860 rows talk about
  reasoning techniques instead of law. Both are dropped as boilerplate (SET boilerplate=false keeps them). An answer
  that agrees and then says what the law is stays.
- Most rows carry no legal word. They are kept by default; SET legal_words=true keeps only rows that have one, as the
  data set's card advises.
- `input` is empty in every row: nothing is written where there is nothing, so no empty "Input:" is trained on.
- The file is called .json; array and JSON Lines are both read. About 50 exact duplicates go in the duplicate step.
"""

import re

from converters.task import File, Options, Record, Row, Skip, Task, given_text, text

TECHNIQUE = re.compile(
    r"reasoning traces|task-specific actions|interleaved manner|tree[- ]of[- ]thoughts?|(?-i:\bReAct\b)"
    r"|search over a tree|multiple reasoning paths"
    r"|chain[- ]of[- ]thought (?:prompt|reason|technique|approach|method|process)"
    r"|(?:technique|prompt\w*|method|approach) (?:of|called|known as) (?:the )?[\"']?chain[- ]of[- ]thought",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
AGREEMENT = re.compile(
    r"(?:(?:yes|sure|absolutely|definitely|certainly|indeed|great|exactly|right)[,.!]*\s*)*"
    r"(?:(?:good|great|excellent) (?:point|idea|plan)\b|i (?:\w+ly )?(?:agree|concur)\b|sounds (?:good|great)\b"
    r"|(?:that|this|it) (?:sounds|makes (?:perfect )?sense|is a (?:good|great))\b|thank you\b|you(?:'re| are) right\b)",
    re.IGNORECASE,
)
PLAN = re.compile(
    r"\b(?:let's|let us|we (?:should|need|must|can|could|might|will|may want)|i (?:suggest|propose|recommend|think we)"
    r"|i(?:'ll| will)|next step|assessment|suggestion|your (?:approach|analysis|point|plan|idea|strategy))\b",
    re.IGNORECASE,
)
"""Talk about how to go on, which says nothing of the law."""
AGREEMENT_LENGTH = 250
"""Only answers of at most so many characters are looked at: a longer one has more to say than that it agrees."""
FEWEST_WORDS = 5
"""A sentence of fewer words says nothing by itself."""
LEGAL = re.compile(
    r"\b(?:laws?|legal\w*|courts?|statut\w+|attorneys?|lawyers?|plaintiffs?|defendants?|contracts?|liab\w+|tort\w*"
    r"|negligen\w+|judges?|jury|juries|constitution\w*|regulat\w+|crim\w+|prosecut\w+|evidence|precedents?|jurisdiction"
    r"|copyright\w*|patents?|trademarks?|lawsuits?|litigat\w+|appeals?|clauses?|rights?|leases?|landlords?|tenants?"
    r"|tax(?:es)?|felon\w+|pleas?|convict\w*|guilt\w*|damages|unlawful\w*|warrants?|custody|hearsay|testi\w+|verdicts?"
    r"|sentenc\w+|probat\w+|parole|trusts?|trustees?|easements?|sue[ds]?|suits?|sections?|codes?|v\.)\b",
    re.IGNORECASE,
)


def only_agrees(answer: str) -> bool:
    """Tell whether an answer opens with agreement and then says nothing but how to go on."""
    if len(answer) > AGREEMENT_LENGTH or not AGREEMENT.match(answer):
        return False
    return not any(_says_something(sentence) for sentence in SENTENCE_END.split(answer))


def _says_something(sentence: str) -> bool:
    """Tell whether a sentence says more than yes and how to go on; a short one must speak of the law."""
    if PLAN.search(sentence):
        return False
    short, agrees, legal = len(sentence.split()) < FEWEST_WORDS, AGREEMENT.match(sentence), LEGAL.search(sentence)
    return legal is not None and not (short and agrees) if short or agrees else True


def convert(row: Row, file: str, options: Options) -> Record:
    """Return the row as it is, unless it is about method or manners instead of matter."""
    instruction, given, answer = text(row, "instruction"), given_text(text(row, "input")), text(row, "output")
    record = Record(instruction, given, answer)
    if options["boilerplate"]:
        if TECHNIQUE.search(instruction) or TECHNIQUE.search(answer):
            raise Skip("boilerplate", "talks about a reasoning technique, not about law", record)
        if only_agrees(answer.strip()):
            raise Skip("boilerplate", "the answer only agrees", record)
    if options["legal_words"] and not (LEGAL.search(instruction) or LEGAL.search(answer)):
        raise Skip("domain", "no legal word in question or answer", record)
    return record


TASK = Task(
    name="law_en",
    title="Lawyer-Instruct, English law",
    language="en",
    domain="law",
    hub="Alignment-Lab-AI/Lawyer-Instruct",
    revision="1dd073c3f7e27633dcafb18ed16467a32f65b515",
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
